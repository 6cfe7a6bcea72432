"""A comparison of two runs, number by number, and the rules that it may break."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from profiler.analysis.metrics import METRICS, Unit
from profiler.errors import UsageError, did_you_mean

SLOPES = {"nodes": "nodes_per_step", "backprop": "slope"}
OUTCOME, WALL, ALL = "outcome", "wall", "all"
RULES = (*(metric.name for metric in METRICS), *SLOPES.values(), WALL, ALL)


class Mark(enum.Enum):
    """How one number changed."""

    WORSE = "worse"
    BETTER = "better"
    EQUAL = "equal"
    UNCLEAR = "unclear"
    FAILS = "fails now"
    WORKS = "works now"


@dataclass(frozen=True, kw_only=True)
class ComparedNumber:
    """One number of two runs.

    Args:
        label: the scenario, and the parameters that differ within the runs.
        name: of the metric, as in ``RULES``; ``outcome`` for how a point ended.
        title: the metric in words.
        where: at which steps, or under which limit.
        unit: of both values; None for an outcome.
        before: the value in the first run; for a noisy metric the median of the repeats.
        after: the value in the second run.
        mark: how it changed.
        note: why that is unclear, what is not known of a wall, or how a point ended.
        limit_bytes: the limit of a wall.
        drift: of a noisy metric, how all its other series moved, as a share: the machine.
    """

    label: str
    name: str
    title: str
    where: str
    unit: Unit | Literal["steps"] | None
    before: float | None
    after: float | None
    mark: Mark
    note: str | None = None
    limit_bytes: int | None = None
    drift: float | None = None

    @property
    def change(self) -> float | None:
        """The relative change; infinite if it was 0 before; None without a value."""
        if self.before is None or self.after is None:
            return None
        return relative_change(self.before, self.after)

    @property
    def own_change(self) -> float | None:
        """The relative change compared with that of the other series; see ``drift``."""
        change = self.change
        if change is None or self.drift is None:
            return change
        return (1 + change) / (1 + self.drift) - 1


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The share by which a metric may become worse."""

    name: str
    share: float

    def is_broken_by(self, row: ComparedNumber) -> bool:
        """Whether the row, which the rule applies to, is worse by more than it allows."""
        return row.mark is Mark.WORSE and abs(row.own_change or 0) > self.share


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs by name, their numbers, what only one of them has, and what else differs."""

    before: str
    after: str
    rows: tuple[ComparedNumber, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]

    def breaches(self, rules: Sequence[Rule]) -> list[tuple[ComparedNumber, Rule | None]]:
        """Return each row that breaks a rule, and that rule: the strictest one.

        If there are rules at all, a point that fails now breaks them; its rule is None.
        """
        found: list[tuple[ComparedNumber, Rule | None]] = []
        for row in self.rows:
            broken = [rule for rule in _rules_on(row, rules) if rule.is_broken_by(row)]
            if broken:
                found.append((row, min(broken, key=lambda rule: rule.share)))
            elif rules and row.mark is Mark.FAILS:
                found.append((row, None))
        return found

    def unclear(self, rules: Sequence[Rule]) -> list[ComparedNumber]:
        """Return the rows that a rule applies to and whose change is unclear."""
        return [row for row in self.rows if row.mark is Mark.UNCLEAR and _rules_on(row, rules)]

    def idle(self, rules: Sequence[Rule]) -> list[Rule]:
        """Return the rules that apply to no row."""
        names = {row.name for row in self.rows}
        return [rule for rule in rules if rule.name not in {ALL, *names}]


def _rules_on(row: ComparedNumber, rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules that apply to a row: those that name its metric, else those on ``all``."""
    named = [rule for rule in rules if rule.name == row.name]
    return named or [rule for rule in rules if rule.name == ALL]


def parse_rule(text: str) -> Rule:
    """Return the rule of ``peak:5%``.

    Raises:
        UsageError: if the text is no rule, or names no metric.
    """
    match = re.fullmatch(r"\s*(\w+)\s*:\s*(\d+(?:\.\d+)?)\s*%\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"--fail {text!r}: write METRIC:N%, such as peak:5%")
    if match[1] not in RULES:
        raise UsageError(f"--fail {text!r}: no metric {match[1]!r}{did_you_mean(match[1], RULES)}")
    # In decimals: as floats, 0.7 / 100 is less than a change of just 0.7 %.
    return Rule(name=match[1], share=float(Decimal(match[2]) / 100))


def relative_change(before: float, after: float) -> float:
    """Return the change as a share of the value before; infinite if that is 0."""
    if before == after:
        return 0.0
    return (after - before) / abs(before) if before else math.copysign(math.inf, after)
