"""Crossovers and choices in words: who needs least, where, and how that is known."""

from __future__ import annotations

import dataclasses
import json

import pytest
import report_samples as samples

from profiler.analysis.crossover.costs import build_costs
from profiler.analysis.crossover.crossovers import Crossover, MissingLaw, crossovers
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from profiler.analysis.series import metric_series
from profiler.facts import replace
from reports.tables.costs import cost_grid
from reports.tables.versus import (
    crossover_lines,
    crossover_text,
    versus_document,
    versus_grid,
)
from reports.texts.numbers import DASH

STATIC, LOOP = ("static",), ("loop",)


def _crossover(
    *zones: tuple[int, int, tuple[str, ...]],
    metric: str = "step_time",
    labels: tuple[str, ...] = ("static", "loop"),
    not_predicted: str | None = None,
) -> Crossover:
    """Return a crossover by laws, measured from 8 to 256."""
    return Crossover(
        metric=BY_NAME[metric],
        labels=labels,
        measured=(8, 256),
        zones=tuple(
            Zone(first=first, last=last, least=least, predicted=last < 8 or first > 256)
            for first, last, least in zones
        ),
        lengths=(),
        missing_laws=(),
        not_predicted=not_predicted,
        is_noisy=metric != "peak",
    )


def test_one_reason_of_several_metrics_is_told_once() -> None:
    """In a line of its own; a reason of one metric alone stays beside it."""
    zones = ((8, 256, LOOP), (257, 2048, ()))
    found = [
        _crossover(*zones, metric=metric, not_predicted=reason)
        for metric, reason in (("backprop", "folded"), ("peak", "folded"), ("host", "noisy"))
    ]
    lines = crossover_lines(found)
    wins = "loop needs less at every measured length (8 to 256)"

    assert lines[-1] == "beyond 256 not predicted: backprop memory and device peak (folded)"
    assert f"device peak: {wins}" in lines
    assert f"host memory: {wins}; beyond 256 not predicted (noisy)" in lines


def test_what_is_not_known_as_measured_is_not_missed_beyond() -> None:
    """Why it is not predicted would be one more sentence without an answer."""
    one = _crossover((8, 256, ()), (257, 2048, ()), not_predicted="too wide")

    assert crossover_text(one) == (
        "unknown: within noise at every measured length, profile with more --repeats"
    )


