"""Contests and choices in words: who needs least, where, and how that is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import report_samples as samples

from profiler.analysis.crossover.choices import choices
from profiler.analysis.crossover.contests import Crossover, MissingLaw
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import find_metric
from profiler.analysis.series import curves
from profiler.store.frames import LoadedRun
from reports.tables.choices import choice_grid
from reports.tables.versus import (
    contest_lines,
    contest_text,
    contests,
    versus_document,
    versus_grid,
)
from reports.texts.numbers import DASH

STATIC, LOOP = ("static",), ("loop",)


def _contest(
    *zones: tuple[int, int, tuple[str, ...]],
    metric: str = "step_time",
    labels: tuple[str, ...] = ("static", "loop"),
    beyond: str | None = None,
) -> Crossover:
    """Return a contest by laws, measured from 8 to 256."""
    return Crossover(
        metric=find_metric(metric),
        labels=labels,
        measured=(8, 256),
        zones=tuple(
            Zone(first=first, last=last, least=least, predicted=last < 8 or first > 256)
            for first, last, least in zones
        ),
        lengths=(),
        missing_laws=(),
        beyond=beyond,
        is_noisy=metric != "peak",
    )


class TestContestText:
    """One line that a person can act on."""

    def test_a_crossing_has_two_sides_and_what_lies_between(self) -> None:
        """As a user would say it."""
        one = _contest((8, 90, STATIC), (91, 96, ()), (97, 256, LOOP))

        assert contest_text(one) == (
            "static is faster up to 90 steps, from 97 on loop (between: within noise)"
        )

    @pytest.mark.parametrize(
        ("metric", "verb"),
        [("nodes", "has fewer"), ("peak", "needs less"), ("step_time", "is faster")],
    )
    def test_one_winner_wins_at_every_length(self, metric: str, verb: str) -> None:
        """The verb is the unit's."""
        one = _contest((8, 256, LOOP), metric=metric)

        assert contest_text(one) == f"loop {verb} at every measured length (8 to 256)"

    def test_what_was_not_measured_is_predicted(self) -> None:
        """Beyond the longest, and below the shortest where another one wins."""
        one = _contest(
            *((1, 5, STATIC), (6, 7, LOOP), (8, 256, LOOP), (257, 2048, LOOP)), metric="nodes"
        )

        assert contest_text(one) == (
            "loop has fewer at every measured length (8 to 256); "
            "predicted, measured to 256: the same up to 2,048 steps; "
            "predicted, measured from 8: static has fewer at 1 to 5 steps"
        )

    def test_a_crossing_that_was_not_measured_is_predicted(self) -> None:
        """It is never said as if it had been run."""
        one = _contest(
            *((1, 7, STATIC), (8, 256, STATIC), (257, 999, STATIC), (1000, 1000, ())),
            *((1001, 2048, LOOP),),
        )

        assert contest_text(one) == (
            "static is faster at every measured length (8 to 256); predicted, measured to 256: "
            "static is faster at 257 to 999 steps and loop is faster at 1,001 to 2,048 steps"
        )

    def test_a_prediction_that_noise_hides_is_none(self) -> None:
        """Who wins as measured is not said to win further on."""
        one = _contest((8, 256, STATIC), (257, 2048, ()))

        assert contest_text(one) == (
            "static is faster at every measured length (8 to 256); beyond 256: within noise"
        )

    def test_what_is_not_continued_has_a_reason(self) -> None:
        """And no prediction."""
        one = _contest((8, 256, LOOP), (257, 2048, ()), beyond="no law foretells it")

        assert contest_text(one) == (
            "loop is faster at every measured length (8 to 256); "
            "beyond 256 nothing is told (no law foretells it)"
        )

    @pytest.mark.parametrize(
        ("metric", "text"),
        [
            ("step_time", "within noise at every measured length, add --repeats"),
            ("peak", "too close for the laws at every measured length, add --steps"),
        ],
    )
    def test_nothing_told_says_what_would_help(self, metric: str, text: str) -> None:
        """Repeats where there is noise, else lengths."""
        assert contest_text(_contest((8, 256, ()), metric=metric)) == f"cannot be told: {text}"

    def test_several_unknown_zones_are_listed(self) -> None:
        """A winner in the middle only."""
        one = _contest((8, 20, ()), (21, 100, LOOP), (101, 256, ()))

        assert contest_text(one) == (
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
        one = _contest((8, 256, least), metric="peak", labels=labels)

        assert contest_text(one) == f"{text} at every measured length (8 to 256)"

    def test_without_laws_what_was_measured_is_told(self) -> None:
        """With whose law is lacking, why, and what to add."""
        lack = MissingLaw(label="static", reason="no law has its bends", options="--steps")
        lengths = tuple(Zone(first=n, last=n, least=LOOP) for n in (8, 16, 256))
        one = replace(_contest(metric="peak"), lengths=lengths, missing_laws=(lack,))

        assert contest_text(one) == (
            "as measured, loop needs less at every measured length (8 to 256); "
            "elsewhere no clear law of static (no law has its bends: add --steps)"
        )

    def test_without_laws_lengths_are_listed(self) -> None:
        """Nothing is said of what lies between two lengths, even where one wins at both."""
        winners = {8: STATIC, 16: STATIC, 32: (), 64: LOOP, 128: (), 256: STATIC}
        lengths = tuple(Zone(first=n, last=n, least=who) for n, who in winners.items())
        lack = MissingLaw(label="loop", reason="too noisy", options="--repeats 6")
        one = replace(_contest(), lengths=lengths, missing_laws=(lack,))

        assert contest_text(one) == (
            "as measured, static is faster at 8, 16 and 256 steps, loop at 64 "
            "(at 32 and 128: within noise); "
            "elsewhere no clear law of loop (too noisy: add --repeats 6)"
        )

    def test_laws_that_tell_nothing_leave_what_was_measured(self) -> None:
        """No law is lacking; they are too close."""
        lengths = tuple(Zone(first=n, last=n, least=LOOP) for n in (8, 256))
        one = replace(_contest((8, 256, ()), metric="peak"), lengths=lengths)

        assert contest_text(one) == (
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
        one = replace(_contest(), missing_laws=missing_laws)

        assert contest_text(one) == (
            "cannot be told: no clear law of static and loop (too noisy: add --repeats 3), "
            "no clear law of other (2 of 3 lengths: add --steps)"
        )

    def test_no_common_length_cannot_be_told(self) -> None:
        """Nothing is compared that was never measured alike."""
        one = replace(_contest((1, 256, LOOP)), measured=None)

        assert contest_text(one) == "cannot be told: no length was measured of all"


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
        found = samples.large().family_curves()

        assert {name: len({c.label for c in of}) for name, of in found.items()} == {
            "builds": 4,
            "shapes": 8,
        }


def _contests() -> list[Crossover]:
    return contests(curves(samples.contrast().run))


class TestDocument:
    """What ``--json`` prints."""

    def test_numbers_are_raw(self) -> None:
        """Bytes and zones as they are, and JSON takes them."""
        loaded = samples.contrast()
        document = versus_document(
            _contests(),
            choices(curves(loaded.run), loaded.run.walls, steps=256),
            run=loaded.run.name,
            steps=256,
        )
        told = json.loads(json.dumps(document, allow_nan=False))
        peak = told["scenarios"][0]["values"]["peak"]

        assert (told["schema"], told["run"], told["steps"]) == (1, "sample", 256)
        assert told["metrics"][0]["zones"][0] == {
            "first": 1,
            "last": 5,
            "least": ["static_rnn"],
            "predicted": True,
        }
        assert told["metrics"][0]["told_to"] == 8 * 256
        assert (peak["value"], peak["predicted"]) == ((1024 + 96 * 256) * 1024, False)
        assert told["scenarios"][1]["walls"][0]["last_ok"] == 980


class TestMissing:
    """What one build missing_laws."""

    def test_one_alone_is_no_contest(self) -> None:
        """Only one build has times: the metric has a line all the same, and the table a dash."""
        run = _untimed("dynamic_rnn").run
        grid = choice_grid(choices(curves(run), steps=256))
        lines = contest_lines(contests(curves(run)))

        assert "step_time" not in {one.metric.name for one in contests(curves(run))}
        assert "steady step: cannot be told: fewer than two were measured" in lines
        assert grid.rows[1].cells[grid.headings.index("steady step")] == DASH

    def test_who_was_not_measured_is_named(self) -> None:
        """Two of three can be compared."""
        run = _untimed("b", names=("a", "b", "c")).run
        (step,) = [one for one in contests(curves(run)) if one.metric.name == "step_time"]

        assert step.labels == ("a", "c")
        assert contest_text(step).endswith("; not measured: b")


def _untimed(name: str, names: tuple[str, ...] = ("static_rnn", "dynamic_rnn")) -> LoadedRun:
    """Return a run in which one build has no times."""
    points = [samples.measured(one, n) for one in names for n in samples.DOUBLED]
    return samples.loaded(
        replace(one, time=None) if one.point.scenario == name else one for one in points
    )
