"""Both runs of a comparison in one page's data: the second counts on from the first."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.compare.runs import compare
from profiler.facts import Run, replace
from reports.pages.comparison import comparison_data

BEFORE, AFTER = 96, 144


def run_of(kib: int, name: str) -> Run:
    """Return a run of one build that holds so many KiB per step, and of another that stays."""
    points = [
        *(samples.measured("a", n, kib_per_step=kib) for n in samples.DOUBLED),
        *(samples.measured("b", n) for n in samples.DOUBLED),
    ]
    trace = replace(points[0], trace=samples.EXPLANATION)
    walls = [samples.wall("a", 10 * kib), samples.wall("b", 700)]
    return replace(samples.run([trace, *points[1:]], walls), name=name)


def test_every_row_of_the_second_run_names_its_own_build() -> None:
    """Points, walls, probes, laws, lines and explained steps are of builds of its own."""
    before, after = run_of(BEFORE, "before"), run_of(AFTER, "after")
    data = comparison_data(before, after, compare(before, after))

    assert [(one.label, one.run) for one in data.builds] == [
        (label, run) for run in ("before", "after") for label in ("a", "b")
    ]
    points = zip(data.points.column("build"), data.points.column("backprop"), strict=True)
    assert max(value for build, value in points if build == 2) == AFTER * samples.KIB * 256
    assert data.walls.column("build") == [0, 1, 2, 3]
    assert data.walls.column("last_ok") == [10 * BEFORE, 700, 10 * AFTER, 700]
    assert set(data.probes.column("wall")) == {0, 1, 2, 3}
    assert [step.build for step in data.steps] == [0, 2]
    assert {line.build for line in data.lines} == {0, 1, 2, 3}
    assert all(line.grid is None or line.grid < len(data.grids) for line in data.lines)


def test_the_worst_change_comes_first() -> None:
    """In the sentences and in the table: half as much again per step."""
    before, after = run_of(BEFORE, "before"), run_of(AFTER, "after")
    data = comparison_data(before, after, compare(before, after))
    assert data.changes is not None

    assert data.answer.title == "What changed from before to after"
    assert "Worst: a: backprop memory" in data.answer.sentences[1]
    assert data.changes.column("change")[0] == pytest.approx(AFTER / BEFORE - 1)


def test_runs_of_one_name_are_told_apart() -> None:
    """A baseline and the run after it."""
    run = run_of(BEFORE, "same")
    data = comparison_data(run, run, compare(run, run))

    assert {one.run for one in data.builds} == {"same before", "same now"}
