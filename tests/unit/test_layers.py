"""The arrows between the layers point one way, and start-up pays for no framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("profiler", "scenarios", "reports")
HEAVY = ("tensorflow", "tf_keras", "keras", "matplotlib", "pandas", "scipy")
LIGHT = (
    "profiler.pytest_plugin",
    "profiler.cli",
    "profiler",
    "profiler.session",
    "profiler.store",
    "profiler.discovery",
    "profiler.wall",
    "reports",
)
FRAMEWORKS = {"tensorflow", "tf_keras", "keras"}


def _files(*packages: str) -> list[Path]:
    return [path for name in packages for path in sorted((ROOT / name).rglob("*.py"))]


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield ``(module, name)`` for every import in a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def _importers(tops: set[str]) -> set[str]:
    """Return the files of the product that import one of these top-level modules."""
    return {
        str(path.relative_to(ROOT))
        for path in _files(*PACKAGES)
        if any(module.partition(".")[0] in tops for module, _ in _imports(path))
    }


@pytest.mark.parametrize("module", LIGHT)
def test_importing_a_light_module_imports_nothing_heavy(module: str) -> None:
    """A fresh interpreter tells: frameworks, plots and frames come only when used."""
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.stdout.split() == []


def test_only_engines_and_scenarios_import_a_framework() -> None:
    """A second framework is a second module, not a branch in the core."""
    importers = _importers(FRAMEWORKS)

    assert importers
    assert {path for path in importers if not path.startswith("scenarios/")} == {
        path for path in importers if path.startswith("profiler/engines/")
    }


def test_only_the_plots_import_matplotlib() -> None:
    """Whoever draws elsewhere finds this test."""
    assert _importers({"matplotlib"}) == {
        "reports/law_plots.py",
        "reports/pareto_plots.py",
        "reports/plots.py",
        "reports/stack_plots.py",
    }


@pytest.mark.parametrize("path", _files("scenarios"), ids=lambda path: path.stem)
def test_scenarios_import_what_a_user_would(path: Path) -> None:
    """The decorator and the return type, nothing else of the profiler."""
    used = {pair for pair in _imports(path) if pair[0].partition(".")[0] in {"profiler", "reports"}}

    assert used <= {("profiler", "Training"), ("profiler", "scenario")}


def test_reports_import_results_and_never_measure() -> None:
    """Of the profiler they see facts, frames and errors."""
    used = {
        module
        for path in _files("reports")
        for module, _ in _imports(path)
        if module.partition(".")[0] in {"profiler", "scenarios"}
    }

    assert used <= {
        "profiler.budgets",
        "profiler.choices",
        "profiler.comparison",
        "profiler.contests",
        "profiler.curves",
        "profiler.errors",
        "profiler.explain.facts",
        "profiler.frames",
        "profiler.law_fits",
        "profiler.laws",
        "profiler.metrics",
        "profiler.prediction",
        "profiler.registry",
        "profiler.results",
        "profiler.zones",
    }


def test_results_import_the_standard_library_and_values_only() -> None:
    """Facts outlive the tools that made and read them."""
    files = (ROOT / "profiler" / "results.py", ROOT / "profiler" / "explain" / "facts.py")
    tops = {module for path in files for module, _ in _imports(path)}
    outside = {name for name in tops if name.partition(".")[0] not in sys.stdlib_module_names}

    assert outside == {"profiler.registry", "profiler.explain.facts"}


def test_the_core_knows_neither_reports_nor_the_command_line() -> None:
    """The command line sees all, as does the pytest plugin; nobody sees the command line."""
    used = {
        str(path.relative_to(ROOT)): module
        for path in _files("profiler")
        for module, _ in _imports(path)
        if "cli" not in path.parts and path.name != "pytest_plugin.py"
        if module.startswith(("reports", "profiler.cli"))
    }

    assert used == {}


@pytest.mark.parametrize(
    "name",
    [
        *("search", "outcome", "units", "registry", "results", "laws", "law_fits", "curves"),
        *("metrics", "prediction", "comparison", "comparing", "noise", "wall_changes"),
        *("budgets", "budget_tables", "budget_verdicts", "zones", "contests", "choices"),
    ],
)
def test_pure_modules_start_no_process_and_print_nothing(name: str) -> None:
    """They work on plain data, so that their tests need nothing."""
    path = ROOT / "profiler" / f"{name}.py"
    tree = ast.parse(path.read_text())
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert not called & {"print", "open", "input", "exec", "eval"}
    assert not {module for module, _ in _imports(path)} & {
        "subprocess",
        "socket",
        "multiprocessing",
    }
