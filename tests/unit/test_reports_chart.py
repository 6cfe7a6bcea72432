"""Charts of letters fit the terminal, and stand where the numbers are."""

from __future__ import annotations

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from reports.pages.terminal import chart_lines
from reports.texts.chart import Bar, bars, chart
from reports.texts.numbers import DASH, count_text

NAMES = st.text(min_size=1, max_size=40).filter(str.isprintable)
POINTS = st.lists(st.tuples(st.integers(1, 10**5), st.floats(0, 1e12)), min_size=1, max_size=8)


def test_a_bar_is_as_long_as_its_number() -> None:
    """Half as many steps, half as long."""
    long, short, none = bars(
        [
            Bar(label="a", value=200, text="200 steps"),
            Bar(label="bb", value=100, text="100 steps"),
            Bar(label="c", value=None, text="not proven"),
        ],
        80,
    )

    assert long.count("█") == 2 * short.count("█") > 40
    assert none.split() == ["c", DASH, "not", "proven"]


@given(st.lists(st.tuples(NAMES, st.integers(0, 10**9)), min_size=1, max_size=5))
def test_bars_are_no_wider_than_the_terminal(found: list[tuple[str, int]]) -> None:
    """Whatever the names are."""
    drawn = bars([Bar(label=name, value=n, text=f"{n}") for name, n in found], 60)

    assert max(map(cell_len, drawn)) <= 60


@given(st.dictionaries(NAMES, POINTS, min_size=1, max_size=4), st.sampled_from([40, 60, 80, 100]))
def test_charts_are_no_wider_than_the_terminal(
    series: dict[str, list[tuple[int, float]]], width: int
) -> None:
    """Whatever the values are, 0 included."""
    drawn = chart(series, width, count_text, limits={64.0: "limit 64"})

    assert max(map(cell_len, drawn)) <= max(width, cell_len("  - limit 64"))


def test_points_stand_where_their_numbers_are() -> None:
    """The first and the last of a line that grows: lower left, upper right."""
    drawn = chart({"grows": [(8, 8.0), (16, 16.0)], "stays": [(8, 8.0), (16, 8.0)]}, 60, count_text)
    rows = [line.partition("|")[2] for line in drawn if "|" in line]

    assert rows[0].endswith("a")
    assert drawn[0].split()[0] == "16"
    assert [row.find("+") for row in rows if "+" in row] == [0]
    assert any(row.endswith("b") and row.startswith("+") for row in rows)
    assert "  + several at one place" in drawn


def test_a_run_is_drawn_with_its_walls_and_its_memory() -> None:
    """What people look for first."""
    drawn = chart_lines(samples.contrast(), 80)

    assert any("survive" in line for line in drawn)
    assert any("device peak" in line for line in drawn)
    assert max(map(cell_len, drawn)) <= 80


def test_an_empty_run_has_no_chart() -> None:
    """Nothing is no error."""
    assert chart_lines(samples.loaded(), 80) == []


@pytest.mark.parametrize(
    ("families", "said"),
    [(4, "(1 more family is in the report)"), (5, "(2 more families are in the report)")],
)
def test_families_without_a_chart_are_counted(families: int, said: str) -> None:
    """Three are drawn; the report has all."""
    points = [
        samples.measured(f"one of {name}", steps, family=f"family {name}")
        for name in range(families)
        for steps in samples.DOUBLED
    ]

    assert chart_lines(samples.loaded(points), 80)[-1] == said
