"""What a wall costs beside the two runs that any exact answer needs, and how well it is predicted.

Numbers are reported, never asserted; one case takes half a minute, all of them about half an
hour, most of it for the doubling-and-bisecting search that they are compared with.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from real_points import point_of

from profiler.facts import Certificate, Measurement, Point, Status, WallStatus, replace
from profiler.forecast.certificate import certify
from profiler.frameworks import Mode
from profiler.measure.client import Client
from profiler.units import MIB

MAX_STEPS = 100_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wall to be found; ``compared``: also by doubling and bisecting."""

    scenario: str
    parameters: dict[str, Any]
    device_mib: int | None = None
    host_mib: int | None = None
    compared: bool = False

    def __str__(self) -> str:
        """Return the case as it is printed."""
        settings = "".join(f" {name}={value}" for name, value in self.parameters.items())
        limit = f"{self.device_mib} MiB" if self.device_mib else f"{self.host_mib} MiB host"
        return f"{self.scenario}{settings}, {limit}"

    def conditions(self, client: Client) -> Point:
        """Return the point to vary."""
        return point_of(
            client,
            self.scenario,
            limit_bytes=self.device_mib * MIB if self.device_mib else None,
            host_limit_bytes=self.host_mib * MIB if self.host_mib else None,
            **self.parameters,
        )


CASES = (
    Case(scenario="static_rnn", parameters={}, device_mib=32, compared=True),
    Case(scenario="static_rnn", parameters={"cell": "lstm"}, device_mib=128),
    Case(scenario="static_rnn", parameters={"cell": "gru"}, device_mib=64, compared=True),
    Case(scenario="static_rnn", parameters={"batch": 1}, device_mib=32),
    Case(scenario="static_rnn", parameters={"batch": 256}, device_mib=256),
    Case(scenario="dynamic_rnn", parameters={}, device_mib=64, compared=True),
    Case(scenario="dynamic_rnn", parameters={"cell": "lstm"}, device_mib=64, compared=True),
    Case(scenario="dynamic_rnn", parameters={"cell": "gru"}, device_mib=256),
    Case(scenario="dynamic_rnn", parameters={"batch": 1}, device_mib=32),
    Case(scenario="dynamic_rnn", parameters={"batch": 256}, device_mib=512, compared=True),
    Case(scenario="dynamic_rnn", parameters={"cell": "lstm", "batch": 256}, device_mib=1024),
    Case(scenario="handmade_rnn", parameters={}, device_mib=32),
    Case(scenario="static_rnn", parameters={}, host_mib=512, compared=True),
    Case(scenario="handmade_rnn", parameters={}, host_mib=512),
)


@pytest.fixture(scope="module")
def walls() -> list[Certificate]:
    """Return the list of the walls found, for the medians."""
    return []


def probe(client: Client, point: Point, *, whole: bool) -> Measurement:
    """Run one probe."""
    return client.measure(point, mode=Mode(inspect=False, whole=whole))


def double_then_bisect(client: Client, case: Case) -> int:
    """Find the wall as batch-size finders do, and return the largest steps that passed."""
    conditions = case.conditions(client)

    def fits(steps: int) -> bool:
        point = replace(conditions, steps=steps)
        return probe(client, point, whole=True).outcome.status is Status.OK

    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


@pytest.mark.parametrize("case", CASES, ids=str)
def test_price_of_a_wall(
    benchmark: BenchmarkFixture,
    warm: Client,
    report: Callable[..., None],
    walls: list[Certificate],
    case: Case,
) -> None:
    """Two runs prove a wall; what finding them takes is the price."""
    conditions = case.conditions(warm)

    def find() -> None:
        walls.append(
            certify(
                conditions,
                lambda point, *, whole: probe(warm, point, whole=whole),
                predict=lambda: warm.predict_wall(conditions, max_steps=MAX_STEPS),
                max_steps=MAX_STEPS,
            )
        )

    pedantic: Callable[..., None] = benchmark.pedantic
    start = time.perf_counter()
    pedantic(find, rounds=1)
    seconds = time.perf_counter() - start
    wall = walls[-1]

    assert wall.status is WallStatus.EXACT
    assert wall.price is not None
    report(f"{case}: found at", float(wall.last_ok or 0), unit="steps", aim="for comparison")
    report(f"{case}: predicted with an error of", error(wall), unit="%", aim="aim: at most 3")
    report(f"{case}: price", wall.price, unit="x", aim=f"{len(wall.probes)} probes")
    if case.compared:
        start = time.perf_counter()
        double_then_bisect(warm, case)
        bisecting = time.perf_counter() - start
        report(f"{case}: cheaper than bisecting", bisecting / seconds, unit="x", aim="above 1")


def test_medians(report: Callable[..., None], walls: list[Certificate]) -> None:
    """The cases above, in short."""
    prices = [wall.price or math.nan for wall in walls]
    errors = [error(wall) for wall in walls]
    report("price, median", statistics.median(prices), unit="x", aim="aim: at most 1.5")
    report("price, worst", max(prices), unit="x", aim="aim: at most 3")
    report("error of the prediction, median", statistics.median(errors), unit="%", aim="aim: 1")
    report("error of the prediction, worst", max(errors), unit="%", aim="aim: at most 3")
    failing = statistics.median(failures(wall) for wall in walls)
    report("failing probes, median", failing, unit="", aim="aim: at most 2")


def error(wall: Certificate) -> float:
    """Return by how many percent the prediction missed the wall."""
    if wall.predicted is None or not wall.last_ok:
        return math.nan
    return abs(wall.predicted / wall.last_ok - 1) * 100


def failures(wall: Certificate) -> int:
    """Return how many probes failed, cut short or not."""
    return sum(item.outcome.status is not Status.OK for item in wall.probes)
