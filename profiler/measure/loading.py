"""Importing one file of scenarios, in the child that needs it, as its author would run it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from profiler.errors import ScenarioError
from profiler.frameworks import Framework, StepKind
from profiler.measure.outcomes import first_line
from profiler.planning.catalog import Listing
from profiler.planning.files import ScenarioFile
from profiler.scenario import Scenario, forget_all, registered

_OURS = ("profiler", "scenarios", "reports")
_USER_PACKAGE = "stepwall_user_scenarios"
_HASH_DIGITS = 16


class _Beside:
    """Finds the modules beside a scenario's file, before those that are installed.

    Not in place of ours, of the standard library's or of the framework's: some of these are
    imported late, and would be shadowed by a file that happens to have their name.
    """

    def __init__(self, folder: Path, taken: Sequence[str]) -> None:
        self._folder = str(folder)
        self._taken = {*_OURS, *taken, *sys.stdlib_module_names}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a top-level module in the folder, or None."""
        if path is not None or name in self._taken:
            return None
        return PathFinder.find_spec(name, [self._folder], target)


def load(file: ScenarioFile, framework: Framework) -> dict[str, Scenario]:
    """Import the file and return the scenarios that it registers, by name.

    Modules beside it can be imported, also late, from within a scenario's function.

    Raises:
        ScenarioError: if it cannot be imported; the message names file, line and reason.
    """
    forget_all()
    try:
        if file.module is not None:
            importlib.import_module(file.module)
        else:
            _import_file(Path(file.path), framework)
    except (Exception, SystemExit) as error:
        where = file.path if file.module is None else f"{file.module} ({file.path})"
        raise ScenarioError(f"{where}{_line_of(error, file.path)}: {first_line(error)}") from error
    return registered()


def listings(file: ScenarioFile, framework: Framework) -> list[Listing]:
    """Import the file and return what can be said of its scenarios without their code.

    Raises:
        ScenarioError: if it cannot be imported.
    """
    before = set(sys.modules)
    found = load(file, framework).values()
    digest = _digest(Path(file.path), set(sys.modules) - before)
    return [
        Listing(
            name=item.name,
            family=item.family,
            summary=item.summary,
            parameters=list(item.parameters),
            source=item.source,
            source_hash=digest,
            file=file,
        )
        for item in found
    ]


def returned_type(kind: StepKind) -> object:
    """Return the type that scenarios of this kind return."""
    module, _, name = kind.returns.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _import_file(path: Path, framework: Framework) -> None:
    # A name of its own: a file called like a library must not take the library's place.
    name = f"{_USER_PACKAGE}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    sys.meta_path.insert(0, _Beside(path.parent, framework.packages))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _line_of(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError) and error.filename == path:
        return f":{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f":{lines[-1]}" if lines else ""


def _digest(path: Path, loaded: set[str]) -> str:
    """Return a hash of the file and of the modules in or below its folder that it imported."""
    installed = tuple(sysconfig.get_paths().values())
    files = {path}
    for name in loaded:
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin and Path(origin).is_relative_to(path.parent) and not origin.startswith(installed):
            files.add(Path(origin))
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:_HASH_DIGITS]
