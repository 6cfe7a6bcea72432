"""Predictions of real training steps: replayed to the byte, continued, and right about walls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Status, WallPrediction, replace
from profiler.frameworks import framework
from profiler.measure.client import Client
from profiler.units import MIB

CASES: list[tuple[str, dict[str, Any]]] = [
    ("static_rnn", {}),
    ("dynamic_rnn", {}),
    ("static_rnn", {"cell": "lstm"}),
    ("dynamic_rnn", {"cell": "lstm"}),
]
# Two to learn from and four times the second; loops settle after twice their 32 iterations.
LENGTHS: dict[str, tuple[int, int, int]] = {
    "static_rnn": (22, 24, 96),
    "dynamic_rnn": (78, 80, 320),
}
MAX_STEPS = 100_000


@pytest.fixture(scope="module")
def replayed(resources: Path) -> Callable[[str, dict[str, Any]], dict[str, list[int]]]:
    """Return ``replayed(scenario, parameters)``: what ``replayed.py`` printed, run once each."""
    known: dict[str, dict[str, list[int]]] = {}

    def run(scenario: str, parameters: dict[str, Any]) -> dict[str, list[int]]:
        arguments = [scenario, json.dumps(parameters), *map(str, LENGTHS[scenario])]
        key = " ".join(arguments)
        if key not in known:
            done = subprocess.run(
                [sys.executable, resources / "replayed.py", *arguments],
                env={**os.environ, **framework("tensorflow").environment},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            known[key] = json.loads(done.stdout.splitlines()[-1])
        return known[key]

    return run


@pytest.mark.parametrize(("scenario", "parameters"), CASES)
class TestATrainingStep:
    """What TensorFlow's allocator did, from the session's start to its second step."""

    def test_is_replayed_at_the_same_addresses(
        self, replayed: Callable[..., dict[str, list[int]]], scenario: str, parameters: Any
    ) -> None:
        """Every allocation of every length."""
        found = replayed(scenario, parameters)

        assert min(found["allocations"]) > LENGTHS[scenario][0]
        assert found["elsewhere"] == [0, 0, 0]

    def test_is_replayed_to_the_same_peak(
        self, replayed: Callable[..., dict[str, list[int]]], scenario: str, parameters: Any
    ) -> None:
        """As the allocator itself counts it."""
        found = replayed(scenario, parameters)

        assert found["replayed_peaks"] == found["peaks"]

    def test_is_continued_to_four_times_its_length(
        self, replayed: Callable[..., dict[str, list[int]]], scenario: str, parameters: Any
    ) -> None:
        """The memory that was really needed, within half a percent."""
        real, predicted = replayed(scenario, parameters)["tops"]

        assert predicted == pytest.approx(real, rel=0.005)


@pytest.mark.parametrize(("scenario", "mib"), [("static_rnn", 16), ("dynamic_rnn", 16)])
def test_a_wall_is_predicted_within_two_percent(client: Client, scenario: str, mib: int) -> None:
    """So much below it fits, and so much above it does not."""
    conditions = point_of(client, scenario, limit_bytes=mib * MIB)
    prediction = client.predict_wall(conditions, max_steps=MAX_STEPS)

    assert isinstance(prediction, WallPrediction)
    assert max(prediction.learned_from) <= 0.7 * prediction.steps
    below, above = (round(prediction.steps * share) for share in (0.98, 1.02))
    ends = [client.measure(replace(conditions, steps=steps)) for steps in (below, above)]
    assert [end.outcome.status for end in ends] == [Status.OK, Status.OOM_DEVICE]
