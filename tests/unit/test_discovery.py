"""Scenario files are found and imported; a broken one names itself and harms no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.errors import UsageError
from profiler.planning import discovery
from profiler.planning.discovery import Catalog, discover, listings, unknown_scenario
from profiler.scenario import Parameter

GOOD = '''\
from typing import Literal

from profiler import Training, scenario


@scenario
def {name}(steps: int, *, batch: int = 32, cell: Literal["a", "b"] = "a") -> Training:
    """Build {name}."""
    return Training(feeds={{}}, loss=(steps, batch, cell))
'''


@pytest.fixture(autouse=True)
def _only_own_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ship nothing (it would need the framework), and forget what a test imported."""
    monkeypatch.setattr(discovery, "_import_shipped", lambda: None)
    monkeypatch.setattr(discovery, "entry_points", lambda **_: ())
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _good(folder: Path, name: str) -> str:
    return _file(folder, f"{name}_file.py", GOOD.format(name=name))


def _broken_beside_good(folder: Path, name: str, text: str) -> tuple[str, Catalog]:
    """Return the path of a file with this text, and the catalog of it between two good ones."""
    path = _file(folder, name, text)
    return path, discover([_good(folder, "first"), path, _good(folder, "last")])


def test_a_file_that_uses_the_decorator_gives_its_scenario(tmp_path: Path) -> None:
    """Nothing but ``Training`` and ``scenario`` is needed."""
    path = _good(tmp_path, "toy")
    catalog = discover([path])
    toy = catalog.scenarios["toy"]

    assert catalog.broken == []
    assert (toy.family, toy.summary) == ("toy_file", "Build toy.")
    assert toy.source.startswith(f"{path}:")
    assert toy.build(3, batch=2, cell="b").loss == (3, 2, "b")


def test_a_folder_gives_the_scenarios_of_all_its_files(tmp_path: Path) -> None:
    """In the order of their names; the package's own file is none of them."""
    _file(tmp_path, "__init__.py", "raise ValueError('not a scenario file')")
    for name in ("b", "a"):
        _good(tmp_path, name)
    catalog = discover([str(tmp_path)])

    assert list(catalog.scenarios) == ["a", "b"]
    assert catalog.broken == []


def test_discovering_twice_finds_the_same(tmp_path: Path) -> None:
    """The second time begins with an empty registry."""
    path = _good(tmp_path, "toy")
    discover([path])
    catalog = discover([path])

    assert list(catalog.scenarios) == ["toy"]
    assert catalog.broken == []


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    """The other files are found all the same."""
    path, catalog = _broken_beside_good(tmp_path, "odd.py", "x = 1\n\ndef f(:\n")

    assert [line.split(": SyntaxError: ")[0] for line in catalog.broken] == [f"{path}:3"]
    assert list(catalog.scenarios) == ["first", "last"]


def test_an_exception_at_import_names_file_line_and_reason(tmp_path: Path) -> None:
    """The line is the file's own, even where a library raised."""
    text = "import json\n\n\njson.loads('{')\n"
    path, catalog = _broken_beside_good(tmp_path, "odd.py", text)

    assert len(catalog.broken) == 1
    assert catalog.broken[0].startswith(f"{path}:4: JSONDecodeError: ")
    assert list(catalog.scenarios) == ["first", "last"]


def test_a_file_that_leaves_python_takes_no_other_down(tmp_path: Path) -> None:
    """A script without a main guard calls ``sys.exit`` when it is imported."""
    path, catalog = _broken_beside_good(tmp_path, "odd.py", "import sys\n\nsys.exit(3)\n")

    assert catalog.broken == [f"{path}:3: SystemExit: 3"]
    assert list(catalog.scenarios) == ["first", "last"]


def test_a_file_without_a_scenario_says_what_is_missing(tmp_path: Path) -> None:
    """Forgetting the decorator is the commonest mistake."""
    path, catalog = _broken_beside_good(tmp_path, "odd.py", "def toy(steps):\n    pass\n")

    assert catalog.broken == [f"{path}: no scenario in it (decorate a function with @scenario)"]


def test_a_scenario_that_cannot_be_used_names_its_line(tmp_path: Path) -> None:
    """The decorator's own message is passed on."""
    text = "from profiler import scenario\n\n\n@scenario\ndef toy(length):\n    pass\n"
    path, catalog = _broken_beside_good(tmp_path, "odd.py", text)

    assert catalog.broken == [
        f"{path}:4: ScenarioError: scenario 'toy' ({path}:4): its first argument must be 'steps'"
    ]


