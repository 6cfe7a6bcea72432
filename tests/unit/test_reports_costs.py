"""The table at one length: what was measured, what is marked, and what a wall proves."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.crossover.costs import BuildCost, build_costs
from profiler.analysis.results import RunResults
from profiler.analysis.series import metric_series
from profiler.facts import WallStatus
from reports.tables.costs import cost_grid, cost_notes, wall_text
from reports.tables.grid import Grid
from reports.texts.numbers import DASH


def _builds(results: RunResults, steps: int) -> list[BuildCost]:
    return build_costs(metric_series(results.run), results.run.walls, steps=steps)


def _cells(grid: Grid) -> list[tuple[str, ...]]:
    return [row.cells for row in grid.rows]


def _notes(builds: list[BuildCost]) -> list[str]:
    return cost_notes(builds, measured_to=256)


class TestCosts:
    """The table at one length."""

    def test_the_table_holds_what_was_measured(self) -> None:
        """At 256 steps: 40 + 17 · 256 nodes, a MiB and 96 KiB per step."""
        grid = cost_grid(_builds(samples.contrast(), 256))
        row = dict(zip(grid.headings, grid.rows[0].cells, strict=True))

        assert row["scenario"] == "static_rnn"
        assert row["nodes"] == f"{40 + 17 * 256:,}"
        assert row["device peak"] == f"{1 + 256 * 96 / 1024:.1f} MiB"
        assert row["wall"] == "650 steps under 64 MiB"

    def test_what_was_not_run_is_marked(self) -> None:
        """Every number at a length that was not run bears the mark."""
        builds = _builds(samples.contrast(), 100)
        numbers = cost_grid(builds).rows[0].cells[1:-2]

        assert all(text.startswith("≈ ") for text in numbers)
        assert any("≈ predicted by law, not run" in note for note in _notes(builds))

    def test_measured_numbers_bear_no_mark(self) -> None:
        """Nor does a note speak of it."""
        builds = _builds(samples.contrast(), 256)

        assert not any("≈" in text for row in _cells(cost_grid(builds)) for text in row)
        assert not any("≈" in note for note in _notes(builds))

    def test_a_dash_has_a_reason(self) -> None:
        """The first step is not predicted."""
        builds = _builds(samples.contrast(), 4096)
        grid = cost_grid(builds)
        (note, *_) = [note for note in _notes(builds) if "first step of static_rnn" in note]

        assert grid.rows[0].cells[grid.headings.index("first step")] == DASH
        assert "takes more time per node" in note

    def test_the_best_are_named(self) -> None:
        """A MiB and 64 KiB per step, at 1.4 times the time: both are optimal."""
        (first, *_) = _notes(_builds(samples.contrast(), 256))

        assert first.endswith(": static_rnn and dynamic_rnn")

    def test_one_repeat_without_a_law_is_called_vague(self) -> None:
        """A time of one length alone."""
        results = samples.loaded([samples.measured("a"), samples.measured("b")])
        builds = _builds(results, 8)
        first, *rest = _notes(builds)

        assert first == (
            "unknown (within noise, not measured, or not the same in both schedules): a and b"
        )
        assert rest == ["steady step of a and b: its noise is not known: use --repeats 3"]

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (WallStatus.EXACT, "650 steps under 64 MiB"),
            (WallStatus.AT_LEAST, "beyond 650 steps under 64 MiB"),
            (WallStatus.REPLAYED, "650 steps (replayed) under 64 MiB"),
            (WallStatus.UNPROVEN, "not proven under 64 MiB"),
        ],
    )
    def test_a_wall_says_what_was_proven(self, status: WallStatus, text: str) -> None:
        """And no more."""
        assert wall_text(samples.wall(status=status)) == text

    def test_other_walls_say_theirs(self) -> None:
        """A band, one below the first step, and one of the host."""
        below = samples.wall(last_ok=None, status=WallStatus.AT_MOST)

        assert wall_text(samples.band(640, 660)) == "640 to 660 steps under 64 MiB"
        assert wall_text(below) == "before 1 step under 64 MiB"
        assert wall_text(samples.wall(kind="host")).endswith("under 64 MiB of host memory")
