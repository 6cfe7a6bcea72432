"""A new scenario begins with a template of a framework, under a name that hides nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from profiler.errors import UsageError
from profiler.frameworks import installed
from profiler.planning import templates

PACKAGES = ("numpy", "a_framework")
KINDS = templates.templates(installed())


@pytest.mark.parametrize(
    ("gone", "kind"),
    [
        ((), "graph"),
        (("tensorflow",), "torch"),
        (("torch",), "graph"),
        (("tensorflow", "torch"), "graph"),
    ],
)
def test_without_a_choice_it_is_a_kind_that_works_here(
    monkeypatch: pytest.MonkeyPatch, gone: tuple[str, ...], kind: str
) -> None:
    """Whatever frameworks are installed; with none, the message names what the first one needs."""
    monkeypatch.setattr(templates, "lacking", lambda one: "needs" if one.name in gone else None)

    assert templates.default_kind(installed()) == kind


def test_every_file_of_a_framework_s_folder_is_a_kind() -> None:
    """The test and the package's own file are none."""
    assert "graph" in KINDS
    assert not {"__init__", "test_scenario"} & KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_scenario_and_its_test_bear_the_name(kind: str) -> None:
    """Nothing of the template's own name is left, and both are Python."""
    files = templates.filled(KINDS[kind], "a_new_one")

    assert list(files) == ["a_new_one.py", "test_a_new_one.py"]
    scenario, test = (ast.parse(text) for text in files.values())
    assert "a_new_one" in [node.name for node in ast.walk(scenario) if hasattr(node, "name")]
    assert "test_a_new_one" in ast.dump(test)
    assert not any("my_model" in text for text in files.values())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my-rnn", "is not a Python name"),
        ("2nd", "is not a Python name"),
        ("a/b", "is not a Python name"),
        ("class", "is not a Python name"),
        ("", "is not a Python name"),
        ("test_rnn", "pytest would take test_rnn.py"),
        ("json", "a module of that name is installed"),
        ("profiler", "a module of that name is installed"),
        ("a_framework", "a module of that name is installed"),
        ("click", "a module of that name is installed"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, words: str) -> None:
    """It says why."""
    with pytest.raises(UsageError, match=words):
        templates.check_name(name, PACKAGES)


def test_a_name_of_its_own_is_fine() -> None:
    """Whatever else it is."""
    templates.check_name("my_rnn", PACKAGES)


def test_templates_come_with_the_package() -> None:
    """They are modules of a package, so that a wheel holds them."""
    for path in KINDS.values():
        assert (path.parent / "__init__.py").is_file()
        assert path.is_relative_to(Path(templates.__file__).parents[1])