def test_a_name_that_is_taken_names_both_places(tmp_path: Path) -> None:
    """The first one stays."""
    first = _file(tmp_path, "one.py", GOOD.format(name="toy"))
    second = _file(tmp_path, "two.py", GOOD.format(name="toy"))
    catalog = discover([first, second])

    assert len(catalog.broken) == 1
    assert catalog.broken[0].startswith(
        f"{second}:6: ScenarioError: scenario 'toy' is defined twice"
    )
    assert f"{first}:6" in catalog.broken[0]
    assert catalog.scenarios["toy"].family == "one"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The others are found all the same."""
    path = str(tmp_path / "nowhere.py")
    catalog = discover([path, _good(tmp_path, "toy")])

    assert catalog.broken == [f"{path}: no such file or folder"]
    assert list(catalog.scenarios) == ["toy"]


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    """It is more likely a mistake than a wish."""
    assert discover([str(tmp_path)]).broken == [
        f"{tmp_path}: no scenario in the *.py files of this folder"
    ]


def test_a_file_that_is_no_python_is_named(tmp_path: Path) -> None:
    """Whatever it holds."""
    path = _file(tmp_path, "notes.txt", "buy milk")

    assert discover([path]).broken == [f"{path}: ImportError: not a Python file"]


def test_a_file_imports_the_helper_beside_it(tmp_path: Path) -> None:
    """As a script would; afterwards Python's path is what it was."""
    _file(tmp_path, "helper_beside.py", "SUMMARY = 'of the helper'\n")
    text = "from helper_beside import SUMMARY\n" + GOOD.format(name="toy")
    before = list(sys.path)
    catalog = discover([_file(tmp_path, "toy_file.py", text)])

    assert catalog.broken == []
    assert list(catalog.scenarios) == ["toy"]
    assert sys.path == before


def test_a_file_that_changes_pythons_path_keeps_its_own_entry(tmp_path: Path) -> None:
    """Only the entry that discovery made is taken back."""
    text = "import sys\n\nsys.path.insert(0, '/own/entry')\n" + GOOD.format(name="toy")
    before = list(sys.path)
    discover([_file(tmp_path, "toy_file.py", text)])

    assert sys.path == ["/own/entry", *before]


def test_a_syntax_error_in_a_helper_names_the_line_that_imports_it(tmp_path: Path) -> None:
    """The helper's line is in the reason; the file's own line stands after its name."""
    _file(tmp_path, "helper_broken.py", "\n\n\n\n\n\ndef f(:\n")
    path = _file(tmp_path, "odd.py", "x = 1\nimport helper_broken\n")
    (line,) = discover([path]).broken

    assert line.startswith(f"{path}:2: SyntaxError: ")
    assert "helper_broken.py, line 7" in line


def test_a_file_named_like_a_library_replaces_none(tmp_path: Path) -> None:
    """A user may call his file ``colorsys.py``; who imports colorsys gets Python's."""
    import colorsys

    path = _file(tmp_path, "colorsys.py", GOOD.format(name="toy"))
    catalog = discover([path])

    assert list(catalog.scenarios) == ["toy"]
    assert catalog.scenarios["toy"].family == "colorsys"
    assert sys.modules["colorsys"] is colorsys


def test_plug_ins_are_loaded_and_named_where_they_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package's scenarios need no option."""

    class Plugin:
        name, value = "acme", "acme.scenarios"

        @staticmethod
        def load() -> None:
            raise ImportError("no module named acme")

    asked: list[str] = []

    def entry_points(*, group: str) -> list[Plugin]:
        asked.append(group)
        return [Plugin()]

    monkeypatch.setattr(discovery, "entry_points", entry_points)
    catalog = discover([])

    assert asked == ["stepwall.scenarios"]
    assert catalog.broken == ["plug-in acme (acme.scenarios): ImportError: no module named acme"]


def test_shipped_scenarios_that_break_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the framework a user still learns why nothing is listed."""

    def fail() -> None:
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr(discovery, "_import_shipped", fail)
    catalog = discover([_good(tmp_path, "toy")])

    assert catalog.broken == ["scenarios: ModuleNotFoundError: No module named 'tensorflow'"]
    assert list(catalog.scenarios) == ["toy"]


def test_shipped_families_are_those_the_package_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second discovery in one process finds them again."""
    package = tmp_path / "shipped_sample"
    package.mkdir()
    _file(package, "__init__.py", '__all__ = ["family_one"]\n')
    _file(package, "family_one.py", GOOD.format(name="toy"))
    _file(package, "helper.py", "raise ValueError('never imported')\n")
    monkeypatch.undo()
    monkeypatch.setattr(discovery, "entry_points", lambda **_: ())
    monkeypatch.setattr(discovery, "SHIPPED", "shipped_sample")
    monkeypatch.syspath_prepend(str(tmp_path))
    first, second = discover([]), discover([])

    assert first.broken == second.broken == []
    assert list(first.scenarios) == list(second.scenarios) == ["toy"]
    assert first.scenarios["toy"].family == "family_one"


def test_a_catalog_becomes_listings_through_json(tmp_path: Path) -> None:
    """The parent knows all of a scenario but its code."""
    found = listings(discover([_good(tmp_path, "toy")]).to_json())["toy"]

    assert (found.name, found.family, found.summary) == ("toy", "toy_file", "Build toy.")
    assert found.parameters == [
        Parameter(name="batch", type="int", default=32),
        Parameter(name="cell", type="str", default="a", choices=("a", "b")),
    ]


def test_a_listing_parses_its_settings(tmp_path: Path) -> None:
    """In the parent, before any child is started."""
    found = listings(discover([_good(tmp_path, "toy")]).to_json())["toy"]

    assert found.settings({"batch": "64"}) == {"batch": 64, "cell": "a"}
    with pytest.raises(UsageError, match="scenario 'toy' has no parameter 'bach'"):
        found.settings({"bach": "64"})


def test_an_unknown_scenario_gets_the_nearest_and_the_way_to_all() -> None:
    """One line, with the next command to type."""
    message = unknown_scenario("static_rn", ["static_rnn", "dynamic_rnn"])

    assert message == (
        "no scenario 'static_rn' (did you mean 'static_rnn'?); 'stepwall list' shows all"
    )
