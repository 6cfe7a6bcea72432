"""The files that a new scenario begins with: templates that frameworks bring along."""

from __future__ import annotations

import importlib.util
import keyword
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from profiler.errors import UsageError
from profiler.frameworks import Framework, lacking
from profiler.planning.sources import taken_names

# Beside the module of a framework's object; each file in it is a kind of scenario.
_FOLDER = "templates"
_TEST = "test_scenario"
_FIRST_CHOICE = "graph"
# What the scenario of a template is called.
_NAME = "my_model"


def templates(frameworks: Mapping[str, Framework]) -> dict[str, Path]:
    """Return the template of each kind of scenario, the first framework's first."""
    found: dict[str, Path] = {}
    for one in frameworks.values():
        for path in _files(one):
            found.setdefault(path.stem, path)
    return found


def framework_of(kind: str, frameworks: Mapping[str, Framework]) -> Framework:
    """Return the framework that brings the template of a kind."""
    return next(one for one in frameworks.values() if kind in {path.stem for path in _files(one)})


def default_kind(frameworks: Mapping[str, Framework]) -> str:
    """Return the first kind whose framework can be used here; a first choice where none can."""
    usable = [one for one in frameworks.values() if lacking(one) is None]
    kinds = [path.stem for one in usable for path in _files(one)]
    return _FIRST_CHOICE if _FIRST_CHOICE in kinds or not kinds else kinds[0]


def _files(framework: Framework) -> list[Path]:
    module = Path(sys.modules[type(framework).__module__].__file__ or "")
    files = sorted((module.parent / _FOLDER).glob("*.py"))
    return [path for path in files if path.stem not in {"__init__", _TEST}]


def filled(template: Path, name: str) -> dict[str, str]:
    """Return the files of a scenario of that name, by file name: itself and its test.

    Args:
        template: one of ``templates``.
        name: the scenario's, checked.
    """
    test = template.with_stem(_TEST)
    written = {f"{name}.py": template, f"test_{name}.py": test}
    return {
        file: path.read_text(encoding="utf-8").replace(_NAME, name)
        for file, path in written.items()
    }


def check_name(name: str, packages: Iterable[str]) -> None:
    """Check that a scenario and its file may be called so.

    Args:
        name: the new scenario's.
        packages: the top-level modules of all frameworks.

    Raises:
        UsageError: if not; it says why.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} is not a Python name: use letters, digits and '_', such as my_rnn"
        )
    if name.startswith("test_"):
        raise UsageError(f"{name!r}: pytest would take {name}.py for a file of tests")
    if name in taken_names(packages) or importlib.util.find_spec(name) is not None:
        raise UsageError(
            f"{name!r}: a module of that name is installed, and {name}.py would hide it"
        )
