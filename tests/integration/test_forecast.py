"""Predictions of real training steps: replayed to the byte, and continued.

Walls that are predicted and found: test_real_walls.py (unrolled) and test_cli.py (a loop).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.frameworks import framework

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
