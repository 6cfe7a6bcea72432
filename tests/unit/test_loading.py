"""One file is imported as its author would run it; what breaks names file, line and reason."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stub_framework

from profiler.errors import ScenarioError
from profiler.measure.loading import listed, load, own_files, returned_type
from profiler.parameters import Parameter
from profiler.planning.files import ScenarioFile

GOOD = '''\
from typing import Literal

from profiler import scenario
from stub_framework import Practice


@scenario
def toy(steps: int, *, batch: int = 32, cell: Literal["a", "b"] = "a") -> Practice:
    """Build a toy."""
    return Practice(size=steps * batch)
'''
FRAMEWORK = stub_framework.FRAMEWORK


@pytest.fixture(autouse=True)
def _child() -> Iterator[None]:
    """Undo what the import changed: in the product a child imports one file and ends."""
    path, modules, finders = list(sys.path), dict(sys.modules), list(sys.meta_path)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)


def _file(folder: Path, text: str = GOOD, name: str = "toy_file.py") -> ScenarioFile:
    path = folder / name
    path.write_text(text)
    return ScenarioFile(path=str(path), framework=FRAMEWORK.name)


def _names(file: ScenarioFile) -> list[str]:
    return [one.name for one in listed(file, FRAMEWORK).scenarios]


def _message(file: ScenarioFile) -> str:
    with pytest.raises(ScenarioError) as caught:
        listed(file, FRAMEWORK)
    return str(caught.value)


class TestImport:
    """What a file gives."""

    def test_a_file_that_uses_the_decorator_gives_its_scenario(self, tmp_path: Path) -> None:
        """With its function, and the type that it returns."""
        toy = load(_file(tmp_path), FRAMEWORK, "toy")

        assert (toy.family, toy.summary) == ("toy_file", "Build a toy.")
        assert toy.build(3, batch=2) == stub_framework.Practice(size=6)
        assert toy.returns is returned_type(FRAMEWORK.kinds[0]) is stub_framework.Practice

    def test_loading_begins_with_an_empty_registry(self, tmp_path: Path) -> None:
        """What another file registered is not this one's."""
        _names(_file(tmp_path))
        other = _file(tmp_path, GOOD.replace("def toy", "def other"), "other.py")

        assert _names(other) == ["other"]

    def test_installed_code_is_imported_by_its_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may import its neighbours relatively."""
        package = tmp_path / "acme_loading"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "helper.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path))
        file = _file(package, "from . import helper\n" + GOOD)
        module = "acme_loading.toy_file"

        assert _names(ScenarioFile(path=file.path, framework=FRAMEWORK.name, module=module)) == [
            "toy"
        ]

    def test_a_listing_says_all_but_the_code(self, tmp_path: Path) -> None:
        """So that the parent need not import the file."""
        file = _file(tmp_path)
        (found,) = listed(file, FRAMEWORK).scenarios

        assert (found.name, found.family, found.summary) == ("toy", "toy_file", "Build a toy.")
        assert found.parameters == [
            Parameter(name="batch", type="int", default=32),
            Parameter(name="cell", type="str", default="a", choices=("a", "b")),
        ]
        assert (found.source, found.file) == (f"{file.path}:7", file)


class TestHelpers:
    """Modules beside the file."""

    def test_they_are_imported_as_a_script_would(self, tmp_path: Path) -> None:
        """Packages too; Python's path stays what it was."""
        (tmp_path / "helper_beside.py").write_text("SIZE = 7\n")
        (tmp_path / "helper_package").mkdir()
        (tmp_path / "helper_package" / "__init__.py").write_text("")
        (tmp_path / "helper_package" / "part.py").write_text("from helper_beside import SIZE\n")
        before = list(sys.path)
        text = "from helper_package.part import SIZE\nassert SIZE == 7\n" + GOOD

        assert _names(_file(tmp_path, text)) == ["toy"]
        assert sys.path == before

    def test_they_can_be_imported_late(self, tmp_path: Path) -> None:
        """From within the scenario's function, when the import is long over."""
        (tmp_path / "helper_late.py").write_text("SIZE = 7\n")
        text = GOOD.replace(
            "    return Practice(size=steps * batch)",
            "    import helper_late\n    return Practice(size=helper_late.SIZE)",
        )
        toy = load(_file(tmp_path, text), FRAMEWORK, "toy")

        assert toy.build(3) == stub_framework.Practice(size=7)

    @pytest.mark.parametrize("name", ["json", "colorsys", "profiler", "numpy", "scenarios"])
    def test_one_named_like_a_library_shadows_nothing(self, tmp_path: Path, name: str) -> None:
        """Python's, ours and the framework's are imported late in places: all must stay."""
        for known in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
            if name in {"json", "colorsys"}:
                del sys.modules[known]
        (tmp_path / f"{name}.py").write_text("raise ImportError('of the user')\n")
        text = f"import {name}\n" + GOOD

        assert _names(_file(tmp_path, text)) == ["toy"]

    def test_one_named_like_another_installed_module_is_the_users(self, tmp_path: Path) -> None:
        """As for a script: it is imported before what is installed."""
        sys.modules.pop("this_is_installed", None)
        installed, beside = tmp_path / "installed", tmp_path / "beside"
        for folder in (installed, beside):
            folder.mkdir()
            (folder / "this_is_installed.py").write_text(f"PLACE = {folder.name!r}\n")
        sys.path.insert(0, str(installed))
        text = "import this_is_installed\nassert this_is_installed.PLACE == 'beside'\n" + GOOD

        assert _names(_file(beside, text)) == ["toy"]

    def test_a_scenario_file_named_like_a_library_replaces_none(self, tmp_path: Path) -> None:
        """Who imports colorsys gets Python's."""
        import colorsys

        found = load(_file(tmp_path, name="colorsys.py"), FRAMEWORK, "toy")

        assert found.family == "colorsys"
        assert sys.modules["colorsys"] is colorsys

    def test_own_files_are_the_scenario_s_and_the_users_modules(self, tmp_path: Path) -> None:
        """Not Python's, ours, or what is installed."""
        beside = tmp_path / "my_helper_module.py"
        beside.write_text("import json, click, profiler\n")
        file = _file(tmp_path, "import my_helper_module\n" + GOOD)
        load(file, FRAMEWORK, "toy")
        own = own_files(file, FRAMEWORK)

        assert {file.path, str(beside)} <= own
        assert not any("site-packages" in path or path.endswith("json/__init__.py") for path in own)


