"""The small table says of each build what a step costs and where memory ends."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import WallStatus
from reports.tables.grid import Grid
from reports.tables.summary import summary_grid
from reports.texts.numbers import DASH


def _rows(grid: Grid) -> dict[str, dict[str, str]]:
    return {row.cells[0]: dict(zip(grid.headings, row.cells, strict=True)) for row in grid.rows}


def test_each_series_has_a_row_with_growth_and_wall() -> None:
    """17 nodes a step of the unrolled one, none of the loop; 96 KiB a step."""
    rows = _rows(summary_grid(samples.contrast()))
    unrolled = rows["static_rnn"]

    assert unrolled["nodes per step"] == "17"
    assert unrolled["device peak per step"].startswith(f"{samples.KIB_PER_STEP}.0 KiB")
    assert unrolled["survives 64 MiB"] == "650 steps"
    assert rows["dynamic_rnn"]["nodes per step"] == "0"


def test_what_is_not_known_is_a_dash() -> None:
    """One length has no law, and no wall was searched."""
    rows = _rows(summary_grid(samples.loaded([samples.measured(steps=64)])))

    assert rows["static_rnn"]["nodes per step"] == DASH
    assert rows["static_rnn"]["longest"] == "64"


def test_a_run_of_walls_alone_has_their_columns_only() -> None:
    """Of two limits each has its own."""
    walls = [samples.wall(), samples.wall(status=WallStatus.UNPROVEN, last_ok=None)]
    grid = summary_grid(samples.loaded([], walls[:1]))

    assert grid.headings == ("scenario", "survives 64 MiB")
    assert _rows(grid)["static_rnn"]["survives 64 MiB"] == "650 steps"


def test_an_empty_run_has_no_rows() -> None:
    """Nothing is no error."""
    assert summary_grid(samples.loaded()).rows == ()
