"""The verdicts of the corpus: each can fail, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from corpus_tables import (
    Column,
    Table,
    case_lines,
    percent,
    short_lines,
    summary,
    table_lines,
)
from corpus_verdicts import (
    Case,
    Done,
    Row,
    comparison,
    explains,
    isolation,
    only_allowed,
    price,
    roles,
    trained_once,
    value_forecast,
    wall_error,
    wall_forecast,
)

CASE = Case(name="lm", file="lm.py", steps=(4, 8), limit="2MiB", updates=2, multiple_of=4)
REFUSED = Done(exit=4, stderr="stepwall: note\nstepwall: needs a multiple of 4\n")


def profiled(*, nodes: int = 10, peak: int = 1000, steps: int = 8, updates: int = 2) -> Done:
    """Return a run of one point."""
    stages = [
        {"name": "built", "by_op": {"MatMul": 3, "ResourceApplyGradientDescent": updates}},
        {"name": "executed", "by_op": {"ResourceApplyGradientDescent": updates}},
    ]
    point = {
        "scenario": "lm",
        "steps": steps,
        "seconds": 0.1 * peak,
        "outcome": {"status": "ok", "reason": None},
        "graph": {"total_nodes": nodes, "stages": stages},
        "device": {"peak_bytes": peak},
    }
    return Done(exit=0, document={"measurements": [point]})


def explained(by_role: dict[str, int], allocator: int) -> Done:
    """Return an explanation with these roles."""
    trace = {
        "by_role": by_role,
        "peak_bytes": sum(by_role.values()),
        "allocator_peak_bytes": allocator,
    }
    return Done(exit=0, document={"trace": trace})


def walled(**changes: Any) -> Done:
    """Return an exact wall at 64 and 65 steps."""
    probes = [{"steps": 64, "outcome": "ok"}, {"steps": 65, "outcome": "oom_device"}]
    known = {"status": "exact", "last_ok": 64, "first_oom": 65, "seconds": 15.0, "price": 1.5}
    return Done(exit=0, document={**known, "probes": probes, **changes})


def predicted(**wall: Any) -> Done:
    """Return a prediction of a wall."""
    return Done(exit=0, document={"wall": wall or None, "values": []})


class TestIsolation:
    """Alone against together."""

    def test_equal_points_hold(self) -> None:
        """Seconds may differ."""
        other = profiled()
        other.document["measurements"][0]["seconds"] = 7.0

        assert isolation(CASE, profiled(), other).holds is True

    @pytest.mark.parametrize("changed", [{"nodes": 11}, {"peak": 1001}])
    def test_one_byte_or_node_more_fails(self, changed: dict[str, int]) -> None:
        """The row names the number and both values."""
        row = isolation(CASE, profiled(), profiled(**changed))

        assert row.holds is False
        assert row.cells["differing"] == 1
        assert f"{next(iter(changed.values()))} together" in row.why

    def test_other_outcome_fails(self) -> None:
        """A point that fails together only is no equal one."""
        other = profiled()
        other.document["measurements"][0]["outcome"]["status"] = "error"

        assert (
            isolation(CASE, profiled(), other).why == "outcome at 8 steps: ok alone, error together"
        )

    def test_without_common_points_nothing_is_told(self) -> None:
        """The reason is what the command said last."""
        row = isolation(CASE, REFUSED, profiled())

        assert (row.holds, row.why) == (None, "stepwall: needs a multiple of 4")


class TestTrainedOnce:
    """Updates of trainable variables."""

    def test_second_update_fails(self) -> None:
        """Executed nodes are the same ones again and are not counted."""
        assert trained_once(CASE, profiled(updates=2)).holds is True
        assert trained_once(CASE, profiled(updates=4)).holds is False

    def test_refusal_in_words_holds(self) -> None:
        """A point that failed with a reason was not trained twice."""
        refused = profiled()
        refused.document["measurements"][0]["outcome"] = {"status": "error", "reason": "it trains"}

        assert trained_once(CASE, refused).holds is True


class TestRoles:
    """Roles against the allocator."""

    def test_one_byte_too_few_fails(self) -> None:
        """Both numbers are named."""
        by_role = {"weights": 600, "temporaries": 400}

        assert roles(CASE, explained(by_role, 1000)).holds is True
        assert "1,001" in roles(CASE, explained(by_role, 1001)).why

    def test_more_than_a_tenth_unclassified_fails(self) -> None:
        """100 of 1,000 may be, 101 of 1,000 may not."""
        assert roles(CASE, explained({"weights": 900, "unclassified": 100}, 1000)).holds is True
        assert roles(CASE, explained({"weights": 899, "unclassified": 101}, 1000)).holds is False

    def test_other_largest_role_than_dimensions_say_fails(self) -> None:
        """Weights hold 600 of 1,000."""
        found = explained({"weights": 600, "temporaries": 400}, 1000)

        assert roles(replace(CASE, largest="weights"), found).holds is True
        assert "most is temporaries" in roles(replace(CASE, largest="temporaries"), found).why

    def test_no_explanation_tells_nothing(self) -> None:
        """The reason is the command's."""
        assert roles(CASE, REFUSED).holds is None


