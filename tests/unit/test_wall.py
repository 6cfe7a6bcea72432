"""A certificate says what was proved, by which probes, and why where it was not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from profiler.results import (
    DeviceMemory,
    Measurement,
    Outcome,
    Point,
    Probe,
    Schedule,
    Status,
    WallStatus,
)
from profiler.wall import certify

LIMIT = 64 << 20
PER_STEP = 1 << 20
EDGE = LIMIT // PER_STEP
SECONDS = 0.25
CONDITIONS = Point(
    scenario="toy",
    family="toys",
    parameters={"batch": 32},
    steps=0,
    device="gpu",
    limit_bytes=LIMIT,
    schedule=Schedule.PARALLEL,
)
OK = Outcome(status=Status.OK)
OOM = Outcome(status=Status.OOM_DEVICE, phase="first_step", reason="asked for too much")


def _measure(outcome_of: Callable[[int], Outcome]) -> Callable[[Point], Measurement]:
    """Return a measure whose points end as told; those that end well have an affine peak."""

    def measure(point: Point) -> Measurement:
        end = outcome_of(point.steps)
        passed = end.status is Status.OK
        peak = DeviceMemory(fed_bytes=0, peak_bytes=PER_STEP * point.steps) if passed else None
        return Measurement(point=point, outcome=end, seconds=SECONDS, device=peak)

    return measure


def _failing_beyond(edge: int, failure: Outcome) -> Callable[[Point], Measurement]:
    return _measure(lambda steps: OK if steps <= edge else failure)


def test_a_wall_is_exact_where_both_ends_were_run() -> None:
    """``first_oom`` is ``last_ok + 1``, and both are among the probes."""
    wall = certify(CONDITIONS, _failing_beyond(EDGE, OOM))
    ends = {probe.steps: probe.outcome for probe in wall.probes}

    assert wall.status is WallStatus.EXACT
    assert (wall.last_ok, wall.first_oom) == (EDGE, EDGE + 1)
    assert (ends[EDGE], ends[EDGE + 1]) == (OK, OOM)
    assert wall.reason is None


def test_a_certificate_repeats_its_conditions() -> None:
    """It can be read alone."""
    wall = certify(CONDITIONS, _failing_beyond(EDGE, OOM))

    assert (wall.scenario, wall.family, wall.parameters) == ("toy", "toys", {"batch": 32})
    assert (wall.device, wall.kind, wall.limit_bytes) == ("gpu", "device", LIMIT)
    assert wall.schedule is Schedule.PARALLEL


def test_every_probe_is_run_under_the_conditions_at_its_own_steps() -> None:
    """Nothing but the steps varies."""
    asked: list[Point] = []

    def measure(point: Point) -> Measurement:
        asked.append(point)
        return _failing_beyond(EDGE, OOM)(point)

    wall = certify(CONDITIONS, measure)

    assert [point.steps for point in asked] == [probe.steps for probe in wall.probes]
    assert {point.limit_bytes for point in asked} == {LIMIT}
    assert {point.device for point in asked} == {"gpu"}


def test_probes_hold_outcome_peak_and_seconds() -> None:
    """The peak of a probe that failed is unknown, not zero."""
    wall = certify(CONDITIONS, _failing_beyond(EDGE, OOM))
    probes = {probe.steps: probe for probe in wall.probes}

    assert probes[EDGE] == Probe(
        steps=EDGE, outcome=OK, seconds=SECONDS, peak_bytes=PER_STEP * EDGE
    )
    assert probes[EDGE + 1] == Probe(steps=EDGE + 1, outcome=OOM, seconds=SECONDS)


def test_the_prediction_stands_beside_the_points_it_was_made_from() -> None:
    """An affine peak predicts its edge exactly."""
    wall = certify(CONDITIONS, _failing_beyond(EDGE, OOM))
    passed = {probe.steps for probe in wall.probes if probe.outcome.status is Status.OK}

    assert wall.predicted == pytest.approx(EDGE)
    assert set(wall.predicted_from) <= passed


def test_every_probe_is_told_as_it_ends() -> None:
    """A progress line needs no other source."""
    told: list[Probe] = []
    wall = certify(CONDITIONS, _failing_beyond(EDGE, OOM), on_probe=told.append)

    assert told == wall.probes


def test_where_nothing_fails_the_wall_is_at_least_the_largest() -> None:
    """The largest number of steps was really run."""
    wall = certify(CONDITIONS, _measure(lambda _: OK), max_steps=40)

    assert wall.status is WallStatus.AT_LEAST
    assert (wall.last_ok, wall.first_oom) == (40, None)
    assert wall.reason is None


def test_where_one_step_fails_the_wall_is_at_most_one() -> None:
    """Nothing survived, so there is no ``last_ok``."""
    wall = certify(CONDITIONS, _measure(lambda _: OOM))

    assert wall.status is WallStatus.AT_MOST
    assert (wall.last_ok, wall.first_oom) == (None, 1)


def test_the_hosts_memory_proves_no_wall_of_the_device() -> None:
    """A point that the kernel killed for its memory says nothing of the device's limit."""
    killed = Outcome(status=Status.OOM_HOST, phase="build", reason="the kernel killed it")
    wall = certify(CONDITIONS, _failing_beyond(20, killed))

    assert wall.status is WallStatus.UNPROVEN
    assert (wall.last_ok, wall.first_oom) == (20, None)


