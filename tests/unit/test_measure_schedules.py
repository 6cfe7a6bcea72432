"""A short step is run in both schedules, where the author allows it, and without limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import report_samples as samples
import stub_framework

from profiler.facts import (
    DeviceMemory,
    Measurement,
    Outcome,
    Point,
    Remedy,
    Schedule,
    ScheduleCheck,
    Status,
    replace,
)
from profiler.lengths import ANY, Lengths
from profiler.measure.schedules import checked, with_schedules

STEPS, EACH = 200, 1000
POINT = Point(
    framework=stub_framework.NAME,
    scenario="mine",
    family="mine",
    parameters={},
    steps=STEPS,
    limit_bytes=STEPS * EACH,
)
Peaks = Callable[[Point], int | None]


class _Runs:
    """Measures points that take as much as ``peak`` says, and remembers them."""

    def __init__(self, peak: Peaks) -> None:
        self._peak = peak
        self.points: list[Point] = []

    def __call__(self, point: Point) -> Measurement:
        self.points.append(point)
        peak = self._peak(point)
        status = Status.OOM_HOST if peak is None else Status.OK
        return Measurement(
            point=point,
            outcome=Outcome(status=status),
            seconds=1,
            device=DeviceMemory(peak_bytes=peak),
        )


def _half_as_much_again(point: Point) -> int:
    """Return 1,000 B per step, and in parallel 50 % more, with another byte in each repeat."""
    serial = point.steps * EACH
    return serial if point.schedule is Schedule.SERIAL else 3 * serial // 2 + point.repeat


def test_one_serial_and_three_parallel_runs_of_a_short_step() -> None:
    """Of 64 steps, however long the point is; the limit is left out."""
    runs = _Runs(_half_as_much_again)
    check = checked(runs, POINT, lengths=ANY)
    peak = 64 * EACH

    assert check == ScheduleCheck(
        steps=64,
        serial_peak_bytes=peak,
        parallel_peak_bytes=[3 * peak // 2 + repeat for repeat in range(3)],
    )
    assert [point.schedule for point in runs.points] == [Schedule.SERIAL, *[Schedule.PARALLEL] * 3]
    assert {point.limit_bytes for point in runs.points} == {None}


@pytest.mark.parametrize(
    ("lengths", "longest", "steps"),
    [
        (Lengths(multiple_of=20), STEPS, 60),
        (Lengths(multiple_of=20), 45, 40),
        (Lengths(at_least=100), STEPS, 100),
        (ANY, 12, 12),
    ],
)
def test_only_a_length_that_fits_and_that_the_author_allows(
    lengths: Lengths, longest: int, steps: int
) -> None:
    """The longest up to 64; else the first."""
    check = checked(_Runs(_half_as_much_again), replace(POINT, steps=longest), lengths=lengths)

    assert check is not None
    assert check.steps == steps


def test_what_was_measured_already_is_not_run_again() -> None:
    """Where it is short enough and was not limited."""
    short = replace(POINT, steps=32, limit_bytes=None)
    runs = _Runs(_half_as_much_again)
    measured = runs(short)
    runs.points.clear()
    check = checked(runs, short, lengths=ANY, measured=measured)

    assert check is not None
    assert check.serial_peak_bytes == 32 * EACH
    assert [point.schedule for point in runs.points] == [Schedule.PARALLEL] * 3


def test_in_the_parallel_schedule_itself_nothing_is_run() -> None:
    """There is nothing to compare."""
    runs = _Runs(_half_as_much_again)

    assert checked(runs, replace(POINT, schedule=Schedule.PARALLEL), lengths=ANY) is None
    assert runs.points == []


@pytest.mark.parametrize("failing", Schedule)
def test_a_run_that_failed_says_so_and_no_share_is_told(failing: Schedule) -> None:
    """One that did not end well compares nothing."""
    check = checked(
        _Runs(lambda point: None if point.schedule is failing else EACH), POINT, lengths=ANY
    )

    assert check is not None
    assert (check.reason, check.shares, check.is_notable) == ("oom_host", [], False)


def test_an_explained_step_takes_what_its_remedies_ran() -> None:
    """The very step, in the parallel schedule, without one more run."""
    parallel = [300 * EACH, 301 * EACH, 302 * EACH]
    remedy = Remedy(
        name="loop=true",
        steps=STEPS,
        before_bytes=STEPS * EACH,
        parallel_before_bytes=parallel,
        parallel_bytes=[EACH] * 3,
    )
    runs = _Runs(_half_as_much_again)
    explained = replace(runs(POINT), trace=replace(samples.EXPLANATION, remedies=[remedy]))
    runs.points.clear()
    trace = with_schedules(runs, explained, lengths=ANY).trace

    assert trace is not None
    assert trace.schedules == ScheduleCheck(
        steps=STEPS, serial_peak_bytes=STEPS * EACH, parallel_peak_bytes=parallel
    )
    assert runs.points == []


@pytest.mark.parametrize(
    ("parallel", "notable"),
    [
        ([141, 144, 147], True),
        ([80, 85, 90], True),
        ([106, 120, 190], True),
        ([104, 106, 190], False),
        ([94, 94, 96], False),
        ([80, 100, 120], False),
    ],
)
def test_a_twentieth_in_every_run_is_notable(parallel: list[int], *, notable: bool) -> None:
    """To the same side; what varies around the serial peak is not."""
    check = ScheduleCheck(steps=64, serial_peak_bytes=100, parallel_peak_bytes=parallel)

    assert check.is_notable is notable
