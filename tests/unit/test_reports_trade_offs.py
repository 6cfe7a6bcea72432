"""The table of what moves a wall, as a stranger reads it."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import ScheduleCheck, WallStatus, replace
from reports.tables.grid import Grid
from reports.tables.trade_offs import trade_off_tables
from reports.texts.numbers import DASH, times_text


def _rows(grid: Grid) -> list[dict[str, str]]:
    return [dict(zip(grid.headings, row.cells, strict=True)) for row in grid.rows]


def test_each_build_is_told_with_its_wall_and_its_costs() -> None:
    """The looped one takes 1.4 times the time of the unrolled one and goes 980 / 650 as far."""
    (table,) = trade_off_tables(samples.contrast())
    far, near = _rows(table.grid)

    assert table.title == "builds: what moves the wall under 64 MiB; costs at 256 steps"
    assert (far["scenario"], far["wall"]) == ("dynamic_rnn", "980 steps")
    assert (near["scenario"], near["wall"]) == ("static_rnn", "650 steps")
    assert (far["of static_rnn's wall"], far["of static_rnn's step"]) == (
        times_text(1.5),
        times_text(1.4),
    )
    assert near["of static_rnn's wall"] == near["of static_rnn's step"] == times_text(1)
    assert near["device peak"] == f"{1 + 256 * 96 / 1024:.1f} MiB"
    assert near["nodes"] == f"{40 + 17 * 256:,}"


def test_memory_in_parallel_is_a_difference_with_its_sign() -> None:
    """From the least to the most of three runs; next to none is 0."""
    check = ScheduleCheck(steps=64, serial_peak_bytes=1000, parallel_peak_bytes=[1120, 998, 1001])
    walls = [replace(samples.wall("a"), schedules=check), samples.wall("b")]
    points = [samples.measured(name, steps) for name in ("a", "b") for steps in (8, 16)]
    (table,) = trade_off_tables(samples.loaded(points, walls))
    found = {row["scenario"]: row["memory in parallel"] for row in _rows(table.grid)}

    assert found == {"a": "0 to +12 %", "b": DASH}


def test_without_two_walls_there_is_no_table() -> None:
    """Nor for a family of one build."""
    points = [samples.measured(name, steps) for name in ("a", "b") for steps in (8, 16)]

    assert trade_off_tables(samples.loaded(points, [samples.wall("a")])) == []
    alone = samples.loaded(points[:2], [samples.wall("a")])
    assert trade_off_tables(alone) == []


def test_what_is_not_proven_is_not_divided() -> None:
    """A wall beyond what was searched has no ratio, and may be the best."""
    walls = [samples.wall("a"), samples.wall("b", 5000, status=WallStatus.AT_LEAST)]
    points = [samples.measured(name, steps) for name in ("a", "b") for steps in (8, 16)]
    (table,) = trade_off_tables(samples.loaded(points, walls))
    far, _ = _rows(table.grid)

    assert (far["scenario"], far["wall"]) == ("b", "beyond 5,000 steps")
    assert far["of a's wall"] == DASH


def test_each_family_has_its_own_first_build() -> None:
    """Builds and shapes are not compared with each other."""
    titles = [table.title for table in trade_off_tables(samples.large())]

    assert [title.partition(":")[0] for title in titles] == ["builds", "shapes"]
