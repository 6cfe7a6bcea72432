"""The page of budgets: the worst first, each as a share of what is allowed."""

from __future__ import annotations

import report_samples as samples

from profiler.analysis.budgets.budget import Budget
from profiler.analysis.budgets.tables import read_budget
from profiler.analysis.budgets.verdicts import judge
from profiler.analysis.results import RunResults
from profiler.facts import Run
from reports.pages.budgets import budget_data, budget_page
from reports.pages.columns import Table

KIB = 1024
STEPS = (8, 16, 32, 64)
PEAK = (1 << 20) + STEPS[-1] * 96 * KIB  # of static_rnn, as the samples make it


def _run() -> Run:
    return samples.run([samples.measured("static_rnn", steps) for steps in STEPS])


def _budget(**limits: object) -> Budget:
    return read_budget({"scenario": "static_rnn", "steps": "8:64:x2", **limits}, "here")


def _rows(table: Table) -> list[dict[str, object]]:
    names = [column.name for column in table.columns]
    values = zip(*(column.values for column in table.columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def test_each_limit_is_a_row_with_the_share_of_it_that_is_used() -> None:
    """What is broken comes first, then what is not known."""
    run = _run()
    budget = _budget(nodes=10 * (40 + 17 * 64), peak=f"{PEAK // 2 // KIB}KiB", slope="1GiB/step")
    verdicts = judge(budget, run.measurements[0].point, run)
    data = budget_data(RunResults(run), verdicts, "budgets.toml")

    assert data.budgets is not None
    broken, *rest = _rows(data.budgets)
    assert (broken["limit"], broken["ruling"], broken["used"]) == ("peak", "broken", 2)
    assert broken["steps"] == STEPS[-1]
    nodes = next(row for row in rest if row["limit"] == "nodes")
    assert (nodes["used"], nodes["ruling"]) == (0.1, "kept")
    assert data.answer.sentences[0] == "Of 3 limits: 1 broken, 2 kept."
    assert data.answer.sentences[1].startswith("static_rnn: peak is ")
    assert data.answer.title.endswith("against the budgets of budgets.toml")


def test_what_is_not_known_has_its_reason_and_no_share() -> None:
    """It does not pass, and is named after what is broken."""
    run = samples.run([samples.failed(samples.measured("static_rnn", 8))])
    budget = read_budget({"scenario": "static_rnn", "steps": [8], "peak": "1GiB"}, "here")
    verdicts = judge(budget, run.measurements[0].point, run)
    data = budget_data(RunResults(run), verdicts, "b.toml")

    assert data.budgets is not None
    rows = _rows(data.budgets)
    assert {row["ruling"] for row in rows} <= {"broken", "unknown"}
    assert all(row["reason"] for row in rows)
    assert data.budgets.column("used") == []


def test_a_hostile_name_ends_no_element() -> None:
    """The name of the file is the user's."""
    run = _run()
    verdicts = judge(_budget(peak="1GiB"), run.measurements[0].point, run)
    text = budget_page(run, verdicts, "<script>alert(1)</script>.toml")

    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text
