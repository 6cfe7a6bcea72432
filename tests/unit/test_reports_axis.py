"""Every text calls the swept axis by its name; numbers over different axes do not compare."""

from __future__ import annotations

import re
from collections.abc import Callable

import report_samples as samples

from profiler.analysis.crossover.crossovers import crossovers
from profiler.analysis.results import RunResults
from profiler.facts import (
    Certificate,
    Measurement,
    ScheduleCheck,
    WallStatus,
    encode,
    replace,
)
from profiler.facts.labels import Labels
from reports.pages.data import page_data
from reports.plots.laws import law_plots
from reports.plots.measurements import plots
from reports.tables.grid import Grid, measurement_grid, wall_grid
from reports.tables.versus import crossover_lines
from reports.texts.answer import answer
from reports.texts.certificate import certificate_lines
from reports.texts.story import story

# A number of steps, or what is counted by them; a training step has other words around it.
STEPS = re.compile(
    r"\d steps?\b|\bper step\b|more step\b|time steps?\b|\bmost steps\b|number of steps|"
    r"to the step\b|of steps\b|fewest steps|T: steps"
)
CHECK = ScheduleCheck(steps=64, serial_peak_bytes=100, parallel_peak_bytes=[120, 130, 140])


def over(axis: str) -> Callable[[Measurement], Measurement]:
    """Return what makes a measurement one over this axis."""

    def moved(one: Measurement) -> Measurement:
        trace = one.trace and replace(one.trace, axis=axis)
        return replace(one, point=replace(one.point, axis=axis), trace=trace)

    return moved


def walls(axis: str) -> list[Certificate]:
    """Return a wall of each status over this axis, one of them explained."""
    explained = replace(samples.EXPLANATION, axis=axis, schedules=CHECK, theory=None)
    found = [
        replace(samples.foreseen(samples.wall("a")), explanation=explained, schedules=CHECK),
        replace(samples.band(), scenario="b", multiple_of=10),
        replace(samples.band(), scenario="b2", first_oom=None),
        samples.wall("c", 5000, status=WallStatus.AT_LEAST),
        samples.wall("d", None, status=WallStatus.AT_MOST),
        samples.wall("e", 244, status=WallStatus.UNPROVEN),
    ]
    return [replace(one, axis=axis) for one in found]


def run(axis: str) -> RunResults:
    """Return a run with every kind of text in it, over this axis."""
    explained = replace(samples.EXPLANATION, theory=None, advice=[], schedules=CHECK)
    points = [
        *(samples.measured("a", n, family="one") for n in samples.DOUBLED),
        *(samples.measured("b", n, family="one", unrolled=False) for n in samples.DOUBLED),
        samples.failed(samples.measured("c", 8, family="one")),
        samples.skipped(samples.measured("c", 16, family="one"), after=8),
        replace(samples.measured("a", 200, family="one"), trace=explained, notes=["odd"]),
    ]
    return samples.loaded(map(over(axis), points), walls(axis))


def texts_of(results: RunResults) -> str:
    """Return every text of the page, without its glossary of what a step is."""
    return encode(page_data(results))


def cells(grid: Grid, heading: str) -> list[str]:
    """Return a column of a table."""
    at = grid.headings.index(heading)
    return [row.cells[at] for row in grid.rows]


def test_no_text_of_a_page_speaks_of_steps_on_another_axis() -> None:
    """Not the sentences, tables, cards, explanations, failures or notes."""
    found = [match[0] for match in STEPS.finditer(texts_of(run("units")))]
    # What skipped the point was said when it was measured.
    assert [one for one in found if one != "8 steps"] == []


def test_the_same_page_over_steps_speaks_of_them() -> None:
    """So the search above finds what it looks for."""
    assert len(STEPS.findall(texts_of(run("steps")))) > 20


def test_no_line_of_a_certificate_speaks_of_steps_on_another_axis() -> None:
    """Of any status, plural or not."""
    for axis in ("units", "batch"):
        for wall in walls(axis):
            lines = certificate_lines(wall, samples.FRAMEWORK)

            assert STEPS.findall("\n".join(lines)) == []