class TestCrossoverText:
    """One line that a person can act on."""

    def test_a_crossing_has_two_sides_and_what_lies_between(self) -> None:
        """As a user would say it."""
        one = _crossover((8, 90, STATIC), (91, 96, ()), (97, 256, LOOP))

        assert crossover_text(one) == (
            "static is faster up to 90 steps, from 97 on loop (between: within noise)"
        )

    @pytest.mark.parametrize(
        ("metric", "verb"),
        [("nodes", "has fewer"), ("peak", "needs less"), ("step_time", "is faster")],
    )
    def test_one_winner_wins_at_every_length(self, metric: str, verb: str) -> None:
        """The verb is the unit's."""
        one = _crossover((8, 256, LOOP), metric=metric)

        assert crossover_text(one) == f"loop {verb} at every measured length (8 to 256)"

    def test_what_was_not_measured_is_predicted(self) -> None:
        """Beyond the longest, and below the shortest where another one wins."""
        one = _crossover(
            *((1, 5, STATIC), (6, 7, LOOP), (8, 256, LOOP), (257, 2048, LOOP)), metric="nodes"
        )

        assert crossover_text(one) == (
            "loop has fewer at every measured length (8 to 256); "
            "predicted, measured to 256: the same up to 2,048 steps; "
            "predicted, measured from 8: static has fewer at 1 to 5 steps"
        )

    def test_a_crossing_that_was_not_measured_is_predicted(self) -> None:
        """It is never said as if it had been run."""
        one = _crossover(
            *((1, 7, STATIC), (8, 256, STATIC), (257, 999, STATIC), (1000, 1000, ())),
            *((1001, 2048, LOOP),),
        )

        assert crossover_text(one) == (
            "static is faster at every measured length (8 to 256); predicted, measured to 256: "
            "static is faster at 257 to 999 steps and loop is faster at 1,001 to 2,048 steps"
        )

    def test_a_prediction_that_noise_hides_is_none(self) -> None:
        """Who wins as measured is not said to win further on."""
        one = _crossover((8, 256, STATIC), (257, 2048, ()))

        assert crossover_text(one) == (
            "static is faster at every measured length (8 to 256); beyond 256: within noise"
        )

    def test_what_is_not_continued_has_a_reason(self) -> None:
        """And no prediction."""
        one = _crossover((8, 256, LOOP), (257, 2048, ()), not_predicted="no law holds there")

        assert crossover_text(one) == (
            "loop is faster at every measured length (8 to 256); "
            "beyond 256 not predicted (no law holds there)"
        )

    @pytest.mark.parametrize(
        ("metric", "text"),
        [
            ("step_time", "within noise at every measured length, profile with more --repeats"),
            ("peak", "too close for the laws at every measured length, profile with more --steps"),
        ],
    )
    def test_nothing_known_says_what_would_help(self, metric: str, text: str) -> None:
        """Repeats where there is noise, else lengths."""
        assert crossover_text(_crossover((8, 256, ()), metric=metric)) == f"unknown: {text}"

    def test_several_unknown_zones_are_listed(self) -> None:
        """A winner in the middle only."""
        one = _crossover((8, 20, ()), (21, 100, LOOP), (101, 256, ()))

        assert crossover_text(one) == (
            "loop is faster from 21 to 100 (8 to 20 and 101 to 256: within noise)"
        )

    @pytest.mark.parametrize(
        ("labels", "least", "text"),
        [
            (("a", "b"), ("a", "b"), "both are equal"),
            (("a", "b", "c"), ("a", "b", "c"), "all are equal"),
            (("a", "b", "c"), ("a", "c"), "a and c (equal) need least"),
            (("a", "b", "c"), ("b",), "b needs least"),
        ],
    )
    def test_equal_is_said_as_equal(
        self, labels: tuple[str, ...], least: tuple[str, ...], text: str
    ) -> None:
        """Not as unknown."""
        one = _crossover((8, 256, least), metric="peak", labels=labels)

        assert crossover_text(one) == f"{text} at every measured length (8 to 256)"

    def test_without_laws_what_was_measured_is_said(self) -> None:
        """With whose law is lacking, why, and what to add."""
        missing = MissingLaw(label="static", reason="no law fits its bends", options="--steps")
        lengths = tuple(Zone(first=n, last=n, least=LOOP) for n in (8, 16, 256))
        one = dataclasses.replace(
            _crossover(metric="peak"), lengths=lengths, missing_laws=(missing,)
        )

        assert crossover_text(one) == (
            "as measured, loop needs less at every measured length (8 to 256); "
            "elsewhere no clear law of static (no law fits its bends: profile with more --steps)"
        )

    def test_without_laws_lengths_are_listed(self) -> None:
        """Nothing is said of what lies between two lengths, even where one wins at both."""
        winners = {8: STATIC, 16: STATIC, 32: (), 64: LOOP, 128: (), 256: STATIC}
        lengths = tuple(Zone(first=n, last=n, least=who) for n, who in winners.items())
        missing = MissingLaw(label="loop", reason="too noisy", options="--repeats 6")
        one = dataclasses.replace(_crossover(), lengths=lengths, missing_laws=(missing,))

        assert crossover_text(one) == (
            "as measured, static is faster at 8, 16 and 256 steps, loop at 64 "
            "(at 32 and 128: within noise); "
            "elsewhere no clear law of loop (too noisy: profile with --repeats 6)"
        )

    def test_laws_that_say_nothing_leave_what_was_measured(self) -> None:
        """No law is lacking; they are too close."""
        lengths = tuple(Zone(first=n, last=n, least=LOOP) for n in (8, 256))
        one = dataclasses.replace(_crossover((8, 256, ()), metric="peak"), lengths=lengths)

        assert crossover_text(one) == (
            "as measured, loop needs less at every measured length (8 to 256); "
            "elsewhere too close for the laws"
        )

    def test_laws_that_lack_for_one_reason_are_named_together(self) -> None:
        """One clause for each reason."""
        missing_laws = (
            MissingLaw(label="static", reason="too noisy", options="--repeats 3"),
            MissingLaw(label="loop", reason="too noisy", options="--repeats 3"),
            MissingLaw(label="other", reason="2 of 3 lengths", options="--steps"),
        )
        one = dataclasses.replace(_crossover(), missing_laws=missing_laws)

        assert crossover_text(one) == (
            "unknown: no clear law of static and loop (too noisy: profile with --repeats 3), "
            "no clear law of other (2 of 3 lengths: profile with more --steps)"
        )

    def test_no_common_length_cannot_be_compared(self) -> None:
        """Nothing is compared that was never measured under equal conditions."""
        one = dataclasses.replace(_crossover((1, 256, LOOP)), measured=None)

        assert crossover_text(one) == "unknown: no length was measured for all"


