"""Axes have ticks that suit their numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.plots.axes import steps_scale, tick_text, value_scale
from reports.plots.panels import Unit

MIB = 2**20


def test_doubled_steps_have_a_tick_each() -> None:
    """Steps that are doubled stand at equal distances, at powers of two."""
    scale = steps_scale([8, 16, 32, 64, 128, 256])

    assert scale.logarithmic
    assert scale.ticks == (8, 16, 32, 64, 128, 256)


def test_evenly_spaced_steps_have_a_linear_axis() -> None:
    """An arithmetic range stays linear, with ticks at measured steps."""
    scale = steps_scale(range(100, 1001, 100))

    assert not scale.logarithmic
    assert scale.ticks == (100, 300, 500, 700, 900)


def test_a_wall_far_beyond_keeps_the_measured_steps_apart() -> None:
    """A wall at twenty times the steps makes the axis logarithmic and lies inside it."""
    scale = steps_scale([100, 200, 300, 400, 20_000])

    assert scale.logarithmic
    assert scale.low < 100
    assert scale.high > 20_000


@pytest.mark.parametrize("steps", [[7], [0, 8], [10, 20]])
def test_few_steps_have_an_axis_around_them(steps: list[int]) -> None:
    """One step, a zero or two near ones get a linear axis with a margin."""
    scale = steps_scale(steps)

    assert not scale.logarithmic
    assert scale.low < min(steps)
    assert scale.high > max(steps)


def test_few_steps_have_a_logarithmic_axis_where_it_is_asked_for() -> None:
    """As plots of laws do, whatever lengths there are."""
    scale = steps_scale([8, 32], logarithmic=True)

    assert scale.logarithmic
    assert scale.ticks == (8, 16, 32)


def test_two_steps_far_apart_have_a_logarithmic_axis() -> None:
    """Between 8 and 256 there are powers of two to show."""
    assert steps_scale([8, 256]).ticks == (8, 16, 32, 64, 128, 256)


def test_bytes_have_ticks_at_powers_of_two() -> None:
    """A byte axis ends at the powers of two around its values."""
    scale = value_scale([3 * MIB, 20 * MIB], "bytes", logarithmic=True)

    assert scale.ticks == tuple(MIB * 2**k for k in range(1, 6))


def test_linear_bytes_have_binary_ticks_too() -> None:
    """A linear byte axis counts in a power of two, from zero."""
    scale = value_scale([3 * MIB, 20 * MIB], "bytes", logarithmic=False)

    assert scale.ticks == tuple(4 * MIB * k for k in range(6))


def test_counts_have_ticks_at_one_two_five() -> None:
    """Other axes are ticked at 1, 2 and 5 times powers of ten."""
    assert value_scale([60, 800], "nodes", logarithmic=True).ticks == (50, 100, 200, 500, 1000)


def test_a_value_of_zero_makes_the_axis_linear() -> None:
    """Zero has no logarithm, and must still be seen."""
    scale = value_scale([0, 500], "nodes", logarithmic=True)

    assert not scale.logarithmic
    assert scale.low == 0


@given(
    st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1),
    st.sampled_from(["nodes", "bytes", "seconds"]),
    st.booleans(),
)
def test_every_value_lies_inside_its_axis(values: list[float], unit: Unit, log: bool) -> None:  # noqa: FBT001
    """No value is cut off, and the labels stay few."""
    scale = value_scale(values, unit, logarithmic=log)

    assert scale.low <= min(values)
    assert max(values) <= scale.high
    assert len(scale.ticks) <= 9


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (64 * MIB, "bytes", "64 MiB"),
        (2000, "nodes", "2,000"),
        (0.02, "seconds", "20 ms"),
        (2.0, "seconds", "2 s"),
        (500e-6, "seconds", "500 µs"),
    ],
)
def test_a_tick_has_its_unit_and_no_empty_decimals(value: float, unit: Unit, text: str) -> None:
    """Ticks are round, so their decimals would be noise."""
    assert text == tick_text(value, unit)


def test_ticks_of_steps_that_nearly_touch_are_left_out() -> None:
    """The probes of a search crowd around its wall."""
    scale = steps_scale([8, 36, 65, 68, 72, 75, 77, 80, 92])

    assert not scale.logarithmic
    assert scale.ticks == (8, 36, 65, 72, 80, 92)


def test_a_narrow_panel_has_fewer_ticks() -> None:
    """Three panels in a row leave room for five labels each."""
    assert steps_scale([8, 16, 32, 64, 128, 256], most_ticks=5).ticks == (8, 32, 128)
