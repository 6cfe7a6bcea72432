"""The answer: a title in words and at most three sentences, none of which lists much."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.facts import replace
from reports.texts.answer import answer


def test_walls_are_answered_first() -> None:
    """Both ends of the first and the last of a family, then what a step costs each."""
    told = answer(samples.contrast())

    ends, costs = told.sentences

    assert ends == (
        "Under 64 MiB of device memory, static_rnn survives 650 steps and runs out of memory at "
        "651; dynamic_rnn survives 980 steps and runs out of memory at 981."
    )
    assert costs == (
        "One more time step costs static_rnn about 96.0 KiB of backprop memory and 17 nodes; "
        "dynamic_rnn about 64.0 KiB and no node."
    )
    assert told.family == "builds"


def test_what_holds_the_memory_is_the_third_sentence() -> None:
    """Of the walls that are explained."""
    point = [samples.measured(steps=n) for n in samples.DOUBLED]
    wall = replace(samples.wall(last_ok=200), explanation=samples.EXPLANATION)
    share = 200 * 96 / (1024 + 200 * 96 + 512)

    assert answer(samples.loaded(point, [wall])).sentences[-1] == (
        f"At the last length that fits: of static_rnn's peak, {100 * share:.0f} % is weight "
        "gradients."
    )


def test_without_walls_costs_are_told() -> None:
    """Of the build whose memory grows most, and the one whose memory grows least."""
    points = [
        samples.measured(name, n, kib_per_step=kib)
        for name, kib in (("a", 64), ("b", 96), ("c", 80))
        for n in samples.DOUBLED
    ]
    growth, costs = answer(samples.loaded(points)).sentences

    assert growth.startswith("One more time step costs b about 96.0 KiB of backprop memory")
    assert "; a about 64.0 KiB" in growth
    assert costs == (
        "At 256 steps, b needs 25.0 MiB at its peak and 25.6 ms per step; a 17.0 MiB and 25.6 ms."
    )


@pytest.mark.parametrize(
    "results",
    [
        samples.large(),
        samples.contrast(),
        samples.loaded(),
        samples.loaded([samples.failed(samples.measured(), built=False)]),
        samples.loaded([samples.measured()]),
        samples.loaded([], [samples.band()]),
        samples.loaded([], [samples.wall(kind="host")]),
    ],
    ids=["large", "contrast", "empty", "failed", "point", "band", "host"],
)
def test_there_are_at_most_three_short_sentences(results: RunResults) -> None:
    """And at least one, whatever the run holds; two builds are named in each at most."""
    told = answer(results)

    assert 1 <= len(told.sentences) <= 3
    assert all(one.endswith(".") for one in told.sentences)
    assert all(len(one) < 260 for one in told.sentences)


@pytest.mark.parametrize(
    ("results", "title"),
    [
        (
            samples.contrast(),
            "static_rnn and dynamic_rnn over 8 to 256 steps, and their walls under 64 MiB",
        ),
        (samples.loaded([samples.measured()]), "static_rnn over 8 steps"),
        (samples.loaded([], [samples.wall()]), "The wall of static_rnn under 64 MiB"),
        (samples.loaded(), "An empty run"),
    ],
)
def test_the_title_says_what_was_profiled(results: RunResults, title: str) -> None:
    """In words, not by an id."""
    assert answer(results).title == title


def test_an_interrupted_run_says_so() -> None:
    """A run that was killed is not presented as complete; what was skipped is counted."""
    points = [samples.measured(), samples.skipped(samples.measured(steps=16), 8)]
    run = replace(samples.run(points), finished=False)
    about = answer(RunResults(run)).about

    assert about[-3:] == [
        "1 measurement",
        "1 skipped",
        "interrupted: some points are not measured yet",
    ]


@pytest.mark.parametrize(
    ("odd", "kib", "text"),
    [
        (1, 64.0, " of backprop memory and no clear number of nodes."),
        (0, 0.0, " no backprop memory and no node."),
        (0, 1e-4, " no clear amount of backprop memory and no node."),
    ],
    ids=["nodes", "no bytes", "few bytes"],
)
def test_next_to_nothing_is_not_called_about_zero(odd: int, kib: float, text: str) -> None:
    """Neither of nodes nor of bytes; what is exactly nothing is called so."""
    points = [
        replace(
            samples.measured(steps=n, kib_per_step=kib),
            graph=samples.graph(400 + odd * (n == samples.DOUBLED[1])),
        )
        for n in samples.DOUBLED
    ]
    growth = answer(samples.loaded(points)).sentences[0]

    assert growth.endswith(text)
    assert "about 0" not in growth