class TestGrid:
    """The table of the report."""

    def test_a_line_for_each_family_and_metric(self) -> None:
        """40 + 17 T nodes against 135: the loop has fewer from 6 steps on."""
        rows = [row.cells for row in versus_grid(samples.contrast()).rows]

        assert {row[0] for row in rows} == {"builds"}
        assert rows[0][1:] == (
            "nodes",
            (
                "dynamic_rnn has fewer at every measured length (8 to 256); "
                "predicted, measured to 256: the same up to 2,048 steps; "
                "predicted, measured from 8: static_rnn has fewer at 1 to 5 steps"
            ),
        )
        assert [row[1] for row in rows] == [one.metric.title for one in _contests()]

    def test_one_build_or_none_has_no_contest(self) -> None:
        """One alone beats nobody, and walls alone are no curves."""
        alone = samples.loaded([samples.measured(steps=n) for n in samples.DOUBLED])

        assert versus_grid(alone).rows == ()
        assert versus_grid(samples.loaded([], [samples.wall()])).rows == ()

    def test_families_are_not_mixed(self) -> None:
        """Four builds, and eight of another kind."""
        found = samples.large().family_series

        assert {name: len({c.label for c in of}) for name, of in found.items()} == {
            "builds": 4,
            "shapes": 8,
        }


def _contests() -> list[Crossover]:
    return crossovers(metric_series(samples.contrast().run))


class TestDocument:
    """What ``--json`` prints."""

    def test_numbers_are_raw(self) -> None:
        """Bytes and zones as they are, and JSON takes them."""
        results = samples.contrast()
        document = versus_document(
            _contests(),
            build_costs(metric_series(results.run), results.run.walls, steps=256),
            run=results.run.name,
            steps=256,
        )
        found = json.loads(json.dumps(document, allow_nan=False))
        peak = found["scenarios"][0]["values"]["peak"]

        assert (found["schema"], found["run"], found["steps"]) == (1, "sample", 256)
        assert found["metrics"][0]["zones"][0] == {
            "first": 1,
            "last": 5,
            "least": ["static_rnn"],
            "predicted": True,
        }
        assert found["metrics"][0]["until"] == 8 * 256
        assert (peak["value"], peak["predicted"]) == ((1024 + 96 * 256) * 1024, False)
        assert found["scenarios"][1]["walls"][0]["last_ok"] == 980


class TestMissing:
    """What one build missing_laws."""

    def test_one_alone_is_no_contest(self) -> None:
        """Only one build has times: the metric has a line all the same, and the table a dash."""
        run = _untimed("dynamic_rnn").run
        grid = cost_grid(build_costs(metric_series(run), steps=256))
        lines = crossover_lines(crossovers(metric_series(run)))

        assert "step_time" not in {one.metric.name for one in crossovers(metric_series(run))}
        assert "steady step: unknown: measured for fewer than two" in lines
        assert grid.rows[1].cells[grid.headings.index("steady step")] == DASH

    def test_who_was_not_measured_is_named(self) -> None:
        """Two of three can be compared."""
        run = _untimed("b", names=("a", "b", "c")).run
        (step,) = [one for one in crossovers(metric_series(run)) if one.metric.name == "step_time"]

        assert step.labels == ("a", "c")
        assert crossover_text(step).endswith("; not measured: b")


def _untimed(name: str, names: tuple[str, ...] = ("static_rnn", "dynamic_rnn")) -> RunResults:
    """Return a run in which one build has no times."""
    points = [samples.measured(one, n) for one in names for n in samples.DOUBLED]
    return samples.loaded(
        replace(one, step=None, phases=[]) if one.point.scenario == name else one for one in points
    )
