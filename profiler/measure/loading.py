"""Importing one file of scenarios, in the child that needs it, as its author would run it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import SOURCE_SUFFIXES, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from profiler.errors import ScenarioError, error_text, raised_at
from profiler.frameworks import Framework, StepKind
from profiler.planning.catalog import FileListing, Listing
from profiler.planning.files import ScenarioFile
from profiler.planning.sources import is_of_the_user, source_files, source_hash, taken_names
from profiler.scenario import Scenario, registered, unusable_collected

_USER_PACKAGE = "stepwall_user_scenarios"


class _FromSource(SourceFileLoader):
    """Imports a module of the user's from its source, past Python's cache of compiled files.

    The cache goes by seconds and sizes: a file that was edited twice within a second could be
    measured as it was before, under the hash of what it is now.
    """

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Raise what makes Python neither read nor write the cache."""
        raise OSError(path)


class _Beside:
    """Finds the modules beside a scenario's file, before those that are installed.

    Not in place of ours, of the standard library's or of the framework's.
    """

    def __init__(self, folder: Path, packages: Iterable[str]) -> None:
        self._folder = folder
        self._taken = taken_names(packages)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module in the folder, or of a part of a package there, or None."""
        if path is not None:
            inside = [place for place in path if Path(place).is_relative_to(self._folder)]
            return _from_source(PathFinder.find_spec(name, inside, target)) if inside else None
        if name in self._taken:
            return None
        found = _from_source(PathFinder.find_spec(name, [str(self._folder)], target))
        if found is None or found.has_location:
            return found
        # A folder without code, which may be one of data: what is installed comes first.
        return self._elsewhere(name, target) or found

    def _elsewhere(self, name: str, target: ModuleType | None) -> ModuleSpec | None:
        specs = (one.find_spec(name, None, target) for one in sys.meta_path if one is not self)
        return next((spec for spec in specs if spec is not None), None)


def _from_source(spec: ModuleSpec | None) -> ModuleSpec | None:
    origin = spec.origin if spec is not None and type(spec.loader) is SourceFileLoader else None
    if spec is not None and origin is not None and is_of_the_user(origin):
        spec.loader = _FromSource(spec.name, origin)
    return spec


def load(file: ScenarioFile, framework: Framework, name: str) -> Scenario:
    """Import the file and return its scenario of that name.

    Modules beside it can be imported, also late, from within a scenario's function.

    Raises:
        ScenarioError: if it cannot be imported, or the scenario cannot be used; the message
            names file, line and reason.
    """
    broken = _import(file, framework)
    if name in broken:
        raise ScenarioError(broken[name])
    if name not in registered():
        raise ScenarioError(f"{file.path}: no scenario {name!r} any more")
    return registered()[name]


def listed(file: ScenarioFile, framework: Framework) -> FileListing:
    """Import the file and return what can be said of its scenarios without their code.

    Raises:
        ScenarioError: if it cannot be imported.
    """
    before = set(sys.modules)
    broken = _import(file, framework)
    files = source_files(file, framework.packages)
    files |= _loaded(set(sys.modules) - before, known={file.path, *files.values()}, of=framework)
    digest = source_hash(files)
    return FileListing(
        scenarios=[
            Listing(
                name=item.name,
                family=item.family,
                summary=item.summary,
                parameters=list(item.parameters),
                source=item.source,
                source_hash=digest,
                file=file,
                source_files=files,
                lengths=item.lengths,
                tags=item.tags,
            )
            for item in registered().values()
        ],
        broken=list(broken.values()),
    )


def _loaded(names: Iterable[str], *, known: set[str], of: Framework) -> dict[str, str]:
    """Return the user's modules that were imported under names that no source spells out."""
    mine = _of_the_user(names, of)
    return {name: path for name, path in mine.items() if path not in known}


def own_files(file: ScenarioFile, framework: Framework) -> set[str]:
    """Return the scenario's file, and those of the user's modules that have been imported."""
    return {file.path, *_of_the_user(sys.modules.keys() - {"__main__"}, framework).values()}


def _of_the_user(names: Iterable[str], framework: Framework) -> dict[str, str]:
    """Return those of the imported modules that are the user's, with their files."""
    taken = taken_names(framework.packages)
    files = {name: getattr(sys.modules[name], "__file__", None) for name in names}
    return {
        name: path
        for name, path in files.items()
        if path and name.partition(".")[0] not in taken and is_of_the_user(path)
    }


def _import(file: ScenarioFile, framework: Framework) -> dict[str, str]:
    """Import the file; return the message of each scenario in it that cannot be used."""
    with unusable_collected() as broken:
        try:
            if file.module is not None:
                importlib.import_module(file.module)
            else:
                _import_file(Path(file.path), framework)
        except (Exception, SystemExit) as error:
            where = file.path if file.module is None else f"{file.module} ({file.path})"
            place = raised_at(error, file.path.__eq__) or file.path
            where += place.removeprefix(file.path)
            raise ScenarioError(f"{where}: {error_text(error)}") from error
    return broken


def returned_type(kind: StepKind) -> object:
    """Return the type that scenarios of this kind return."""
    module, _, name = kind.returns.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _import_file(path: Path, framework: Framework) -> None:
    # A name of its own: a file called like a library must not take the library's place.
    name = f"{_USER_PACKAGE}.{path.stem}"
    if path.suffix not in SOURCE_SUFFIXES:
        raise ImportError("not a Python file")
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromSource(name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    sys.meta_path.insert(0, _Beside(path.parent, framework.packages))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
