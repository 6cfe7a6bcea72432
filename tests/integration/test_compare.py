"""A scenario that was made worse is seen by ``compare``, against a run and against a pinned one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Stepwall = Callable[..., subprocess.CompletedProcess[str]]
STEPS = "4:32:x2"
TENSOR_BYTES = 256 * 64 * 4  # batch times units, in float32
OVER_BUDGET = 3


@pytest.fixture(scope="module")
def folder(stepwall: Stepwall, resources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run of the chain before and one after it was made worse."""
    folder = tmp_path_factory.mktemp("compare")
    for name in ("before", "worsened"):
        source = resources / f"{name}.py"
        done = stepwall(
            *("profile", "chain", "--scenarios", source, "--steps", STEPS, "--name", name, "-q"),
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
    return folder


def test_more_memory_per_step_fails_the_comparison(stepwall: Stepwall, folder: Path) -> None:
    """Three kept tensors a step instead of two: a half more, and nothing else is named."""
    done = stepwall("compare", "before", "worsened", "--fail", "slope:5%", cwd=folder)
    kib = TENSOR_BYTES // 1024

    assert done.returncode == OVER_BUDGET
    change = f"+50.0 % ({2 * kib}.0 KiB before, {3 * kib}.0 KiB now, at 32 steps, by its law"
    assert done.stderr.splitlines() == [
        f"stepwall: chain: backprop memory per step {change}; 5 % allowed)"
    ]


def test_what_is_allowed_passes(stepwall: Stepwall, folder: Path) -> None:
    """Half more is what this rule allows; and a better run breaks none."""
    allowed = stepwall("compare", "before", "worsened", "--fail", "slope:50.1%", cwd=folder)
    better = stepwall("compare", "worsened", "latest", "--fail", "all:0%", cwd=folder)

    assert allowed.returncode == 0
    assert better.returncode == 0
    assert "equal" in better.stdout


def test_what_cannot_be_told_fails_nothing(stepwall: Stepwall, folder: Path) -> None:
    """Neither a time that was measured once nor a wall that nobody asked for; both are said."""
    rules = ("--fail", "step_time:0%", "--fail", "wall:1%")
    done = stepwall("compare", "before", "worsened", *rules, "-q", cwd=folder)

    assert done.returncode == 0
    assert done.stdout == ""
    time, wall = done.stderr.splitlines()
    assert time.endswith("(use 3 or more scenarios: a busier machine looks the same)")
    assert wall == "stepwall: wall: no such number in both runs"


def test_a_pinned_run_stands_for_itself(stepwall: Stepwall, folder: Path) -> None:
    """The file is small, is not overwritten, and compares as the run did."""
    base = folder / "before.baseline.json"
    pinned = stepwall("pin", "before", cwd=folder)
    again = stepwall("pin", "before", cwd=folder)
    done = stepwall(
        *("compare", base.name, "worsened", "--fail", "nodes:0%", "--markdown"), cwd=folder
    )
    told = stepwall("compare", base.name, "worsened", "--json", "-", cwd=folder)
    rows = {row["metric"]: row for row in json.loads(told.stdout)["rows"]}

    assert pinned.returncode == 0, pinned.stderr
    assert base.stat().st_size < 16_000
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert done.returncode == OVER_BUDGET
    cells = "| chain | nodes per step | 6 | 12 | +100.0 % | + |"
    assert cells in " ".join(done.stdout.split())
    assert rows["slope"]["before"] == pytest.approx(2 * TENSOR_BYTES)
    assert rows["slope"]["after"] == pytest.approx(3 * TENSOR_BYTES)
