"""Which files hold scenarios, and for which framework, is read from their text alone."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import stub_framework

from profiler.errors import StepwallError
from profiler.planning import files
from profiler.planning.files import (
    ScenarioFile,
    framework_of,
    scenario_files,
    scenario_names,
)

KINDS = {
    "profiler.Training": "first",
    "profiler.TrainStep": "first",
    "other.nn.Module": "second",
}
FOR_TYPES = """
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from other import nn

def f(steps) -> nn.Module: ...
"""
FRAMEWORKS = {stub_framework.NAME: stub_framework.FRAMEWORK}


class TestFrameworkOf:
    """The type that a function returns is one of a framework's."""

    @pytest.mark.parametrize(
        ("text", "framework"),
        [
            ("from profiler import Training\ndef f(steps) -> Training: ...", "first"),
            ("from profiler import Training as T\ndef f(steps) -> T: ...", "first"),
            ("import profiler\ndef f(steps) -> profiler.Training: ...", "first"),
            ("import profiler as p\ndef f(steps) -> p.Training: ...", "first"),
            ("import other.nn\ndef f(steps) -> other.nn.Module: ...", "second"),
            ("import other.nn as nn\ndef f(steps) -> nn.Module: ...", "second"),
            ("from other import nn\ndef f(steps) -> nn.Module: ...", "second"),
            ("from other.nn import Module\ndef f(steps) -> 'Module': ...", "second"),
            ("from profiler import Training\ndef f(steps) -> ' Training ': ...", "first"),
            ("import other.nn as nn\ndef f(steps) -> 'nn.Module': ...", "second"),
            (FOR_TYPES, "second"),
            ("def f(steps):\n    from profiler import Training\n    return Training()", "first"),
            ("class A:\n    def f(self) -> 'profiler.TrainStep': ...", "first"),
        ],
    )
    def test_it_is_found_under_whatever_name(
        self, tmp_path: Path, text: str, framework: str
    ) -> None:
        """Aliases, quotes and imports for types alone count as they do for Python."""
        path = tmp_path / "a.py"
        path.write_text(text)

        assert framework_of(path, KINDS) == framework

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x = 1",
            "def f(steps): ...",
            "def f(steps) -> int: ...",
            "from mine import Training\ndef f(steps) -> Training: ...",
            "from . import Training\ndef f(steps) -> Training: ...",
            "import profiler\ndef f(steps): return profiler",
            "def f(:\n",
            "x = '\0'",
            "(" * 1000,
        ],
    )
    def test_a_file_that_names_none_has_none(self, tmp_path: Path, text: str) -> None:
        """A type of the same name elsewhere is another one; a broken file names nothing."""
        path = tmp_path / "a.py"
        path.write_text(text)

        assert framework_of(path, KINDS) is None

    def test_an_annotation_counts_more_than_an_import(self, tmp_path: Path) -> None:
        """A helper may import what another framework has."""
        path = tmp_path / "a.py"
        path.write_text(
            "from profiler import Training\nfrom other.nn import Module\n"
            "def f(steps) -> Module: ...\n"
        )

        assert framework_of(path, KINDS) == "second"

    @pytest.mark.parametrize("text", [b"\xff\xfe", b"# coding: nonsense\n"])
    def test_bytes_that_are_no_source_name_none(self, tmp_path: Path, text: bytes) -> None:
        """Importing it will say what is wrong."""
        path = tmp_path / "a.py"
        path.write_bytes(text)

        assert framework_of(path, KINDS) is None

    def test_a_missing_file_names_none(self, tmp_path: Path) -> None:
        """Nor does a folder."""
        assert framework_of(tmp_path / "nowhere.py", KINDS) is None
        assert framework_of(tmp_path, KINDS) is None


@pytest.fixture
def _nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SHIPPED", "nowhere")
    monkeypatch.setattr(files, "entry_points", lambda **_: ())


@pytest.mark.usefixtures("_nothing_shipped")
class TestSources:
    """The user's files and folders."""

    def test_a_file_is_one_whatever_it_holds(self, tmp_path: Path) -> None:
        """Its child will say what is wrong with it."""
        path = tmp_path / "notes.txt"
        path.write_text("buy milk")

        assert list(scenario_files([str(path)], FRAMEWORKS)) == [
            ScenarioFile(path=str(path), framework=stub_framework.NAME)
        ]

    def test_a_folder_gives_its_python_files_by_name(self, tmp_path: Path) -> None:
        """The package's own file is none of them, nor are deeper folders."""
        for name in ("__init__.py", "b.py", "a.py", "notes.txt"):
            (tmp_path / name).write_text("")
        (tmp_path / "deeper").mkdir()
        (tmp_path / "deeper" / "c.py").write_text("")
        found = list(scenario_files([str(tmp_path)], FRAMEWORKS))

        assert [one.path for one in found if isinstance(one, ScenarioFile)] == [
            str(tmp_path / "a.py"),
            str(tmp_path / "b.py"),
        ]

    def test_what_is_not_there_is_named(self, tmp_path: Path) -> None:
        """An empty folder is more likely a mistake than a wish."""
        missing = str(tmp_path / "nowhere.py")

        assert list(scenario_files([missing, str(tmp_path)], FRAMEWORKS)) == [
            f"{missing}: no such file or folder",
            f"{tmp_path}: no *.py file in this folder",
        ]

    def test_without_any_framework_it_says_what_to_do(self) -> None:
        """A checkout that is run without being installed has no entry points."""
        with pytest.raises(StepwallError, match="make setup"):
            next(scenario_files([], {}))

    def test_each_file_is_for_the_framework_whose_type_it_names(self, tmp_path: Path) -> None:
        """Two frameworks may stand side by side in one folder."""
        names = ("first", "second")
        frameworks = {
            name: stub_framework.StubFramework(
                name=name,
                kinds=(
                    stub_framework.FRAMEWORK.kinds[0].__class__(
                        returns=f"{name}.Step", implementation="", phases=[], stages=[]
                    ),
                ),
            )
            for name in names
        }
        for name in names:
            text = f"from {name} import Step\ndef f(steps) -> Step: ..."
            (tmp_path / f"{name}.py").write_text(text)
        found = scenario_files([str(tmp_path)], frameworks)

        assert [one.framework for one in found if isinstance(one, ScenarioFile)] == list(names)


