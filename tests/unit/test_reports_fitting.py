"""A table is as wide as the terminal, and its rows are short."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from profiler.plain_text import one_line
from reports.tables.fitting import FittedTable, fitted
from reports.tables.grid import Grid, GridRow, measurement_grid, wall_grid

WIDTHS = (40, 60, 80, 100, 120, 200)
LONG = "an_extraordinarily_long_scenario_name_that_someone_chose batch=128 cell=lstm"
CELLS = st.one_of(
    st.text(max_size=50), st.sampled_from([LONG, "内容" * 20, "1,234,567 KiB", "a b " * 40, ""])
)


def lines_of(found: FittedTable, width: int) -> list[str]:
    """Return the printed lines."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(found.table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def grid_of(
    headings: Sequence[str], *rows: Sequence[str], numeric: str = "", least: Sequence[str] = ()
) -> Grid:
    """Return a table; ``numeric`` has an ``n`` for each column of numbers."""
    return Grid(
        headings=tuple(headings),
        numeric=tuple(kind == "n" for kind in numeric.ljust(len(headings), "-")),
        rows=tuple(GridRow(cells=tuple(cells)) for cells in rows),
        least=tuple(least),
    )


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Return any table of one to nine columns."""
    count = draw(st.integers(1, 9))
    headings = [f"{draw(st.sampled_from(['a', 'two words', 'x' * 30]))} {n}" for n in range(count)]
    rows = draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=4))
    numeric = draw(st.text(alphabet="n-", min_size=count, max_size=count))
    least = draw(st.lists(st.sampled_from(headings), unique=True))
    return grid_of(headings, *rows, numeric=numeric, least=least)


@settings(max_examples=60)
@given(grids(), st.integers(20, 220))
def test_no_line_is_wider_than_the_terminal_and_no_row_is_a_tower(grid: Grid, width: int) -> None:
    """Whatever the cells hold; two lines of headings, one of dashes, two for each row."""
    found = fitted(grid, width)
    lines = lines_of(found, width)

    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= 3 + 2 * len(grid.rows)
    assert found.grid.headings[:1] or not grid.headings
    kept = len(found.grid.headings)
    assert kept + len(found.left_out) == len(grid.headings)
    assert kept >= min(2, len(grid.headings))


@settings(max_examples=60)
@given(grids(), st.integers(20, 220))
def test_what_is_not_shown_is_told(grid: Grid, width: int) -> None:
    """A reader knows that there is more, and where."""
    found = fitted(grid, width)
    given_cells = [one_line(cell) for row in grid.rows for cell in row.cells]
    shown = [cell for row in found.grid.rows for cell in row.cells]
    is_whole = list(map(str.split, shown)) == list(map(str.split, given_cells))

    assert (found.note is None) == (not found.left_out and not found.is_cut)
    assert found.note is not None or is_whole or any(len(cell) > 20 for cell in given_cells)


@given(st.integers(20, 120), st.integers(0, 10**12))
def test_a_number_is_whole_or_not_there(width: int, number: int) -> None:
    """A part of it would be another one."""
    text = f"{number:,}"
    grid = grid_of(["name", "value", "other"], [LONG, text, text], numeric="-nn")
    shown = fitted(grid, width).grid.rows[0].cells[1:]

    assert set(shown) <= {text, "…"}


def test_columns_go_by_importance_and_keep_their_order() -> None:
    """First those that are named, then from the right."""
    headings = ["name", "little", "much", "more", "less"]
    grid = grid_of(headings, ["n" * 10, *["5" * 10] * 4], numeric="-nnnn", least=["less", "little"])

    assert fitted(grid, 60).grid.headings == tuple(headings)
    assert fitted(grid, 50).grid.headings == ("name", "little", "much", "more")
    assert fitted(grid, 40).grid.headings == ("name", "much", "more")
    assert fitted(grid, 30).grid.headings == ("name", "much")
    assert fitted(grid, 30).note == (
        "(not shown at this width: little, more and less: use a wider terminal, or --json)"
    )


def test_a_long_name_keeps_its_two_ends() -> None:
    """The scenario begins it, the parameters that tell it apart end it."""
    grid = grid_of(["scenario", "survives", "runs out"], [LONG, "827", "828"], numeric="-nn")
    found = fitted(grid, 60)
    cells = found.grid.rows[0].cells

    assert cells[0].startswith("an_extraordinarily")
    assert cells[0].endswith("batch=128 cell=lstm")
    assert cells[1:] == ("827", "828")
    assert found.is_cut


def test_words_take_two_lines_at_most() -> None:
    """A reason that is longer ends in dots, and the note says so."""
    reason = "it ran out of memory while " + "it asked for more and " * 10
    found = fitted(grid_of(["name", "why"], ["a", reason]), 40)

    assert found.grid.rows[0].cells[1].count("\n") == 1
    assert found.grid.rows[0].cells[1].endswith("…")
    assert found.note == "(cells cut short: use a wider terminal, or --json)"


def test_headings_are_broken_before_columns_go() -> None:
    """Nothing is lost by that."""
    grid = grid_of(["name", "nodes in functions"], ["some_name", "88"], numeric="-n")

    assert fitted(grid, 22).grid.headings == ("name", "nodes in\nfunctions")


def test_markup_and_sequences_in_a_cell_are_text() -> None:
    """An author's name may look like them."""
    found = fitted(grid_of(["name"], ["[red]x[/red] \x1b[31m\r\n :smile:"]), 80)

    assert r"[red]x[/red] \x1b[31m :smile:" in "\n".join(lines_of(found, 80))


def test_an_ascii_terminal_gets_ascii() -> None:
    """The replaced characters count in the widths."""
    found = fitted(grid_of(["law", "note"], ["46 + 17·T ± 2", "–"]), 40, encoding="ascii")  # noqa: RUF001
    cut = fitted(grid_of(["law", "note"], ["x" * 90, "y" * 90]), 30, encoding="ascii")

    assert found.grid.rows[0].cells == ("46 + 17*T +/- 2", "-")
    assert all(cell.isascii() for cell in cut.grid.rows[0].cells)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_tables_of_a_run_fit_every_terminal(width: int) -> None:
    """What is asked for most is there at each width."""
    results = samples.contrast()
    walls = fitted(wall_grid(results), width)
    points = fitted(measurement_grid(results), width)

    for found in (walls, points):
        assert max(map(cell_len, lines_of(found, width))) <= width
    assert {"scenario", "survives"} <= set(walls.grid.headings)
    assert {"scenario", "steps"} <= set(points.grid.headings)
