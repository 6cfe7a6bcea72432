"""``stepwall versus`` tells and draws only what is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import report_samples as samples

from profiler.analysis.crossover.costs import BuildCost, Cost
from profiler.analysis.crossover.crossovers import Crossover
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.series import metric_series
from profiler.cli.common import Common
from profiler.cli.stored import StoredPoints
from profiler.cli.versus_ import _Answer, _checked, _draw, _longest
from profiler.errors import StepwallError
from profiler.facts import DeviceMemory, Measurement, Point, Schedule
from profiler.frameworks import Mode
from profiler.lengths import Lengths
from profiler.planning.catalog import Listing
from profiler.planning.files import ScenarioFile


def test_without_a_build_to_draw_there_is_an_error_and_no_file(tmp_path: Path) -> None:
    """Noise may leave every build without a step time at a length that was not run."""
    point = Point(framework="sampleflow", scenario="a", family="builds", parameters={}, steps=0)
    unknown = Cost(value=None, low=None, high=None)
    peak = Cost(value=1.0, low=1.0, high=1.0)
    build = BuildCost(
        label="a", conditions=point, costs={"step_time": unknown, "peak": peak}, walls=()
    )
    stored = StoredPoints(run=samples.run([]), series={"a": point})
    answer = _Answer(source=stored, crossovers=[], builds=[build], steps=100, measured=(8, 64))
    common = Common(scenarios=(), results=tmp_path, json_path=None, quiet=True, verbose=False)

    with pytest.raises(StepwallError, match="no build has a known steady step and device peak"):
        _draw(common, answer, tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()


def _checked_answer(schedule: Schedule, measured: list[Point]) -> _Answer:
    """Return an answer on two builds at 64 steps, checked by a client that only takes notes."""
    builds = [
        BuildCost(
            label=name,
            conditions=Point(
                framework="sampleflow",
                scenario=name,
                family="builds",
                parameters={},
                steps=0,
                schedule=schedule,
            ),
            costs={},
            walls=(),
            is_optimal=True,
        )
        for name in ("a", "b")
    ]
    crossover = Crossover(
        metric=BY_NAME["peak"],
        labels=("a", "b"),
        measured=(64, 64),
        zones=(),
        lengths=(Zone(first=64, last=64, least=("a",)),),
        missing_laws=(),
    )

    def measure(point: Point, *, mode: Mode) -> Measurement:
        assert not mode.inspect
        measured.append(point)
        peak = {"a": 2, "b": 1}[point.scenario]
        device = DeviceMemory(peak_bytes=peak)
        return Measurement(point=point, outcome=samples.OK, seconds=1, device=device)

    answer = _Answer(
        source=StoredPoints(run=samples.run([]), series={}),
        crossovers=[crossover],
        builds=builds,
        steps=64,
        measured=(64, 64),
    )
    opening = SimpleNamespace(
        client=SimpleNamespace(measure=measure),
        report=SimpleNamespace(stage=lambda *_: None, done=lambda _: None),
    )
    return _checked(answer, opening)  # type: ignore[arg-type]


def test_an_order_of_memory_is_checked_in_the_parallel_schedule() -> None:
    """Three runs of each build; where they contradict it, none is called optimal."""
    measured: list[Point] = []
    answer = _checked_answer(Schedule.SERIAL, measured)

    assert [(p.scenario, p.steps, p.repeat) for p in measured] == [
        (name, 64, repeat) for name in ("a", "b") for repeat in range(3)
    ]
    assert {point.schedule for point in measured} == {Schedule.PARALLEL}
    assert [one.is_contradicted for one in answer.crossovers] == [True]
    assert [one.is_optimal for one in answer.builds] == [None, None]


def test_in_the_parallel_schedule_itself_nothing_is_checked() -> None:
    """The numbers are its own."""
    measured: list[Point] = []
    answer = _checked_answer(Schedule.PARALLEL, measured)

    assert measured == []
    assert [one.is_contradicted for one in answer.crossovers] == [False]
    assert [one.is_optimal for one in answer.builds] == [True, True]


def test_costs_are_compared_at_a_length_that_all_authors_allow() -> None:
    """Not at the last measured length, which only one of them allows."""
    points = [
        Point(framework="sampleflow", scenario=name, family="", parameters={}, steps=steps)
        for name, steps in (("a", 100), ("a", 140), ("b", 96), ("b", 128))
    ]
    device = DeviceMemory(peak_bytes=1)
    run = samples.run(
        [Measurement(point=one, outcome=samples.OK, seconds=1, device=device) for one in points]
    )
    file = ScenarioFile(path="a.py", framework="sampleflow", module="a")
    listings = [
        Listing(
            name=name,
            family="",
            summary="",
            parameters=[],
            source="a.py:1",
            source_hash="",
            file=file,
            lengths=Lengths(multiple_of=multiple),
        )
        for name, multiple in (("a", 20), ("b", 8))
    ]

    assert _longest(metric_series(run), listings) == 120
