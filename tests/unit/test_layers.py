"""The floors of the house: imports go down only, and start-up pays for no framework."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("profiler", "scenarios", "reports")
# Rooms on one floor do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("profiler.errors", "profiler.endings", "profiler.closing", "profiler.lengths"),
    (
        "profiler.units",
        "profiler.parameters",
        "profiler.filelock",
        "profiler.plain_text",
        "profiler.paths",
    ),
    ("profiler.facts", "profiler.scenario"),
    ("profiler.limits", "profiler.explain", "profiler.forecast", "scenarios"),
    ("profiler.frameworks", "profiler.store"),
    ("profiler.planning",),
    ("profiler.analysis", "profiler.measure"),
    ("reports",),
    ("profiler.cli",),
    ("profiler.pytest_plugin", "profiler.__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = ("tensorflow", "tf_keras", "keras", "matplotlib", "pandas", "scipy")
LIGHT = (
    "profiler.pytest_plugin",
    "profiler.cli",
    "profiler",
    "profiler.measure.client",
    "profiler.store.runs",
    "profiler.planning.catalog",
    "profiler.frameworks.tensorflow",
    "profiler.cli.opening",
    "profiler.forecast.certificate",
    "reports",
)
FRAMEWORKS = {"tensorflow", "tf_keras", "keras", "torch", "jax"}
# A framework, or what only one has: its optimizer, its allocator, its functions.
NAMES = re.compile(
    r"tensor ?flow|keras|grappler|\bbfc\b|torch|\bjax\b|\bTF_|dynamic_rnn|\btf\b", re.IGNORECASE
)


def _files(*packages: str) -> list[Path]:
    return [path for name in packages for path in sorted((ROOT / name).rglob("*.py"))]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _texts() -> Iterator[Path]:
    """Yield what the core is made of: code, templates and its own part of the docs."""
    for path in [*_files("profiler", "reports"), *sorted(ROOT.glob("reports/**/*.html"))]:
        if not re.match("profiler/frameworks/[a-z]+/", str(path.relative_to(ROOT))):
            yield path
    yield ROOT / "docs" / "methodology.md"


MODULES = {_module(path): path for path in _files(*PACKAGES)}


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return every module that a file imports, wherever in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name if name in MODULES else node.module for name in names]
    return tuple(found)


def _room(module: str) -> str | None:
    """Return the room of a module; None for the package itself, which users import from."""
    parts = module.split(".")
    return next((name for name in (parts[0], ".".join(parts[:2])) if name in FLOOR_OF), None)


def _arrows() -> set[tuple[str, str]]:
    """Return the imports within the product, module to module."""
    return {
        (module, name)
        for module, path in MODULES.items()
        for name in _imports(path)
        if name.partition(".")[0] in PACKAGES
    }


def _importers(tops: set[str]) -> set[str]:
    """Return the files of the product that import one of these top-level modules."""
    return {
        str(path.relative_to(ROOT))
        for path in _files(*PACKAGES)
        if any(module.partition(".")[0] in tops for module in _imports(path))
    }


def test_every_module_has_a_floor() -> None:
    """A new room is put on a floor here, or into another room."""
    assert [m for m in MODULES if _room(m) is None] == ["profiler"]


def test_imports_go_down_only() -> None:
    """From a room to a lower floor, or within the room."""
    rooms = {(_room(one), _room(other)) for one, other in _arrows()}
    between = {(a, b) for a, b in rooms if a and b and a != b}

    assert {(a, b) for a, b in between if FLOOR_OF[a] <= FLOOR_OF[b]} == set()


def test_no_circle() -> None:
    """Not between single modules, either; imports for types count."""
    arrows: dict[str, set[str]] = {}
    for one, other in _arrows():
        if other not in {"profiler", one} and not one.startswith(f"{other}."):
            arrows.setdefault(one, set()).add(other)
    left = set(arrows)
    while free := {one for one in left if not arrows[one] & left}:
        left -= free

    assert left == set()


def test_importing_light_modules_imports_nothing_heavy() -> None:
    """Frameworks, plots and frames come only when used; the first module that breaks is named."""
    code = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module(module)
    found = [name for name in {HEAVY} if name in sys.modules]
    assert not found, (module, found)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""


def test_only_a_framework_s_folder_and_scenarios_import_it() -> None:
    """A second framework is a second folder, not a branch in the core."""
    importers = {path for path in _importers(FRAMEWORKS) if not path.startswith("scenarios/")}

    assert importers
    assert all(re.match("profiler/frameworks/[a-z]+/", path) for path in importers)


@pytest.mark.parametrize("path", [*_texts()], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_names_no_framework(path: Path) -> None:
    """Names, devices, phases, caveats and advice reach the core and its texts as data."""
    lines = path.read_text().splitlines()

    assert [line for line in lines if NAMES.search(line)] == []


def test_only_the_plots_import_matplotlib() -> None:
    """Whoever draws elsewhere finds this test."""
    assert {path.rpartition("/")[0] for path in _importers({"matplotlib"})} == {"reports/plots"}


@pytest.mark.parametrize("path", _files("scenarios"), ids=lambda path: path.stem)
def test_scenarios_import_what_a_user_would(path: Path) -> None:
    """The decorator and the return type, nothing else of the profiler."""
    used = {name for name in _imports(path) if name.partition(".")[0] in {"profiler", "reports"}}

    assert used <= {"profiler", "profiler.scenario"}


def test_reports_import_results_and_never_measure() -> None:
    """Of the profiler they see facts, analysis, stored results, and how users write things."""
    used = {other for one, other in _arrows() if one.startswith("reports")}
    rooms = {_room(other) for other in used}

    assert rooms <= {
        "reports",
        "profiler.analysis",
        "profiler.errors",
        "profiler.facts",
        "profiler.lengths",
        "profiler.parameters",
        "profiler.paths",
        "profiler.plain_text",
        "profiler.store",
    }


PURE = ("profiler.facts", "profiler.explain", "profiler.forecast", "profiler.analysis")


@pytest.mark.parametrize(
    "path",
    [path for module, path in MODULES.items() if module.startswith(PURE)],
    ids=_module,
)
def test_pure_modules_start_no_process_and_print_nothing(path: Path) -> None:
    """They work on plain data, so that their tests need nothing."""
    tree = ast.parse(path.read_text())
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert not called & {"print", "open", "input", "exec", "eval"}
    assert not set(_imports(path)) & {"subprocess", "socket", "multiprocessing"}