class TestExplains:
    """Exit codes of ``explain``."""

    def test_refusal_in_words_holds_and_a_bug_does_not(self) -> None:
        """Exit code 4 with words is documented; a bug's message is not."""
        bug = Done(exit=1, stderr="stepwall: ValueError: (this is a bug; --debug shows where)")

        assert explains(CASE, Done(exit=0)).holds is True
        assert explains(CASE, REFUSED).holds is True
        assert explains(CASE, Done(exit=4)).holds is False
        assert explains(CASE, bug).holds is False


class TestForecasts:
    """Predicted against real."""

    def test_wall_inside_and_outside(self) -> None:
        """The wall lies between 64 and 65 steps; an interval has to touch that."""
        inside = wall_forecast(CASE, predicted(steps=60.0, low=56.0, high=64.0), walled())
        below = wall_forecast(CASE, predicted(steps=60.0, low=57.0, high=63.9), walled())
        above = wall_forecast(CASE, predicted(steps=70.0, low=65.0, high=75.0), walled())

        assert [row.holds for row in (inside, below, above)] == [True, False, False]
        assert inside.cells["times"] == 64 / 8

    def test_error_of_a_wall_ignores_parts_of_a_step(self) -> None:
        """64.9 steps are 64 whole ones."""
        assert wall_error(64.9, 64) == 0
        assert wall_error(48.0, 64) == -0.25

    def test_replayed_wall_is_named_so(self) -> None:
        """Both of its ends were replayed, not run."""
        wall = walled(status="replayed")
        row = wall_forecast(CASE, predicted(steps=64.0, low=63.0, high=65.0), wall)

        assert (row.holds, row.cells["proof"]) == (True, "replayed")

    def test_wall_that_was_not_found_tells_nothing(self) -> None:
        """Neither does one that was not predicted."""
        failed = walled(status="unproven", reason="it diverged")

        assert wall_forecast(CASE, predicted(), walled()).holds is None
        assert wall_forecast(CASE, predicted(steps=1.0, low=1.0, high=1.0), failed).why == (
            "no exact wall: it diverged"
        )

    def test_wall_that_is_not_predicted_keeps_the_reason(self) -> None:
        """That of ``predict``, not the last line of its progress."""
        said = Done(exit=0, stderr="3 of 5 done", document={"wall": None, "no_wall": "no law"})
        row = wall_forecast(CASE, said, walled())

        assert (row.holds, row.why) == (None, "no law")

    @pytest.mark.parametrize(
        ("truth", "holds", "error"), [(100.0, True, 0.0), (125.0, False, -0.2), (None, None, None)]
    )
    def test_value(self, truth: float | None, holds: bool | None, error: float | None) -> None:  # noqa: FBT001
        """The error is relative to what was really measured."""
        value = {"metric": "peak", "value": 100.0, "low": 90.0, "high": 110.0, "reason": None}
        row = value_forecast(CASE, "peak", Done(exit=0, document={"values": [value]}), truth)

        assert row.holds is holds
        assert row.cells.get("error") == (None if error is None else pytest.approx(error))

    def test_dash_keeps_its_reason(self) -> None:
        """It is neither right nor wrong."""
        value = {"metric": "peak", "value": None, "reason": "it bends"}
        row = value_forecast(CASE, "peak", Done(exit=0, document={"values": [value]}), 5.0)

        assert (row.holds, row.why) == (None, "it bends")


