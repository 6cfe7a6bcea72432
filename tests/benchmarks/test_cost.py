"""What a measurement costs beside its own work; numbers are reported, never asserted."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fresh_launcher import FreshLaunchers
from real_points import point_of

from profiler.facts import Measurement, Point, Status, replace
from profiler.frameworks import framework, lacking
from profiler.limits.machine import environment
from profiler.measure.client import Client
from profiler.measure.runner import Runner
from profiler.store.runs import Store

Timed = Callable[[Callable[[], object], int], float]
COMMAND = Path(sys.executable).with_name("stepwall")
SWEPT = (8, 16, 24, 32, 40, 48, 56, 64)


def skip_without(name: str) -> None:
    """Skip the test where that framework is not installed: each has an environment of its own."""
    needs = lacking(framework(name))
    if needs is not None:
        pytest.skip(f"it {needs}")


def measure_through(client: Client, small: Point) -> None:
    """Measure one point."""
    assert client.measure(small).outcome.status is Status.OK


@pytest.mark.parametrize(
    ("of", "scenario", "steps"),
    [
        ("tensorflow", "static_rnn", 2),
        ("tensorflow", "dynamic_rnn", 8),
        ("torch", "torch_loop", 8),
        ("torch", "torch_attention", 8),
    ],
)
def test_forked_point_against_a_fresh_interpreter(  # noqa: PLR0913, PLR0917 (fixtures)
    timed: Timed,
    benchmarked: Timed,
    warm: Client,
    report: Callable[..., None],
    of: str,
    scenario: str,
    steps: int,
) -> None:
    """A point in a forked child costs a fraction of one in an interpreter of its own."""
    skip_without(of)
    small = point_of(warm, scenario, steps=steps)
    starting = Client(launchers=FreshLaunchers())
    starting._catalog = warm.catalog()
    fresh = timed(lambda: measure_through(starting, small), 5)
    forked = benchmarked(lambda: measure_through(warm, small), 15)

    what = f"{scenario}, {steps} steps"
    report(f"{what}: in a fresh interpreter", fresh, unit="s", aim="for comparison")
    report(f"{what}: in a forked child", forked, unit="s", aim="for comparison")
    report(f"{what}: times cheaper", fresh / forked, unit="x", aim="aim: at least 10")


def test_sweep_against_its_points(
    benchmarked: Timed, warm: Client, report: Callable[..., None], tmp_path: Path
) -> None:
    """A sweep takes little more than its points: choosing and storing them is cheap."""
    skip_without("tensorflow")
    points: list[Measurement] = []
    with Store(tmp_path, create=True) as store:

        def sweep() -> None:
            run = store.start_run(None, "benchmark", environment(warm.describe(["tensorflow"])))
            runner = Runner(client=warm, store=store, run=run, on_measurement=points.append)
            small = point_of(warm, "dynamic_rnn")
            runner.measure(replace(small, steps=steps) for steps in SWEPT)
            store.finish_run(run)

        seconds = benchmarked(sweep, 3)

    assert {item.outcome.status for item in points} == {Status.OK}
    sweeps = [points[start : start + len(SWEPT)] for start in range(0, len(points), len(SWEPT))]
    own = statistics.median(sum(item.seconds for item in items) for items in sweeps)
    report("a sweep over the sum of its points", seconds / own, unit="x", aim="aim: at most 1.2")


def test_start_of_help(benchmarked: Timed, report: Callable[..., None]) -> None:
    """The help appears at once."""

    def ask() -> None:
        subprocess.run([COMMAND, "--help"], check=True, capture_output=True)

    seconds = benchmarked(ask, 10)

    report("stepwall --help", seconds, unit="s", aim="aim: below 0.5")
