"""A comparison reads well in a terminal and in a pull request."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from profiler.analysis.compare.comparison import ComparedNumber, Comparison, Mark, Rule
from reports.tables.comparison import (
    LEGEND,
    breach_lines,
    comparison_document,
    comparison_grid,
    comparison_lines,
    comparison_markdown,
    inconclusive_lines,
)
from reports.texts.numbers import DASH

MIB = 1 << 20
PEAK = ComparedNumber(
    label="chain",
    name="peak",
    title="device peak",
    where="32 steps",
    unit="bytes",
    before=4 * MIB,
    after=6 * MIB,
    mark=Mark.WORSE,
)
SAME = replace(
    PEAK, name="nodes", title="nodes", unit="nodes", before=225, after=225, mark=Mark.EQUAL
)
NOISY = replace(
    PEAK, name="step_time", unit="seconds", before=1, after=2, mark=Mark.UNCLEAR, note="1 and 1"
)
FAILS = replace(
    PEAK, name="outcome", unit=None, before=None, after=None, mark=Mark.FAILS, note="oom | device"
)
COMPARISON = Comparison(
    before="a",
    after="b",
    rows=(SAME, NOISY, PEAK, FAILS),
    only_before=tuple(f"x at {n} steps" for n in range(7)),
    only_after=(),
    differences=("cores: 2 before, 4 now",),
)


def test_what_moved_all_alike_is_one_line() -> None:
    """The machine; a metric that did not drift is not named."""
    rows = (replace(NOISY, drift=0.12), replace(NOISY, title="host memory", drift=0.0), PEAK)
    lines = comparison_lines(replace(COMPARISON, rows=rows))
    document = comparison_document(replace(COMPARISON, rows=rows), [])

    assert [line.split(":")[1] for line in lines if line.startswith("drift")] == [
        " device peak +12.0%"
    ]
    assert [row["drift"] for row in document["rows"]] == [0.12, 0.0, None]


def test_what_is_worst_stands_first() -> None:
    """A point that fails now, then what is worse; what is equal comes last."""
    marks = [row.cells[5] for row in comparison_grid(COMPARISON).rows]

    assert marks == ["!", "+", "~", "="]


@pytest.mark.parametrize("mark", Mark)
def test_the_legend_explains_every_sign(mark: Mark) -> None:
    """Each is followed by what it means."""
    (row,) = comparison_grid(replace(COMPARISON, rows=(replace(PEAK, mark=mark),))).rows

    assert f" {row.cells[5]} {mark.value}" in LEGEND


def test_values_stand_in_their_units_with_the_change() -> None:
    """Under the names of the runs."""
    grid = comparison_grid(COMPARISON)

    assert grid.headings[2:5] == ("a", "b", "change")
    assert grid.rows[1].cells[1:6] == ("device peak", "4.0 MiB", "6.0 MiB", "+50.0 %", "+")
    assert grid.rows[0].cells[2:5] == (DASH, DASH, DASH)


@pytest.mark.parametrize(
    ("before", "after", "text"), [(0, 5, "from 0"), (4, 3, "-25.0 %"), (-4, -2, "+50.0 %")]
)
def test_a_change_reads_with_its_sign(before: float, after: float, text: str) -> None:
    """From nothing there is no share."""
    row = replace(PEAK, unit="nodes", before=before, after=after)
    comparison = replace(COMPARISON, rows=(row,))

    assert comparison_grid(comparison).rows[0].cells[4] == text


def test_what_one_run_alone_has_is_named_and_counted() -> None:
    """A few by name, the rest by number; and what makes times incomparable."""
    only, unlike = comparison_lines(COMPARISON)

    assert only.startswith("only in a: x at 0 steps; x at 1 steps")
    assert only.endswith("and 2 more")
    assert unlike == "differs: cores: 2 before, 4 now"


def test_runs_of_one_name_are_kept_apart() -> None:
    """As a pinned run and a later one may be."""
    grid = comparison_grid(replace(COMPARISON, before="main", after="main"))

    assert grid.headings[2:4] == ("main before", "main now")


def test_a_wall_reads_with_its_limit() -> None:
    """In the unit that it was given in."""
    wall = replace(
        PEAK, name="wall", unit="steps", before=100, after=90, where="device limit", limit_bytes=MIB
    )
    (row,) = comparison_grid(replace(COMPARISON, rows=(wall,))).rows
    (line,) = breach_lines(replace(COMPARISON, rows=(wall,)), [Rule(name="wall", share=0)])

    assert row.cells[2:7] == ("100", "90", "-10.0 %", "+", "device limit 1 MiB")
    assert line.endswith("(100 before, 90 now, device limit 1 MiB; 0 % allowed)")


def test_markdown_shows_changes_and_counts_the_rest() -> None:
    """Pipes in a cell would break the table."""
    lines = comparison_markdown(COMPARISON).splitlines()

    assert lines[0] == "**a → b**: 1 fails now, 1 worse, 1 unclear, 1 equal"
    marks = [cell.strip().strip("-") for cell in lines[3].strip("|").split("|")]
    assert marks == ["", "", ":", ":", ":", "", ""]
    assert sum(line.startswith("| chain") for line in lines) == 2
    assert any("oom \\| device" in line for line in lines)
    assert LEGEND in lines
    assert lines[-1] == "- differs: cores: 2 before, 4 now"


def test_markdown_of_equal_runs_is_one_line() -> None:
    """Nothing to read."""
    comparison = replace(COMPARISON, rows=(SAME,), only_before=(), differences=())

    assert comparison_markdown(comparison) == "**a → b**: 1 equal"


def test_a_breach_is_one_line_with_all_of_it() -> None:
    """Scenario, metric, change, both values, and what was allowed."""
    assert breach_lines(COMPARISON, [Rule(name="peak", share=0.05)]) == [
        "chain: device peak +50.0 % (4.0 MiB before, 6.0 MiB now, 32 steps; 5 % allowed)",
        "chain at 32 steps fails now (oom | device)",
    ]


def test_what_a_rule_asks_for_and_does_not_get_is_a_line() -> None:
    """With the reason, or with the words that the rule is about nothing."""
    rules = [Rule(name=name, share=0) for name in ("peak", "step_time", "wall")]

    assert inconclusive_lines(COMPARISON, rules) == [
        "chain: device peak is unclear (1 and 1)",
        "wall: no such number in both runs",
    ]


def test_a_rule_on_all_metrics_gets_one_line_for_what_is_unclear() -> None:
    """A line for each would hide the breaches."""
    comparison = replace(COMPARISON, rows=(PEAK, *[NOISY] * 30))

    assert inconclusive_lines(comparison, [Rule(name="all", share=0)]) == [
        "all: 30 of 31 numbers are unclear, the first: 1 and 1"
    ]


def test_the_document_holds_raw_numbers() -> None:
    """Infinite changes are null: JSON has none."""
    endless = replace(PEAK, before=0, after=1)
    document = comparison_document(replace(COMPARISON, rows=(PEAK, endless)), ["line"])
    text = json.dumps(document, allow_nan=False)

    assert math.isinf(endless.change or 0)
    assert json.loads(text)["rows"][0]["before"] == 4 * MIB
    assert [row["change"] for row in document["rows"]] == [0.5, None]
    assert document["broken"] == ["line"]
