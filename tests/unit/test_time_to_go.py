"""Time to go is told from what was measured, and not at all where nothing is known."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.cli.time_to_go import TimeToGo, left_text
from profiler.facts import Point, replace

LENGTHS = (8, 16, 32, 64)


def points(*scenarios: str) -> list[Point]:
    """Return the points of scenarios at four lengths."""
    one = samples.measured().point
    return [replace(one, scenario=name, steps=n, repeat=0) for name in scenarios for n in LENGTHS]


def test_nothing_is_told_before_two_lengths_are_known() -> None:
    """One length says nothing of others."""
    given = points("a", "b")
    left = TimeToGo(given)

    assert left.seconds() is None
    left.done(given[0], 1.0)
    assert left.seconds() is None


def test_a_line_through_the_last_two_lengths_tells_the_rest_of_every_series() -> None:
    """8 and 16 steps took 1 and 2 s: 32 and 64 take 4 and 8, and b as much as a."""
    given = points("a", "b")
    left = TimeToGo(given)
    left.done(given[0], 1.0)
    left.done(given[1], 2.0)

    assert left.seconds() == pytest.approx((4 + 8) + (1 + 2 + 4 + 8))
    assert left.seconds(at_once=2) == pytest.approx(27 / 2)


def test_its_own_seconds_count_more_than_those_of_others() -> None:
    """A slow series stays slow."""
    given = points("a", "b")
    left = TimeToGo(given)
    for point in given[:4]:
        left.done(point, 1.0)
    left.done(given[4], 10.0)
    left.done(given[5], 10.0)

    assert left.seconds() == pytest.approx(20)


def test_a_skipped_point_takes_no_time() -> None:
    """It is not run, and says nothing of the others."""
    given = points("a")
    left = TimeToGo(given)
    for point in given:
        left.done(point, None)

    assert left.seconds() == 0


def test_shorter_points_that_took_longer_promise_nothing_faster() -> None:
    """A first point that was disturbed makes no point of negative time."""
    given = points("a")
    left = TimeToGo(given)
    left.done(given[0], 9.0)
    left.done(given[1], 1.0)

    assert left.seconds() == pytest.approx(2)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (3, "a few seconds left"),
        (44, "about 40 s left"),
        (170, "about 3 min left"),
        (2 * 3600 + 600, "about 2 h 10 min left"),
    ],
)
def test_the_estimate_is_no_more_exact_than_it_is(seconds: float | None, text: str) -> None:
    """Round numbers, and none for nothing."""
    assert left_text(seconds) == text
