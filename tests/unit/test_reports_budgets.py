"""Verdicts read in one line each, in the units of their limits."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from profiler.analysis.budgets.budget import BUDGETED_METRICS, Ruling, Verdict
from profiler.analysis.fitting import fit
from profiler.analysis.laws import Law
from reports.tables.budgets import verdict_document, verdict_grid, verdict_text
from reports.tables.fitting import fitted
from reports.texts.numbers import DASH

LAW = fit([(n, 33 + 12 * n) for n in (4, 8, 16, 32)], whole=True)
assert isinstance(LAW, Law)
SLOPE = Verdict(
    scenario="chain",
    budgeted=BUDGETED_METRICS["nodes_per_step"],
    allowed=6,
    measured=12,
    steps=32,
    law=LAW,
    ruling=Ruling.BROKEN,
)
PEAK = replace(
    SLOPE,
    budgeted=BUDGETED_METRICS["peak"],
    allowed=5 << 20,
    measured=4 << 20,
    law=None,
    ruling=Ruling.KEPT,
)
UNKNOWN = replace(PEAK, measured=None, ruling=Ruling.UNKNOWN, reason="why")
FAILED = replace(UNKNOWN, budgeted=None, allowed=None, reason="oom_device: why")


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (SLOPE, "chain: nodes_per_step is 12/step at 32 steps, over 6/step, law 33 + 12·T"),
        (PEAK, "chain: peak is 4.0 MiB at 32 steps, within 5 MiB"),
        (UNKNOWN, "chain: peak is unknown: why (5 MiB allowed)"),
        (FAILED, "chain at 32 steps: oom_device: why"),
    ],
)
def test_a_verdict_is_one_line(verdict: Verdict, text: str) -> None:
    """Metric, value, limit, where, and the law behind it."""
    assert verdict_text(verdict) == text


def test_the_table_shows_how_much_is_used() -> None:
    """Of a limit that is known; what is not kept stands out."""
    grid = verdict_grid([SLOPE, PEAK, UNKNOWN, FAILED])
    rows = grid.rows

    assert rows[0].cells == (
        "chain",
        "nodes_per_step",
        "broken",
        "12/step",
        "6/step",
        "200 %",
        "32",
        "",
    )
    assert rows[1].cells[2:6] == ("kept", "4.0 MiB", "5 MiB", "80 %")
    assert rows[2].cells[2:] == ("unknown", DASH, "5 MiB", DASH, "32", "why")
    assert rows[3].cells[1] == "outcome"
    assert [row.failed for row in rows] == [True, False, True, True]
    assert grid.headings[-1] == "why"
    assert "why" not in verdict_grid([SLOPE, PEAK]).headings


def test_a_narrow_terminal_still_shows_what_is_kept() -> None:
    """Where there is room for little, numbers go first."""
    shown = fitted(verdict_grid([SLOPE, PEAK, UNKNOWN, FAILED]), 40)

    assert shown.grid.headings[:3] == ("scenario", "limit", "ruling")
    assert "why" in shown.left_out


def test_the_document_holds_raw_numbers() -> None:
    """And null for what is not known."""
    document = json.loads(json.dumps(verdict_document("r", [SLOPE, UNKNOWN, FAILED])))

    assert (document["schema"], document["run"]) == (1, "r")
    assert document["verdicts"][0]["measured"] == 12
    assert document["verdicts"][1]["measured"] is None
    assert document["verdicts"][2]["limit"] is None
