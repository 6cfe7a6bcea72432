"""Finding scenarios: the shipped ones, a user's files and folders, and installed plug-ins.

This imports scenario modules, and with them the framework: it runs in children only.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from profiler.errors import did_you_mean
from profiler.facts import from_json, to_json
from profiler.measure.outcomes import first_line
from profiler.scenario import Parameter, ParameterValue, Scenario, forget_all, registered, restore
from profiler.scenario import settings as settings_of

ENTRY_POINT_GROUP = "stepwall.scenarios"
SHIPPED = "scenarios"
_USER_PACKAGE = "stepwall_user_scenarios_"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What can be said of a scenario without its code."""

    name: str
    family: str
    summary: str
    parameters: list[Parameter]
    source: str

    def settings(self, overrides: dict[str, str]) -> dict[str, ParameterValue]:
        """Return every parameter's value, the defaults overridden by ``name -> text``.

        Raises:
            UsageError: for a parameter it lacks, or a value that does not fit.
        """
        return settings_of(self.name, self.parameters, overrides)


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The scenarios found, by name, and one line for each file that could not be used."""

    scenarios: dict[str, Scenario]
    broken: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return the listings and the broken files as JSON."""
        return {
            "scenarios": [
                {
                    "name": item.name,
                    "family": item.family,
                    "summary": item.summary,
                    "parameters": [to_json(parameter) for parameter in item.parameters],
                    "source": item.source,
                }
                for item in self.scenarios.values()
            ],
            "broken": self.broken,
        }


def listings(catalog: dict[str, Any]) -> dict[str, Listing]:
    """Return the listings of a catalog's JSON, by name."""
    found = [from_json(Listing, item) for item in catalog["scenarios"]]
    return {listing.name: listing for listing in found}


def discover(sources: Iterable[str]) -> Catalog:
    """Import every scenario module and return what it registered.

    Args:
        sources: the user's files and folders (of ``*.py`` files), beside the shipped
            scenarios and the installed plug-ins.
    """
    forget_all()
    broken: list[str] = []
    _collect(SHIPPED, _import_shipped, broken)
    for plugin in entry_points(group=ENTRY_POINT_GROUP):
        _collect(f"plug-in {plugin.name} ({plugin.value})", plugin.load, broken)
    installed = registered()
    forget_all()
    for source in sources:
        _import_source(Path(source), broken)
    # A user's scenario takes the place of an installed one of its name.
    return Catalog(scenarios={**installed, **registered()}, broken=broken)


def _import_shipped() -> None:
    package = importlib.import_module(SHIPPED)
    for name in package.__all__:
        module = importlib.import_module(f"{SHIPPED}.{name}")
        if not any(item.family == name for item in registered().values()):
            importlib.reload(module)  # a second discovery in one process


def _import_source(source: Path, broken: list[str]) -> None:
    if source.is_dir():
        files = sorted(file for file in source.glob("*.py") if file.name != "__init__.py")
        found = [_import_file(file, broken) for file in files]
        if not files or not (any(found) or broken):
            broken.append(f"{source}: no scenario in the *.py files of this folder")
    elif not source.is_file():
        broken.append(f"{source}: no such file or folder")
    elif _import_file(source, broken) == 0:
        broken.append(f"{source}: no scenario in it (decorate a function with @scenario)")


def _import_file(path: Path, broken: list[str]) -> int | None:
    """Import one file; return how many scenarios it added, None if it failed and added none."""
    before = registered()

    def load() -> None:
        # A name of its own: a file called like a library must not take the library's place.
        name = f"{_USER_PACKAGE}{len(sys.modules)}.{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path.resolve())
        if spec is None or spec.loader is None:
            raise ImportError("not a Python file")
        module = importlib.util.module_from_spec(spec)
        # The file's own folder first, as Python does for a script, so that helpers import.
        folder = str(path.resolve().parent)
        sys.path.insert(0, folder)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        finally:
            with contextlib.suppress(ValueError):  # the file may have changed the path itself
                sys.path.remove(folder)

    if _collect(str(path), load, broken):
        return len(registered()) - len(before)
    restore(before)
    return None


def _collect(what: str, load: Callable[[], Any], broken: list[str]) -> bool:
    try:
        load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (it must not take the others down)
        broken.append(f"{what}{_line_of(error, what)}: {first_line(error)}")
        return False
    return True


def _line_of(error: BaseException, path: str) -> str:
    resolved = str(Path(path).resolve())
    if isinstance(error, SyntaxError) and error.filename == resolved:
        return f":{error.lineno}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == resolved]
    return f":{lines[-1]}" if lines else ""


def unknown_scenario(name: str, known: Iterable[str]) -> str:
    """Return the message for a scenario that does not exist."""
    return f"no scenario {name!r}{did_you_mean(name, known)}; 'stepwall list' shows all"