class TestErrors:
    """What is wrong, and where."""

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("x = 1\n\ndef f(:\n", ":3: SyntaxError: "),
            ("import json\n\n\njson.loads('{')\n", ":4: JSONDecodeError: "),
            ("import sys\n\nsys.exit(3)\n", ":3: SystemExit: 3"),
            ("import no_such_module\n", ":1: ModuleNotFoundError: No module named 'no_such_m"),
        ],
    )
    def test_the_line_is_the_files_own(self, tmp_path: Path, text: str, where: str) -> None:
        """Even where a library raised."""
        file = _file(tmp_path, text)

        assert _message(file).startswith(f"{file.path}{where}")

    def test_a_scenario_that_cannot_be_used_is_named_and_the_others_stay(
        self, tmp_path: Path
    ) -> None:
        """With its line, for a wrong signature as for a wrong option."""
        text = GOOD + (
            "\n\n@scenario\ndef odd(length: str):\n    pass\n"
            "\n\n@scenario(multiple_of=0)\ndef none(steps: int):\n    pass\n"
        )
        file = _file(tmp_path, text)
        found = listed(file, FRAMEWORK)

        assert _names(file) == ["toy"]
        assert found.broken == [
            (
                f"{file.path}:13: scenario 'odd': its first argument must be what is swept, "
                "such as 'steps: int' or 'units: int'"
            ),
            (
                f"{file.path}:18: scenario 'none': multiple_of must be a whole number of 1 or "
                "more, not 0"
            ),
        ]
        with pytest.raises(ScenarioError, match="13: scenario 'odd': its first argument"):
            load(file, FRAMEWORK, "odd")

    def test_a_name_that_is_taken_names_both_places(self, tmp_path: Path) -> None:
        """Of one file: the first stays."""
        file = _file(tmp_path, GOOD + "\n\n" + GOOD.partition("\n\n\n")[2])
        found = listed(file, FRAMEWORK)

        assert found.broken == [
            f"{file.path}:13: scenario 'toy' is defined twice: {file.path}:7, {file.path}:13"
        ]
        assert _names(file) == ["toy"]

    def test_a_syntax_error_in_a_helper_names_the_line_that_imports_it(
        self, tmp_path: Path
    ) -> None:
        """The helper's line is in the reason."""
        (tmp_path / "helper_broken.py").write_text("\n\n\n\n\n\ndef f(:\n")
        file = _file(tmp_path, "x = 1\nimport helper_broken\n")

        assert _message(file).startswith(f"{file.path}:2: SyntaxError: ")
        assert "helper_broken.py, line 7" in _message(file)

    def test_a_file_that_is_no_python_is_named(self, tmp_path: Path) -> None:
        """Whatever it holds."""
        file = _file(tmp_path, "buy milk", "notes.txt")

        assert _message(file) == f"{file.path}: ImportError: not a Python file"

    def test_a_plug_in_is_named_by_its_module_and_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The user did not write the path."""
        monkeypatch.syspath_prepend(str(tmp_path))
        file = _file(tmp_path, "\nraise ValueError('no')\n", "acme_broken.py")
        plug_in = ScenarioFile(path=file.path, framework=FRAMEWORK.name, module="acme_broken")

        assert _message(plug_in) == f"acme_broken ({file.path}):2: ValueError: no"


class TestHash:
    """A stored point knows its source."""

    def _hash(self, file: ScenarioFile) -> str:
        for name in [one for one in sys.modules if one.startswith("helper_")]:
            del sys.modules[name]
        sys.meta_path[:] = [one for one in sys.meta_path if type(one).__name__ != "_Beside"]
        (found,) = listed(file, FRAMEWORK).scenarios
        return found.source_hash

    def test_equal_sources_have_equal_hashes(self, tmp_path: Path) -> None:
        """Wherever they lie."""
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()

        assert len({self._hash(_file(folder)) for folder in folders}) == 1

    def test_it_changes_with_the_file(self, tmp_path: Path) -> None:
        """By a comment, too: nobody can say what has no effect."""
        before = self._hash(_file(tmp_path))

        assert self._hash(_file(tmp_path, GOOD + "# changed\n")) != before

    def test_it_changes_with_a_helper_that_is_imported(self, tmp_path: Path) -> None:
        """And not with one that is not."""
        helper, other = (tmp_path / f"helper_{name}.py" for name in ("used", "unused"))
        file = _file(tmp_path, "import helper_used\n" + GOOD)
        found = []
        for used, unused in (("", ""), ("", "x = 1\n"), ("xyz = 1\n", "x = 1\n")):
            helper.write_text(used)
            other.write_text(unused)
            found.append(self._hash(file))

        assert found[0] == found[1] != found[2]

    def test_an_edit_within_a_second_is_seen(self, tmp_path: Path) -> None:
        """Python's cache of compiled files goes by seconds and sizes; ours must not lie."""
        helper = tmp_path / "helper_quick.py"
        file = _file(tmp_path, "import helper_quick\n" + GOOD.replace("= 32", "= helper_quick.N"))
        found = []
        for number in (32, 64):
            helper.write_text(f"N = {number}\n")
            os.utime(helper, (1_000_000_000, 1_000_000_000))
            sys.modules.pop("helper_quick", None)
            (listing,) = listed(file, FRAMEWORK).scenarios
            found.append((listing.parameters[0].default, listing.source_hash))

        assert [default for default, _ in found] == [32, 64]
        assert found[0][1] != found[1][1]
        assert not (tmp_path / "__pycache__").exists()

    def test_a_folder_of_data_beside_the_file_shadows_no_package(self, tmp_path: Path) -> None:
        """Python takes a folder without code for a package, but only where there is no other."""
        sys.modules.pop("this_is_installed", None)
        installed = tmp_path / "installed"
        installed.mkdir()
        (installed / "this_is_installed.py").write_text("PLACE = 7\n")
        (tmp_path / "this_is_installed").mkdir()
        sys.path.append(str(installed))
        text = "import this_is_installed\nassert this_is_installed.PLACE == 7\n" + GOOD

        assert _names(_file(tmp_path, text)) == ["toy"]
