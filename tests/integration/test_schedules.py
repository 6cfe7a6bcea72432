"""Real unrolled graphs: the serial schedule is no promise of what the parallel one needs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import replace
from profiler.frameworks import Mode
from profiler.measure.client import Client
from profiler.measure.schedules import checked

Stepwall = Callable[..., subprocess.CompletedProcess[str]]
UNITS, STEPS, FLOAT = 256, 48, 4
WEIGHT = UNITS * UNITS * FLOAT
# A partial gradient of each of two weights in every step.
PARTIAL = 2 * WEIGHT * STEPS


@pytest.fixture(scope="module")
def scenarios(resources: Path) -> Path:
    """Return the file with the two builds."""
    return resources / "schedules.py"


def test_an_unrolled_graph_needs_more_where_the_order_is_free(
    client_of: Callable[..., Client], scenarios: Path
) -> None:
    """In order one weight's partial gradients are held at the peak, out of order much of both's.

    What comes on top is less than all partial gradients together.
    """
    client = client_of(scenarios)
    point = replace(point_of(client, "whole", steps=STEPS), limit_bytes=256 << 20)
    check = checked(
        lambda one: client.measure(one, mode=Mode(inspect=False)),
        point,
        lengths=client.lengths(point),
    )

    assert check is not None
    assert (check.reason, check.steps) == (None, STEPS)
    assert check.is_notable
    assert check.shares[0] > 0.1
    assert max(check.parallel_peak_bytes) - (check.serial_peak_bytes or 0) < PARTIAL


def test_versus_tells_no_winner_that_the_parallel_schedule_does_not_show(
    stepwall: Stepwall, scenarios: Path, tmp_path: Path
) -> None:
    """Truncation costs half as much again in the serial schedule, and out of it mostly nothing.

    How far three runs lie apart there is up to the machine.
    """
    sources = ("--scenarios", scenarios)
    options = ("--steps", "16,32,48", "--name", "pair", *sources)
    done = stepwall("profile", "whole", "truncated", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    question = ("versus", "whole", "truncated", "--run", "pair", *sources)
    told = stepwall(*question, "--json", "told.json", cwd=tmp_path)
    peak = _metric(json.loads((tmp_path / "told.json").read_text()), "peak")

    assert peak["lengths"][-1]["least"] == ["whole"]
    shown = [
        max(one["values"]["whole"]) < min(one["values"]["truncated"]) for one in peak["parallel"]
    ]
    assert shown
    assert [one["agrees"] for one in peak["parallel"]] == shown
    assert peak["is_contradicted"] is not all(shown)
    contradiction = "device peak: not the same in both schedules"
    assert (contradiction in told.stdout) is not all(shown)


def _metric(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in document["metrics"] if one["metric"] == name]
    return dict(found)
