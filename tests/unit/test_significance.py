"""Repeats show a change, or the reason why they do not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.significance import (
    ENOUGH_REPEATS,
    SIGNIFICANCE_LEVEL,
    inconclusive_reason,
)

values = st.lists(
    st.floats(0.001, 1000),
    min_size=ENOUGH_REPEATS,
    max_size=2 * ENOUGH_REPEATS,
    unique_by=lambda x: round(x, 6),
)


def test_five_repeats_are_the_fewest_that_are_enough() -> None:
    """Of C(10, 5) = 252 orders one has all of one side above the other; of C(8, 4) = 70 too."""
    fewest = next(n for n in range(1, 99) if math.comb(2 * n, n) >= 1 / SIGNIFICANCE_LEVEL)

    assert fewest == ENOUGH_REPEATS


@pytest.mark.parametrize("repeats", range(1, ENOUGH_REPEATS))
def test_fewer_say_what_it_takes(repeats: int) -> None:
    """However far apart they lie."""
    said = inconclusive_reason([1.0] * repeats, [1e9] * repeats)

    assert said == f"{repeats} and {repeats} repeats are too few: take --repeats 5 in both runs"


@settings(max_examples=40)
@given(before=values, after=values, shift=st.floats(1.5, 1000))
def test_sides_that_lie_apart_are_a_change_both_ways(
    *, before: list[float], after: list[float], shift: float
) -> None:
    """Above or below, nothing is in inconclusive_reason."""
    above = [max(before) * shift + value for value in after]

    assert inconclusive_reason(before, above) is None
    assert inconclusive_reason(above, before) is None


@settings(max_examples=30)
@given(some=values)
def test_a_side_is_no_change_from_itself(*, some: list[float]) -> None:
    """Equal repeats are noise."""
    assert "within noise" in (inconclusive_reason(some, some) or "")


def test_one_swap_of_neighbours_is_still_a_change_of_five() -> None:
    """Two of 252 orders are at least so one-sided: 0.8 %."""
    assert inconclusive_reason([1, 2, 3, 4, 6], [5, 7, 8, 9, 10]) is None


def test_two_swaps_are_not_and_the_chance_is_said() -> None:
    """Four of 252 orders are at least so one-sided: 1.6 %."""
    said = inconclusive_reason([1, 2, 3, 4, 7], [5, 6, 8, 9, 10])

    assert said == "within noise: 5 and 5 repeats, chance 2%"


@settings(max_examples=30)
@given(some=values, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_units_do_not_matter(*, some: list[float], factor: float) -> None:
    """Ranks have none."""
    other = [value + 1.5 for value in some[::-1]]
    scaled = inconclusive_reason(
        [value * factor for value in some], [value * factor for value in other]
    )

    assert scaled == inconclusive_reason(some, other)
