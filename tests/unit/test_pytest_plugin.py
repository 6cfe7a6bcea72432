"""The pytest plugin costs nothing where it is not used, and tells mistakes in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MISTAKES = {
    "key": ('"a", peek="1MiB"', "stepwall_budget: marker 1: no key 'peek' (did you mean 'peak'?)"),
    "value": ('"a", peak="1"', "stepwall_budget: marker 1: peak = '1': size '1': write a number"),
    "nothing": ('"a"', "stepwall_budget: marker 1: no limit: use one of peak"),
    "nobody": ("nodes=1", "stepwall_budget: marker 1: scenario is missing"),
    "two": ('"a", "b", nodes=1', "stepwall_budget: one scenario, not 2: ('a', 'b')"),
    "path": ('"a", scenarios=3, nodes=1', "marker 1: scenarios = 3: write one or more paths"),
    "file": ('"a", scenarios="no.py", nodes=1', "no.py': no such file or folder"),
}


def _run(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file with this text, away from this repository's configuration."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [*command, "--strict-markers", "-q", *options],
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what pytest prints of tests whose markers are all mistaken."""
    tests = "\n".join(
        f"@pytest.mark.stepwall_budget({arguments})\ndef test_{name}(): pass\n"
        for name, (arguments, _) in MISTAKES.items()
    )
    fixture = "def test_fixture(stepwall_run): pass\n"
    folder = tmp_path_factory.mktemp("mistakes")
    return _run(folder, f"import pytest\n\n{tests}\n{fixture}").stdout


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistaken_marker_fails_its_test_in_a_line(told: str, name: str) -> None:
    """It says what is allowed."""
    assert MISTAKES[name][1] in told


def test_mistakes_show_no_traceback_and_pass_no_test(told: str) -> None:
    """The fixture, which needs a marker, fails while it is set up."""
    assert f"{len(MISTAKES)} failed, 1 error" in told
    assert "stepwall_run: the test has no marker stepwall_budget" in told
    assert "Traceback" not in told
    assert "pytest_plugin.py" not in told


def test_pytest_without_budgets_imports_nothing_for_them(tmp_path: Path) -> None:
    """Neither what measures nor what it needs."""
    text = """
import sys

HEAVY = (
    *("numpy", "pandas", "scipy", "rich", "tensorflow"),
    *("profiler.measure.client", "profiler.analysis.budgets.budget"),
)


def test_it(request):
    assert request.config.pluginmanager.has_plugin("stepwall")
    assert [name for name in HEAVY if name in sys.modules] == []
"""
    done = _run(tmp_path, text)

    assert "1 passed" in done.stdout, done.stdout


def test_the_marker_is_registered(tmp_path: Path) -> None:
    """With what it takes."""
    done = _run(tmp_path, "", "--markers")

    assert "@pytest.mark.stepwall_budget(scenario, scenarios=None, **limits)" in done.stdout