def test_a_wall_that_ends_on_a_crash_is_unproven() -> None:
    """The search goes on over crashes, but a crash is no proof of want of memory."""
    crash = Outcome(status=Status.CRASHED, phase="first_step", reason="died of SIGSEGV")
    wall = certify(CONDITIONS, _failing_beyond(20, crash))

    assert wall.status is WallStatus.UNPROVEN
    assert (wall.last_ok, wall.first_oom) == (20, None)
    assert wall.reason == (
        "at 21 steps, no device memory failure: crashed in first_step: died of SIGSEGV"
    )


def test_a_crash_far_beyond_the_wall_does_not_spoil_it() -> None:
    """Only the first failing number of steps decides."""
    crash = Outcome(status=Status.CRASHED, reason="died of SIGSEGV")
    wall = certify(
        CONDITIONS, _measure(lambda steps: OK if steps <= 5 else OOM if steps == 6 else crash)
    )

    assert wall.status is WallStatus.EXACT
    assert (wall.last_ok, wall.first_oom) == (5, 6)


def test_a_crash_at_one_step_proves_nothing() -> None:
    """Neither end is known."""
    crash = Outcome(status=Status.CRASHED, reason="died of SIGSEGV")
    wall = certify(CONDITIONS, _measure(lambda _: crash))

    assert wall.status is WallStatus.UNPROVEN
    assert (wall.last_ok, wall.first_oom) == (None, None)
    assert wall.reason == "at 1 steps, no device memory failure: crashed: died of SIGSEGV"


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape"),
            "at 8 steps: error in build: ValueError: bad shape",
        ),
        (
            Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 9 s"),
            "at 8 steps: timeout in steady: still running after 9 s",
        ),
    ],
)
def test_what_other_steps_cannot_mend_stops_the_search(failure: Outcome, sentence: str) -> None:
    """The first such probe is the last, and the certificate says what it was."""
    wall = certify(CONDITIONS, _measure(lambda _: failure))

    assert wall.status is WallStatus.UNPROVEN
    assert wall.reason == sentence
    assert [probe.steps for probe in wall.probes] == [8]
    assert (wall.last_ok, wall.first_oom, wall.predicted) == (None, None, None)


def test_what_was_learnt_before_an_error_is_kept() -> None:
    """The points that survived, and the prediction made from them, stay true."""
    error = Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 9 s")
    wall = certify(CONDITIONS, _failing_beyond(20, error))

    assert wall.status is WallStatus.UNPROVEN
    assert wall.last_ok == 16
    assert wall.predicted == pytest.approx(EDGE)
    assert wall.predicted_from == [8, 16]


def test_a_wall_needs_a_limit() -> None:
    """Without one there is nothing to run into."""
    with pytest.raises(ValueError, match="needs a limit"):
        certify(
            Point(scenario="toy", family="toys", parameters={}, steps=0), _measure(lambda _: OK)
        )


def test_a_search_that_is_interrupted_hands_the_interrupt_on() -> None:
    """Ctrl-C is no outcome."""

    def measure(point: Point) -> Measurement:
        raise KeyboardInterrupt(point)

    with pytest.raises(KeyboardInterrupt):
        certify(CONDITIONS, measure)
