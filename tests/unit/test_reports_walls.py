"""The sentences of walls say what was proven, how it was predicted and what it cost."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import WallStatus, replace
from reports.texts.walls import prediction_sentences, price_sentences, wall_clause


def test_a_certificate_says_only_what_it_proves() -> None:
    """Each status has its own words."""
    clauses = [
        wall_clause("a", samples.wall(last_ok=5000, status=WallStatus.AT_LEAST)),
        wall_clause("a", samples.wall(last_ok=None, status=WallStatus.AT_MOST)),
        wall_clause("a", samples.wall(last_ok=40, status=WallStatus.UNPROVEN)),
        wall_clause("a", samples.band(640, 660)),
        wall_clause("a", replace(samples.band(640, 660), first_oom=None)),
        wall_clause("a", replace(samples.band(640, 660), last_ok=None, first_oom=None)),
    ]

    assert clauses == [
        "a still survives 5,000 steps, the most that were tried",
        "a runs out of memory even at 1 step",
        "no wall was proven for a (SIGSEGV under the limit)",
        (
            "a survives 640 steps every time and runs out of memory at 660 every time; "
            "outcomes in between varied from run to run"
        ),
        "a survives 640 steps every time; outcomes beyond varied from run to run",
        "a has outcomes that varied from run to run wherever it was run",
    ]


def test_one_prediction_comes_with_what_it_came_from() -> None:
    """The margin, the method, the points, and how far off it was."""
    results = samples.loaded([], [samples.foreseen(samples.wall("a", 650))])

    assert prediction_sentences(results) == [
        (
            "a's device wall was predicted at 647 ± 4 steps before any run near it, replayed from "
            "2 points of at most 80 steps: 3 steps too few (0.5 %)."
        )
    ]


def test_several_predictions_are_summed_up_by_the_one_that_is_furthest_off() -> None:
    """Three steps of 300 are further off than three of 650; kinds of memory stand apart."""
    walls = [
        samples.wall("a", 650),
        samples.wall("b", 300),
        replace(samples.wall("c", 90), predicted=90.0),
        samples.wall("d", 90, kind="host"),
    ]
    device, host = prediction_sentences(samples.loaded([], walls))

    assert device == (
        "Of 3 device walls predicted before any run near them, 1 was right; "
        "furthest off is b: 3 steps too few (1.0 %)."
    )
    assert host.startswith("d's host wall was predicted at 87 steps")


def test_predictions_that_were_all_right_are_said_to_be_so() -> None:
    """None is furthest off."""
    walls = [replace(samples.wall(name, 90), predicted=90.7) for name in ("a", "b")]

    assert prediction_sentences(samples.loaded([], walls)) == [
        "Of 2 device walls predicted before any run near them, 2 were right."
    ]


def test_the_price_is_given_from_the_least_to_the_most() -> None:
    """In multiples of the two runs that prove a wall; 13 s in the samples."""
    cheap, dear = samples.wall("a"), replace(samples.wall("b"), seconds=26.0)

    assert price_sentences(samples.loaded([], [cheap, dear])) == [
        f"Proving a wall takes two runs; these searches took {15 / 13:.1f} to 2.0 times as long."
    ]
    assert price_sentences(samples.loaded([], [dear])) == [
        "Proving a wall takes two runs; this search took 2.0 times as long."
    ]


def test_what_has_no_prediction_and_no_price_is_not_mentioned() -> None:
    """A wall without two ends has neither an error nor a price."""
    results = samples.loaded([], [samples.wall("a", 5000, status=WallStatus.AT_LEAST)])

    assert prediction_sentences(results) == []
    assert price_sentences(results) == []


def test_predictions_of_which_none_was_right_are_said_to_be_so() -> None:
    """No zero in a sentence."""
    (sentence,) = prediction_sentences(samples.loaded([], [samples.wall("a"), samples.wall("b")]))

    assert "none was right; furthest off is a: 3 steps too few (0.5 %)." in sentence
