"""The host wall is predicted where a line meets the limit, from runs of at most an eighth of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.facts import HostMemory, Measurement, Outcome, Point, Status, WallPrediction
from profiler.forecast.host import predict_host_wall
from profiler.lengths import Lengths

MIB = 1 << 20
HELD = 200 * MIB
MAX_STEPS = 100_000
OK = Outcome(status=Status.OK)
ERROR = Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")

Measure = Callable[[int, int | None], Measurement]


def measure(demand: Callable[[int, int | None], int | None], end: Outcome = OK) -> Measure:
    """Return a measure of points with this demand of host memory."""

    def run(steps: int, scaled_to: int | None) -> Measurement:
        point = Point(
            framework="sampleflow", scenario="toy", family="toys", parameters={}, steps=steps
        )
        host = HostMemory(capped_peak_bytes=demand(steps, scaled_to))
        return Measurement(point=point, outcome=end, seconds=0.1, host=host)

    return run


def predicted(run: Measure, limit_bytes: int) -> WallPrediction:
    """Return the prediction that must be made."""
    found = predict_host_wall(run, limit_bytes=limit_bytes, max_steps=MAX_STEPS)
    assert isinstance(found, WallPrediction)
    return found


@settings(max_examples=20)
@given(st.integers(1000, 10 * MIB), st.integers(200, 10_000))
def test_a_line_meets_the_limit_where_it_should(per_step: int, edge: int) -> None:
    """From the first two lengths, a sixteenth and an eighth of the wall."""
    run = measure(lambda steps, _: HELD + per_step * steps)
    found = predicted(run, HELD + per_step * edge + per_step // 2)

    assert found.steps == edge
    assert found.low < edge < found.high
    assert found.learned_from == sorted({8, 16, edge // 8 // 2, edge // 8})
    assert found.bytes_per_step == per_step


def test_folded_constants_of_short_runs_do_not_count() -> None:
    """Once a wall is roughly known, its short runs are scaled down to it and hold none."""
    per_step, edge = MIB, 2000

    def demand(steps: int, scaled_to: int | None) -> int:
        return HELD + per_step * steps * (2 if (scaled_to or steps) < edge // 3 else 1)

    assert predicted(measure(demand), HELD + per_step * edge).steps == edge


def test_no_more_than_the_largest_steps_are_predicted() -> None:
    """A byte per step would last forever."""
    assert predicted(measure(lambda steps, _: HELD + steps), 1 << 40).steps == MAX_STEPS


@pytest.mark.parametrize("demand", [None, HELD], ids=["unknown", "flat"])
def test_without_growth_there_is_no_prediction(demand: int | None) -> None:
    """A loop may hold no more at twice the steps."""
    run = measure(lambda *_: demand)

    assert predict_host_wall(run, limit_bytes=2 * HELD, max_steps=MAX_STEPS) is None


def test_a_short_run_that_fails_says_how_it_ended() -> None:
    """Its memory up to then is no demand."""
    run = measure(lambda steps, _: HELD + steps * MIB, end=ERROR)

    assert predict_host_wall(run, limit_bytes=2 * HELD, max_steps=MAX_STEPS) == ERROR


def test_only_lengths_that_are_allowed_are_run() -> None:
    """And predicted: the last multiple that fits."""
    lengths = Lengths(multiple_of=20, at_least=40)

    def demand(steps: int, scaled_to: int | None) -> int:
        del scaled_to
        assert lengths.allow(steps)
        return HELD + MIB * steps

    found = predict_host_wall(
        measure(demand), limit_bytes=HELD + 999 * MIB, max_steps=MAX_STEPS, lengths=lengths
    )

    assert isinstance(found, WallPrediction)
    assert found.steps == 980
