"""Axes have ticks that suit their numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from profiler.analysis.metrics import Unit
from reports.plots.axes import are_geometric, set_steps, set_values, tick_text

MIB = 2**20
DOUBLED = [8, 16, 32, 64, 128, 256]


def _axes() -> Axes:
    return Figure().subplots()


def _ticks(axes: Axes, axis: str) -> list[float]:
    """Return the ticks in sight."""
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    found = axes.get_xticks() if axis == "x" else axes.get_yticks()
    return [float(tick) for tick in found if low <= tick <= high]


@pytest.mark.parametrize("steps", [DOUBLED, [8, 256], [100, 200, 300, 400, 20_000]])
def test_doubled_steps_and_far_walls_are_geometric(steps: list[int]) -> None:
    """A wall at twenty times the steps must leave the measured ones apart."""
    assert are_geometric(steps)


@pytest.mark.parametrize("steps", [range(100, 1001, 100), [7], [0, 8], [10, 20], [8, 36, 65, 92]])
def test_even_and_few_steps_are_not(steps: list[int]) -> None:
    """They have a linear axis."""
    assert not are_geometric(steps)


def test_doubled_steps_have_a_tick_each() -> None:
    """At powers of two, at equal distances."""
    set_steps(axes := _axes(), DOUBLED, logarithmic=True)

    assert axes.get_xscale() == "log"
    assert _ticks(axes, "x") == DOUBLED


def test_a_narrow_panel_has_fewer_ticks() -> None:
    """Three panels in a row leave room for five labels each."""
    set_steps(axes := _axes(), DOUBLED, logarithmic=True, most_ticks=5)

    assert 2 <= len(_ticks(axes, "x")) <= 5


@pytest.mark.parametrize("steps", [[7], [0, 8], range(100, 1001, 100), [8, 68, 72, 75, 77]])
def test_linear_steps_lie_inside_their_axis_with_whole_ticks(steps: list[int]) -> None:
    """One step, a zero, or probes that crowd around a wall."""
    set_steps(axes := _axes(), steps, logarithmic=False)
    low, high = axes.get_xlim()

    assert low < min(steps) <= max(steps) < high
    assert all(tick == int(tick) for tick in _ticks(axes, "x"))


def test_bytes_have_ticks_at_powers_of_two() -> None:
    """A byte axis ends at the powers of two around its values."""
    set_values(axes := _axes(), [3 * MIB, 20 * MIB], "bytes", logarithmic=True)

    assert _ticks(axes, "y") == [MIB * 2**k for k in range(1, 6)]


def test_linear_bytes_have_binary_ticks_too() -> None:
    """A linear byte axis counts in a power of two, from zero."""
    set_values(axes := _axes(), [3 * MIB, 20 * MIB], "bytes", logarithmic=False)

    assert _ticks(axes, "y") == [4 * MIB * k for k in range(6)]


def test_counts_have_ticks_at_one_two_five() -> None:
    """Other axes are ticked at 1, 2 and 5 times powers of ten."""
    set_values(axes := _axes(), [60, 800], "nodes", logarithmic=True)

    assert _ticks(axes, "y") == pytest.approx([50, 100, 200, 500, 1000])


def test_a_value_of_zero_makes_the_axis_linear() -> None:
    """Zero has no logarithm, and must still be seen."""
    set_values(axes := _axes(), [0, 500], "nodes", logarithmic=True)

    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1),
    st.sampled_from(["nodes", "bytes", "seconds"]),
    st.booleans(),
)
def test_every_value_lies_inside_its_axis(values: list[float], unit: Unit, log: bool) -> None:  # noqa: FBT001
    """No value is cut off, and the labels stay few."""
    set_values(axes := _axes(), values, unit, logarithmic=log)
    low, high = axes.get_ylim()

    assert low <= min(values) <= max(values) <= high
    assert 2 <= len(_ticks(axes, "y")) <= 11


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