class TestPriceAndLengths:
    """What a search cost and what it ran."""

    def test_price_over_four_fails(self) -> None:
        """Failed probes are counted."""
        assert price(CASE, walled()).cells["failed"] == 1
        assert price(CASE, walled(price=4.1)).holds is False
        assert price(CASE, REFUSED).holds is None

    def test_length_that_is_ruled_out_fails(self) -> None:
        """65 is no multiple of 4."""
        assert "65" in only_allowed(CASE, {"wall": walled()}).why
        fits = walled(probes=[{"steps": 64, "outcome": "ok"}])
        assert only_allowed(CASE, {"wall": fits}).holds is True
        assert only_allowed(CASE, {"wall": fits, "explain": REFUSED}).holds is False

    def test_an_undeclared_rule_is_told_in_the_words_of_the_code(self) -> None:
        """Not in others, and not by a crash."""
        case = replace(CASE, refuses="needs a multiple of 4")

        assert only_allowed(case, {"explain": REFUSED}).holds is True
        assert only_allowed(case, {"explain": replace(REFUSED, exit=1)}).holds is False
        assert only_allowed(replace(case, refuses="3"), {"explain": REFUSED}).holds is False


class TestComparison:
    """Two equal runs."""

    @pytest.mark.parametrize(("mark", "holds"), [("=", True), ("~", True), ("+", False)])
    def test_any_change_is_false(self, mark: str, holds: bool) -> None:  # noqa: FBT001
        """Equal and unclear numbers are none."""
        rows = [{"scenario": "lm", "metric": "peak", "mark": mark}]

        assert comparison("a, b", Done(exit=0, document={"rows": rows})).holds is holds


class TestTables:
    """What the rows say in short."""

    rows = (
        Row(name="a", holds=True, cells={"error": -0.02}),
        Row(name="b", holds=False, cells={"error": 0.04}, why="outside"),
        Row(name="c", holds=None, why="a | b"),
    )
    table = Table(
        name="walls",
        promise="inside",
        columns=(Column(key="error", title="error", form=percent, summed=True),),
    )

    def test_counts_leave_out_what_is_not_told(self) -> None:
        """One of two told rows holds; the third is counted apart."""
        found = summary(self.rows)

        assert (found.held, found.told, found.rows, found.share) == (1, 2, 3, 0.5)
        assert summary(()).share is None

    def test_median_and_worst_are_of_absolute_values(self) -> None:
        """2 % and 4 % have the median 3 %."""
        line = list(short_lines({self.table: self.rows}))[-1]

        assert "1 of 2 | 1 | error 3.00 % | error 4.00 %" in line

    def test_each_scenario_has_a_row(self) -> None:
        """A dash where nothing is told; bars in reasons are escaped."""
        lines = list(table_lines(self.table, self.rows))

        assert lines[-2] == "| b | 4.00 % | **no** | outside |"
        assert lines[-1] == "| c | – | – | a \\| b |"  # noqa: RUF001

    def test_one_table_has_a_row_for_each_scenario_and_a_column_for_each_check(self) -> None:
        """What does not hold is bold and told below; what is not told is a dash."""
        lines = list(case_lines({self.table: self.rows}))

        assert lines[0] == "| scenario | walls |"
        assert lines[2:5] == ["| a | -2.00 % |", "| b | **4.00 %** |", "| c | – |"]  # noqa: RUF001
        assert lines[5:] == ["", "b, walls: outside."]
