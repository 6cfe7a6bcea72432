"""A scenario's source: its file and the user's modules that it imports, wherever in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.planning.files import ScenarioFile
from profiler.planning.sources import source_files, source_hash

PACKAGES = ("sampleflow",)


def written(folder: Path, **texts: str) -> ScenarioFile:
    """Write modules into a folder (``a.b`` is ``a/b.py``); return the one that is called main."""
    for name, text in {"main": "", **texts}.items():
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ScenarioFile(path=str(folder / "main.py"), framework="sampleflow")


def found(file: ScenarioFile) -> set[str]:
    """Return the names of the file's modules but its own."""
    return set(source_files(file, PACKAGES)) - {"main.py"}


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import helper", {"helper"}),
        ("import helper as h, other", {"helper", "other"}),
        ("from helper import x", {"helper"}),
        ("from helper import *", {"helper"}),
        ("def build(steps):\n    from helper import x\n", {"helper"}),
        ("class A:\n    def f(self):\n        import helper\n", {"helper"}),
        ("try:\n    import helper\nexcept ImportError:\n    import other\n", {"helper", "other"}),
        ("import importlib\nm = importlib.import_module('helper')", {"helper"}),
        ("m = __import__('helper')", {"helper"}),
        ("import json, numpy, sampleflow, profiler, missing", set()),
        ("from . import helper", set()),
        ("import helper as", set()),
    ],
)
def test_an_import_counts_wherever_it_stands(tmp_path: Path, text: str, modules: set[str]) -> None:
    """Not those of Python, of the framework, of stepwall or of installed packages."""
    names = ("helper", "other", "json", "sampleflow", "profiler", "unused")

    assert found(written(tmp_path, **dict.fromkeys(names, ""), main=text)) == modules


def test_what_a_helper_imports_counts_too(tmp_path: Path) -> None:
    """Through packages and relative imports, and once around a circle."""
    texts = {
        "main": "from nets.deep.cells import cell",
        "nets.__init__": "",
        "nets.deep.__init__": "from . import parts",
        "nets.deep.cells": "from ..shapes import SIZE\nimport late\n",
        "nets.deep.parts": "import main",
        "nets.shapes": "import nets",
        "nets.unused": "",
        "late": "",
    }
    file = written(tmp_path, **texts)

    assert found(file) == {
        "nets",
        "nets.deep",
        "nets.deep.cells",
        "nets.deep.parts",
        "nets.shapes",
        "late",
        "main",
    }


def test_a_package_without_init_is_followed(tmp_path: Path) -> None:
    """As Python does."""
    texts = {"main": "import plain.sub.part", "plain.sub.part": "", "plain.other": ""}
    file = written(tmp_path, **texts)

    assert found(file) == {"plain.sub.part"}


def test_a_user_s_module_elsewhere_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on PYTHONPATH or installed for editing; what lies in site-packages does not."""
    for place in ("lib", "site-packages"):
        written(tmp_path / place, **{f"from_{place[:3]}": ""})
        monkeypatch.syspath_prepend(str(tmp_path / place))
    file = written(tmp_path / "beside", main="import from_lib, from_sit")

    assert found(file) == {"from_lib"}


def test_an_installed_file_has_its_own_package(tmp_path: Path) -> None:
    """Though that is installed: it is what the scenario is made from."""
    texts = {
        "acme.__init__": "",
        "acme.main": "from .cells import x\nfrom acme import shapes\nimport other",
        "acme.cells": "",
        "acme.shapes": "",
        "other": "",
    }
    written(tmp_path / "site-packages", **texts)
    path = tmp_path / "site-packages" / "acme" / "main.py"
    file = ScenarioFile(path=str(path), framework="sampleflow", module="acme.main")

    assert set(source_files(file, PACKAGES)) == {"acme", "acme.main", "acme.cells", "acme.shapes"}


def test_the_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    """Not of places: a copied folder is the same source."""
    texts = {"main": "import helper", "helper": "UNITS = 64"}
    one, two = (written(tmp_path / name, **texts) for name in ("one", "two"))
    other = written(tmp_path / "other", **{**texts, "helper": "UNITS = 65"})
    hashes = [source_hash(source_files(file, PACKAGES)) for file in (one, two, other)]

    assert hashes[0] == hashes[1] != hashes[2]


def test_same_named_helpers_of_two_folders_are_two(tmp_path: Path) -> None:
    """Each file has the one beside it."""
    files = [written(tmp_path / name, main="import helper", helper=name) for name in ("a", "b")]

    assert [source_files(file, PACKAGES)["helper"] for file in files] == [
        str(tmp_path / name / "helper.py") for name in ("a", "b")
    ]