def test_a_certificate_counts_by_its_axis() -> None:
    """A plural after the number, another name before it."""
    units, batch = (
        "\n".join(certificate_lines(replace(samples.wall(), axis=axis), samples.FRAMEWORK))
        for axis in ("units", "batch")
    )

    assert "  survives    650 units   peak" in units
    assert "  runs out    651 units   in first step" in units
    assert "  predicted   647 units   from 2 points of at most 80 units: 3 units too few" in units
    assert "  survives    batch 650   peak" in batch
    assert "  predicted   batch 647   from 2 points of at most batch 80: 3 too few" in batch


def test_a_story_counts_by_its_axis() -> None:
    """Where a shorter length proves what each of them takes."""
    (sentence, *_) = story(replace(samples.EXPLANATION, axis="units", advice=[]))

    assert sentence.endswith("wait to be summed, 200 units × 98,304 B.")  # noqa: RUF001


def test_growth_is_counted_by_the_axis() -> None:
    """In the answer and in the table of laws."""
    results = run("batch")
    law = page_data(results).laws

    assert any(one.startswith("One more unit of batch costs") for one in answer(results).sentences)
    assert [one.title for one in law.columns][2] == "law (T: batch)"


def test_plots_name_the_axis() -> None:
    """Below each panel; time steps are called so."""
    for axis, title in (("steps", "time steps"), ("units", "units")):
        drawn = [*plots(run(axis)), *law_plots(run(axis))]
        labels = {ax.get_xlabel().partition(" (")[0] for one in drawn for ax in one.figure.axes}

        assert labels - {""} == {title}


class TestSeveralAxes:
    """A run whose scenarios have different axes."""

    def mixed(self) -> RunResults:
        """Return one scenario over steps and one over units, of one family, with their walls."""
        points = [
            *(samples.measured("a", n, family="one") for n in samples.DOUBLED),
            *(over("units")(samples.measured("b", n, family="one")) for n in samples.DOUBLED),
        ]
        found = [samples.wall("a", family="one"), samples.wall("b", 90, family="one")]
        return samples.loaded(points, [found[0], replace(found[1], axis="units")])

    def test_each_series_is_named_by_its_own(self) -> None:
        """In every label; in a run of one axis in none."""
        results = self.mixed()

        assert results.axes == ["steps", "units"]
        assert list(results.families["one"]) == ["a over steps", "b over units"]
        assert Labels(m.point for _, m in run("units").measurements)(
            run("units").measurements[0][1].point
        ) == ("a")

    def test_each_number_says_what_it_counts(self) -> None:
        """In the tables of measurements and of walls."""
        results = self.mixed()

        assert cells(measurement_grid(results), "at")[0] == "8 steps"
        assert cells(measurement_grid(results), "at")[-1] == "256 units"
        assert cells(wall_grid(results), "survives") == ["650 steps", "90 units"]
        assert cells(wall_grid(run("steps")), "survives")[0] == "650"
        assert cells(wall_grid(run("units")), "survives")[0] == "650 units"

    def test_they_are_not_compared(self) -> None:
        """No sentence sets one against the other, and neither needs less than the other."""
        results = self.mixed()

        assert page_data(results).contests == []
        assert not any(
            "a over steps" in text and "b over units" in text for text in answer(results).sentences
        )

    def test_plots_name_all_of_them(self) -> None:
        """One panel of a family holds both."""
        drawn = plots(self.mixed())
        labels = {ax.get_xlabel().partition(" (")[0] for one in drawn for ax in one.figure.axes}

        assert "time steps or units" in labels


def test_crossovers_name_the_axis() -> None:
    """Of builds over one axis."""
    members = [one for one in run("units").series if one.label in {"a", "b"}]
    lines = crossover_lines(crossovers(members))

    assert STEPS.findall("\n".join(lines)) == []
    assert any("units" in line for line in lines)