class TestShipped:
    """The scenarios that come with stepwall."""

    def test_they_are_imported_as_modules_and_their_helpers_are_not(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file in which no framework's type is named is a helper."""
        monkeypatch.setattr(files, "entry_points", lambda **_: ())
        kinds = tuple(
            kind.__class__(returns="profiler.Training", implementation="", phases=[], stages=[])
            for kind in stub_framework.FRAMEWORK.kinds
        )
        framework = stub_framework.StubFramework(kinds=kinds)
        found = list(scenario_files([], {framework.name: framework}))
        modules = {one.module for one in found if isinstance(one, ScenarioFile)}

        assert modules
        assert "scenarios.__init__" not in modules
        assert all(module and module.startswith("scenarios.") for module in modules)
        assert all(one.is_installed for one in found if isinstance(one, ScenarioFile))


class TestPlugins:
    """Installed packages that bring scenarios."""

    @pytest.fixture
    def installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a folder that Python imports from, with a package and a module in it."""
        package = tmp_path / "acme_scenarios"
        package.mkdir()
        for path in (package / "__init__.py", package / "rnn.py", tmp_path / "acme_single.py"):
            path.write_text("raise ValueError('imported')\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(files, "SHIPPED", "nowhere")
        return tmp_path

    def _found(self, monkeypatch: pytest.MonkeyPatch, value: str) -> ScenarioFile | str:
        entry = EntryPoint(name="acme", value=value, group=files.ENTRY_POINT_GROUP)
        asked: list[str] = []

        def entry_points(*, group: str) -> list[EntryPoint]:
            asked.append(group)
            return [entry]

        monkeypatch.setattr(files, "entry_points", entry_points)
        (found,) = scenario_files([], FRAMEWORKS)
        assert asked == ["stepwall.scenarios"]
        return found

    @pytest.mark.parametrize(
        ("value", "file"),
        [
            ("acme_scenarios", "acme_scenarios/__init__.py"),
            ("acme_scenarios.rnn", "acme_scenarios/rnn.py"),
            ("acme_single", "acme_single.py"),
        ],
    )
    def test_their_file_is_found_and_not_imported(
        self, installed: Path, monkeypatch: pytest.MonkeyPatch, value: str, file: str
    ) -> None:
        """The framework that it is for is not known before."""
        found = self._found(monkeypatch, value)

        assert found == ScenarioFile(
            path=str(installed / file), framework=stub_framework.NAME, module=value
        )
        assert value not in sys.modules

    @pytest.mark.usefixtures("installed")
    @pytest.mark.parametrize("value", ["acme_gone", "acme_scenarios.gone", "acme_single.deeper"])
    def test_one_whose_module_is_not_there_is_named(
        self, monkeypatch: pytest.MonkeyPatch, value: str
    ) -> None:
        """An uninstalled package may leave its entry point behind."""
        found = self._found(monkeypatch, value)

        assert found == f"plug-in acme ({value}): its module is not installed"


class TestScenarioNames:
    """The scenarios of a file that cannot be imported here are known by its text."""

    def test_every_way_to_decorate_counts(self, tmp_path: Path) -> None:
        """And nothing else does."""
        path = tmp_path / "a.py"
        path.write_text(
            "@scenario\ndef a(steps): ...\n"
            "@scenario(tags=('x',))\ndef b(steps): ...\n"
            "@profiler.scenario\ndef c(steps): ...\n"
            "@other\ndef d(steps): ...\n"
            "def e(steps): ...\n"
        )

        assert scenario_names(path) == ["a", "b", "c"]

    def test_what_cannot_be_parsed_has_none(self, tmp_path: Path) -> None:
        """Nor does a missing file."""
        path = tmp_path / "a.py"
        path.write_text("@scenario\ndef a(:")

        assert scenario_names(path) == scenario_names(tmp_path / "b.py") == []


@pytest.mark.usefixtures("_nothing_shipped")
def test_a_file_that_names_no_type_is_for_a_framework_that_is_there(tmp_path: Path) -> None:
    """Whichever is known first."""
    path = tmp_path / "a.py"
    path.write_text("")
    frameworks = {
        "gone": stub_framework.StubFramework(name="gone", packages=("nowhere_at_all",)),
        "there": stub_framework.StubFramework(name="there"),
    }

    assert list(scenario_files([str(path)], frameworks)) == [
        ScenarioFile(path=str(path), framework="there")
    ]
