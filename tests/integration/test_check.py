"""A scenario that was made worse breaks the budgets that it kept before, in files and in tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Stepwall = Callable[..., subprocess.CompletedProcess[str]]
SLOPE = f"{2 * 256 * 64 * 4 // 1024}KiB/step"  # two tensors of batch times units, in float32
BUDGETS = f"""
scenarios = "{{source}}"

[[budget]]
scenario = "chain"
steps = "4:32:x2"
slope = "{SLOPE}"
nodes_per_step = 6
"""
TESTS = f"""
import pytest

LIMITS = {{"steps": "4:16:x2", "slope": "{SLOPE}"}}


@pytest.mark.stepwall_budget("chain", scenarios="before.py", nodes_per_step=6, **LIMITS)
def test_before(stepwall_run):
    assert [m.point.steps for m in stepwall_run.measurements] == [4, 8, 16]


@pytest.mark.stepwall_budget("chain", scenarios="worsened.py", **LIMITS)
@pytest.mark.stepwall_budget("chain", scenarios="worsened.py", steps="4:16:x2", nodes_per_step=12)
def test_worsened():
    raise AssertionError("a broken budget ends the test before its body")


@pytest.mark.stepwall_budget("chan", scenarios="before.py", peak="1MiB")
def test_mistake():
    pass


def test_without():
    pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, resources: Path) -> Path:
    """Return a folder with a budget file and a test file beside copies of both scenarios."""
    folder = tmp_path_factory.mktemp("budgets")
    for name in ("before", "worsened"):
        (folder / f"{name}.py").write_text((resources / f"{name}.py").read_text())
        (folder / f"{name}.toml").write_text(BUDGETS.format(source=f"{name}.py"))
    (folder / "test_mine.py").write_text(TESTS)
    return folder


@pytest.fixture(scope="module")
def kept(stepwall: Stepwall, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the budgets of the scenario as it was before, as the run 'kept'."""
    return stepwall("check", "before.toml", "--json", "told.json", "--name", "kept", cwd=folder)


def test_a_file_of_budgets_is_kept(kept: subprocess.CompletedProcess[str], folder: Path) -> None:
    """To the byte and to the node."""
    told = {
        verdict["limit"]: verdict
        for verdict in json.loads((folder / "told.json").read_text())["verdicts"]
    }

    assert kept.returncode == 0, kept.stderr
    assert told["slope"]["measured"] == pytest.approx(told["slope"]["allowed"])
    assert told["nodes_per_step"]["measured"] == 6


def test_a_worse_scenario_breaks_them(stepwall: Stepwall, folder: Path) -> None:
    """One line for each, with the metric, the value, the limit and the law."""
    done = stepwall("check", "worsened.toml", "-q", cwd=folder)
    slope, nodes = done.stderr.splitlines()

    assert done.returncode == 3
    assert slope.startswith(
        "stepwall: chain: slope is 192.0 KiB/step at 32 steps, over 128 KiB/step"
    )
    over = "stepwall: chain: nodes_per_step is 12/step at 32 steps, over 6/step"
    assert re.fullmatch(rf"{over}, law \d+ \+ 12·T", nodes)


@pytest.mark.usefixtures("kept")
def test_a_stored_run_is_judged_without_measuring(stepwall: Stepwall, folder: Path) -> None:
    """What it does not tell is no pass."""
    (folder / "again.toml").write_text("""
        scenarios = "before.py"
        [[budget]]
        scenario = "chain"
        steps = [4, 8]
        slope = "1GiB/step"
    """)
    done = stepwall("check", "again.toml", "--run", "kept", cwd=folder)

    assert done.returncode == 4
    assert done.stderr == (
        "stepwall: chain: slope is unknown: 2 of 3 lengths: measure more (1 GiB/step allowed)\n"
    )
    assert done.stdout.endswith("next: stepwall report kept\n")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.toml", None, "No such file"),
        ("bad.toml", "[[budget", "budgets 'bad.toml': "),
        ("typo.toml", '[[budget]]\nscenario = "a"\npeek = 1', "budget 1: no key 'peek'"),
        ("path.toml", 'scenarios = "no.py"\n[[budget]]\nscenario = "a"\nnodes = 1', "no such file"),
    ],
)
def test_bad_input_is_one_line(
    stepwall: Stepwall, folder: Path, name: str, text: str | None, message: str
) -> None:
    """Before anything is measured."""
    if text is not None:
        (folder / name).write_text(text)
    done = stepwall("check", name, cwd=folder)

    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_markers_give_tests_budgets(folder: Path) -> None:
    """What is kept passes, what is broken or mistaken fails in a line."""
    arguments = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--strict-markers",
        "-q",
        "test_mine.py",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "2 failed, 2 passed" in done.stdout
    assert "chain: slope is 192.0 KiB/step at 16 steps, over 128 KiB/step" in done.stdout
    assert "nodes_per_step" not in done.stdout
    assert "no scenario 'chan' (did you mean 'chain'?)" in done.stdout
    assert "Traceback" not in done.stdout
    assert list(folder.glob("*.sqlite")) == []
