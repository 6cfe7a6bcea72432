"""Rules say what may become worse; what is unclear breaks none."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.compare.comparison import (
    ALL,
    RULES,
    WALL,
    ComparedNumber,
    Comparison,
    Mark,
    Rule,
    parse_rule,
    relative_change,
)
from profiler.errors import UsageError

PEAK = ComparedNumber(
    label="chain",
    name="peak",
    title="device peak",
    where="32 steps",
    unit="bytes",
    before=1000,
    after=1070,
    mark=Mark.WORSE,
)
SLOW = replace(PEAK, name="step_time", before=1, after=9, mark=Mark.UNCLEAR, note="1 and 1")
FAILS = replace(PEAK, name="outcome", before=None, after=None, mark=Mark.FAILS)


def told(*rows: ComparedNumber) -> Comparison:
    """Return a comparison of these rows."""
    return Comparison(
        before="a", after="b", rows=rows, only_before=(), only_after=(), differences=()
    )


class TestParse:
    """As a person types it."""

    @pytest.mark.parametrize(
        ("text", "name", "share"),
        [("peak:5%", "peak", 0.05), (" slope : 0.7 % ", "slope", 0.007), ("all:0%", "all", 0)],
    )
    def test_a_rule_is_read(self, text: str, name: str, share: float) -> None:
        """With or without spaces, to the nearest float."""
        assert parse_rule(text) == Rule(name=name, share=share)

    @given(name=st.sampled_from(RULES), tenths=st.integers(0, 10_000))
    def test_just_what_is_allowed_breaks_nothing(self, *, name: str, tenths: int) -> None:
        """A change of N % is not more than N %, whatever floats make of it; one more is."""
        rule = parse_rule(f"{name}:{tenths / 10}%")
        rows = [
            replace(PEAK, name=name, before=10_000, after=10_000 + 10 * tenths + more)
            for more in (0, 1)
        ]

        assert [rule.is_broken_by(row) for row in rows] == [False, True]

    @pytest.mark.parametrize("text", ["peak", "peak:5", "peak:-5%", ":5%", "peak:5%%", "", "5%"])
    def test_what_is_no_rule_is_refused(self, text: str) -> None:
        """The message shows one."""
        with pytest.raises(UsageError, match="peak:5%"):
            parse_rule(text)

    def test_an_unknown_metric_is_named(self) -> None:
        """And what was meant."""
        with pytest.raises(UsageError, match="did you mean 'peak'"):
            parse_rule("peek:5%")


class TestChange:
    """A share of what was."""

    @given(before=st.integers(-(10**12), 10**12), after=st.integers(-(10**12), 10**12))
    def test_it_is_the_exact_share_rounded_once(self, *, before: int, after: int) -> None:
        """Its sign is that of the difference, also below 0; from 0 it has no bound."""
        change = relative_change(before, after)

        if before:
            assert change == float(Fraction(after - before, abs(before)))
        else:
            assert change == (math.copysign(math.inf, after) if after else 0)

    def test_without_a_value_there_is_none(self) -> None:
        """An outcome has no share."""
        assert FAILS.change is None
        assert PEAK.change == pytest.approx(0.07)


class TestBreaches:
    """Seven in a hundred more memory, a time that is unclear, and a point that fails."""

    @pytest.mark.parametrize(("share", "count"), [(0.05, 1), (0.07, 0), (0.5, 0)])
    def test_more_than_allowed_is_a_breach(self, share: float, count: int) -> None:
        """Less and just as much is none."""
        assert len(told(PEAK).breaches([Rule(name="peak", share=share)])) == count

    def test_a_rule_on_another_metric_is_not_broken(self) -> None:
        """Though nothing may grow there."""
        assert told(PEAK).breaches([Rule(name="nodes", share=0)]) == []

    @pytest.mark.parametrize("mark", [Mark.BETTER, Mark.UNCLEAR, Mark.EQUAL, Mark.WORKS])
    def test_only_what_is_worse_breaks(self, mark: Mark) -> None:
        """However large the change."""
        row = replace(PEAK, after=9000, mark=mark)

        assert told(row).breaches([Rule(name=ALL, share=0)]) == []

    def test_a_nearer_wall_breaks_by_its_share(self) -> None:
        """Ten in a hundred fewer steps."""
        row = replace(PEAK, name=WALL, unit="steps", before=100, after=90)
        strict, loose = Rule(name=WALL, share=0.01), Rule(name=WALL, share=0.1)

        assert told(row).breaches([strict]) == [(row, strict)]
        assert told(row).breaches([loose]) == []

    def test_a_rule_on_the_metric_takes_the_place_of_one_on_all(self) -> None:
        """So that one may say: all, but this one less strictly."""
        loose, strict = Rule(name="peak", share=0.1), Rule(name=ALL, share=0)
        other = replace(PEAK, name="nodes", unit="nodes")

        assert told(PEAK, other).breaches([strict, loose]) == [(other, strict)]

    def test_of_two_rules_that_are_broken_the_strictest_is_named(self) -> None:
        """One line per number."""
        rules = [Rule(name="peak", share=0.05), Rule(name="peak", share=0.01)]

        assert told(PEAK).breaches(rules) == [(PEAK, rules[1])]

    def test_a_point_that_fails_now_breaks_any_rules(self) -> None:
        """Whatever they are about; without rules it is only listed."""
        assert told(FAILS).breaches([Rule(name="nodes", share=9)]) == [(FAILS, None)]
        assert told(FAILS).breaches([]) == []


class TestUnclear:
    """What a rule asks for and does not get."""

    def test_what_is_unclear_is_named_by_the_rules_on_it(self) -> None:
        """And by one on all metrics, unless another metric is meant."""
        comparison = told(PEAK, SLOW)

        assert comparison.unclear([Rule(name="step_time", share=0)]) == [SLOW]
        assert comparison.unclear([Rule(name=ALL, share=0)]) == [SLOW]
        assert comparison.unclear([Rule(name="peak", share=0)]) == []
        assert comparison.unclear([]) == []

    def test_a_rule_about_no_row_is_idle(self) -> None:
        """It would pass for ever; one on all metrics watches what there is."""
        rules = [Rule(name=name, share=0) for name in ("peak", WALL, ALL)]

        assert told(PEAK).idle(rules) == [rules[1]]
