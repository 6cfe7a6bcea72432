"""What was found of a scenario reads as lines that an editor can follow."""

from __future__ import annotations

import pytest

from profiler.analysis.review import PEAK, Level, Remark, Review, ReviewedPoint
from profiler.facts import Status, replace
from reports.texts.review import review_lines

MIB = 1 << 20
REVIEW = Review(
    scenario="mine",
    source="mine.py:7",
    lengths="8 and 16 steps",
    points=[
        ReviewedPoint(steps=8, status=Status.OK, nodes=153, peak_bytes=MIB),
        ReviewedPoint(steps=16, status=Status.OK, nodes=1289, peak_bytes=2 * MIB),
    ],
    grows=["built nodes", PEAK],
    remarks=[],
)


def _with(grows: list[str], *remarks: Remark) -> list[str]:
    return review_lines(
        Review(
            scenario="mine",
            source=REVIEW.source,
            lengths="8 steps",
            points=REVIEW.points[:1],
            grows=grows,
            remarks=list(remarks),
        )
    )


def test_a_scenario_that_is_fine_is_one_line() -> None:
    """Both lengths, their sizes, and what grows."""
    (line,) = review_lines(REVIEW)

    sizes = "153 and 1,289 nodes, peak 1.0 MiB and 2.0 MiB"
    assert line == f"mine   fine at 8 and 16 steps: {sizes}; the graph and memory grow"


@pytest.mark.parametrize(
    ("grows", "words"),
    [
        ([PEAK], "memory grows"),
        (["executed nodes", "fed bytes"], "the graph grows"),
        (["fed bytes"], "only the fed data grows"),
        ([], "nothing grows"),
    ],
)
def test_says_what_grows(grows: list[str], words: str) -> None:
    """Equal sizes are told once."""
    assert _with(grows) == [f"mine   fine at 8 steps: 153 nodes, peak 1.0 MiB; {words}"]


def test_what_falls_does_not_grow() -> None:
    """A first step may need more at a shorter length."""
    first, last = REVIEW.points
    fallen = replace(REVIEW, points=[first, replace(last, peak_bytes=1)], grows=[PEAK])

    assert review_lines(fallen)[0].endswith("; memory changes")


def test_findings_begin_with_their_line_of_code() -> None:
    """As compilers write it; one without a line stands for itself."""
    error = Remark(level=Level.ERROR, text="no loss (at 8 steps)", where="mine.py:9")
    note = Remark(level=Level.NOTE, text="it trains itself")

    assert _with([], error, note) == [
        "mine   cannot be measured",
        "  mine.py:9: error: no loss (at 8 steps)",
        "  note: it trains itself",
    ]
