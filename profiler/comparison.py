"""Two runs side by side: what grew, what shrank, what fails now, and what cannot be told.

Counts, and device memory in the serial schedule, repeat exactly: any difference is a change.
What is noisy is a change only if its repeats say so: of the totals over the lengths that both
runs have, one per repeat, the exact one-sided rank test of Mann and Whitney (Annals of
Mathematical Statistics 18, 1947) must give at most one chance in a hundred.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Literal

from profiler.curves import Curve, curves
from profiler.errors import UsageError, did_you_mean
from profiler.labels import Labels
from profiler.metrics import METRICS, Unit
from profiler.results import Certificate, Environment, Measurement, Point, Run, Status

# What may pass for a change where nothing changed, at most.
_CHANCE = 0.01
# Laws are fitted in floats.
_SAME = 1e-9
SLOPES = {"nodes": "nodes_per_step", "backprop": "slope"}
WALL, ALL = "wall", "all"
RULES = (*(metric.name for metric in METRICS), *SLOPES.values(), WALL, ALL)


class Mark(enum.Enum):
    """What became of one number."""

    WORSE = "worse"
    BETTER = "better"
    EQUAL = "equal"
    UNCLEAR = "unclear"
    FAILS = "fails now"
    WORKS = "works now"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of two runs.

    Args:
        label: the scenario, and the parameters that differ within the runs.
        name: of the metric, as in ``RULES``; ``outcome`` for how a point ended.
        title: the same in words.
        where: at which steps, or under which limit.
        unit: of both values; None for an outcome.
        before: the value in the first run; for what is noisy the median of the repeats.
        after: the same in the second run.
        mark: what became of it.
        note: why it cannot be told, or how a point ended.
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

    @property
    def change(self) -> float | None:
        """The relative change; infinite from 0; None where there is no value."""
        if self.before is None or self.after is None:
            return None
        return _change(self.before, self.after)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs by name, their rows, what only one of them has, and what else differs."""

    before: str
    after: str
    rows: tuple[Row, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """By which share a metric may become worse."""

    name: str
    share: float

    def covers(self, row: Row) -> bool:
        """Whether the rule is about this row."""
        return self.name in {row.name, ALL}

    def is_broken_by(self, row: Row) -> bool:
        """Whether the row is worse by more than the rule allows."""
        return self.covers(row) and row.mark is Mark.WORSE and abs(row.change or 0) > self.share


def parse_rule(text: str) -> Rule:
    """Return the rule of ``peak:5%``.

    Raises:
        UsageError: if it is none, or about no metric.
    """
    match = re.fullmatch(r"\s*(\w+)\s*:\s*(\d+(?:\.\d+)?)\s*%\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"--fail {text!r}: write METRIC:N%, as peak:5%")
    if match[1] not in RULES:
        raise UsageError(f"--fail {text!r}: no metric {match[1]!r}{did_you_mean(match[1], RULES)}")
    return Rule(name=match[1], share=float(match[2]) / 100)


def compare(before: Run, after: Run) -> Comparison:
    """Return what became of every number that both runs have.

    Raises:
        UsageError: if they have none in common.
    """
    points = [m.point for run in (before, after) for m in run.measurements]
    labels = Labels([*points, *before.walls, *after.walls])
    rows = [
        *_outcome_rows(before, after, labels),
        *_metric_rows(before, after, labels),
        *_wall_rows(before, after, labels),
    ]
    keys = [_keys(run, labels) for run in (before, after)]
    if not keys[0].keys() & keys[1].keys() and not any(row.name == WALL for row in rows):
        raise UsageError(
            f"runs {before.name!r} and {after.name!r} have no point in common: scenario, "
            "parameters, steps, device, limit and schedule must be equal"
        )
    return Comparison(
        before=before.name,
        after=after.name,
        rows=tuple(rows),
        only_before=_only(keys[0], keys[1]),
        only_after=_only(keys[1], keys[0]),
        differences=tuple(_differences(before.environment, after.environment)),
    )


def _keys(run: Run, labels: Labels) -> dict[str, str]:
    """Return each point, without its repeat, by its key, in words."""
    points = (m.point for m in run.measurements)
    return {_key(p, repeat=0): f"{labels(p)} at {p.steps:,} steps" for p in points}


def _key(point: Point, **changes: Any) -> str:
    """Return a text that is equal for equal points; a scenario may move to another file."""
    return replace(point, family="", **changes).key


def _only(mine: dict[str, str], other: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for key, text in mine.items() if key not in other))


def _outcome_rows(before: Run, after: Run, labels: Labels) -> Iterator[Row]:
    was = {_key(m.point): m for m in before.measurements}
    for now in after.measurements:
        then = was.get(_key(now.point))
        if then is not None and (then.outcome.status is Status.OK) != (
            now.outcome.status is Status.OK
        ):
            yield _outcome_row(labels(now.point), then, now)


def _outcome_row(label: str, then: Measurement, now: Measurement) -> Row:
    fails = now.outcome.status is not Status.OK
    ended = (now if fails else then).outcome
    return Row(
        label=label,
        name="outcome",
        title="outcome",
        where=f"{now.point.steps:,} steps",
        unit=None,
        before=None,
        after=None,
        mark=Mark.FAILS if fails else Mark.WORKS,
        note=f"{ended.status.value}: {ended.reason}" if ended.reason else ended.status.value,
    )


def _metric_rows(before: Run, after: Run, labels: Labels) -> Iterator[Row]:
    was = {(c.metric.name, _key(c.conditions)): c for c in curves(before)}
    for now in curves(after):
        then = was.get((now.metric.name, _key(now.conditions)))
        lengths = {n for n, _ in now.points} & {n for n, _ in then.points} if then else set()
        if then is None or not lengths:
            continue
        label = labels(now.conditions)
        pair = _within(then, lengths), _within(now, lengths)
        if now.metric.is_noisy(now.conditions.schedule):
            yield _noisy_row(label, *pair)
        else:
            yield _exact_row(label, *pair)
            yield from _slope_rows(label, *pair)


def _within(curve: Curve, lengths: set[int]) -> Curve:
    return replace(curve, points=tuple(point for point in curve.points if point[0] in lengths))


def _exact_row(label: str, then: Curve, now: Curve) -> Row:
    """Return the row of the length that changed most; of the longest where none did."""

    def size(steps: int) -> tuple[float, int]:
        change = _change(median(then.values_at(steps)), median(now.values_at(steps)))
        return abs(change), steps

    steps = max({n for n, _ in now.points}, key=size)
    values = median(then.values_at(steps)), median(now.values_at(steps))
    return Row(
        label=label,
        name=now.metric.name,
        title=now.metric.title,
        where=f"{steps:,} steps",
        unit=now.metric.unit,
        before=values[0],
        after=values[1],
        mark=_mark(*values),
    )


def _slope_rows(label: str, then: Curve, now: Curve) -> Iterator[Row]:
    laws = then.clear_law, now.clear_law
    if now.metric.name in SLOPES and laws[0] and laws[1]:
        values = laws[0].per_step, laws[1].per_step
        yield Row(
            label=label,
            name=SLOPES[now.metric.name],
            title=f"{now.metric.title} per step",
            where=f"at {now.last:,} steps, by its law",
            unit=now.metric.unit,
            before=values[0],
            after=values[1],
            mark=_mark(*values),
        )


def _noisy_row(label: str, then: Curve, now: Curve) -> Row:
    totals = _totals(then), _totals(now)
    lengths = sorted({n for n, _ in now.points})
    values = median(totals[0]), median(totals[1])
    note = _doubt(*totals)
    return Row(
        label=label,
        name=now.metric.name,
        title=now.metric.title,
        where=f"{lengths[0]:,} steps" if len(lengths) == 1 else f"{len(lengths)} lengths together",
        unit=now.metric.unit,
        before=values[0],
        after=values[1],
        mark=Mark.UNCLEAR if note else _mark(*values),
        note=note,
    )


def _totals(curve: Curve) -> list[float]:
    """Return the sums over the lengths, one for each repeat that every length has."""
    by_length: dict[int, list[float]] = {}
    for steps, value in curve.points:
        by_length.setdefault(steps, []).append(value)
    return [math.fsum(values) for values in zip(*by_length.values(), strict=False)]


def _doubt(then: Sequence[float], now: Sequence[float]) -> str | None:
    """Return why the repeats do not tell a change from noise; None where they do."""
    repeats = f"{len(then)} and {len(now)} repeats"
    if math.comb(len(then) + len(now), len(now)) < 1 / _CHANCE:
        return f"{repeats} cannot tell: take --repeats 5 in both runs"
    # Late, as most commands compare nothing.
    from scipy.stats import mannwhitneyu

    direction = "greater" if median(now) > median(then) else "less"
    chance = float(mannwhitneyu(now, then, alternative=direction, method="exact").pvalue)
    return f"within noise: {repeats}, chance {chance:.0%}" if chance > _CHANCE else None


def _wall_rows(before: Run, after: Run, labels: Labels) -> Iterator[Row]:
    was = {_wall_key(wall): wall for wall in before.walls}
    for now in after.walls:
        then = was.get(_wall_key(now))
        if then is not None and then.last_ok is not None and now.last_ok is not None:
            yield Row(
                label=labels(now),
                name=WALL,
                title="wall (steps that survive)",
                where=f"{now.kind} limit {now.limit_bytes} B",
                unit="steps",
                before=then.last_ok,
                after=now.last_ok,
                mark=_mark(now.last_ok, then.last_ok),
            )


def _wall_key(wall: Certificate) -> tuple[object, ...]:
    parameters = tuple(sorted(wall.parameters.items()))
    conditions = (wall.device, wall.kind, wall.schedule, wall.limit_bytes)
    return (wall.scenario, parameters, *conditions)


def _mark(before: float, after: float) -> Mark:
    """Return what became of a number of which less is better."""
    if math.isclose(before, after, rel_tol=_SAME):
        return Mark.EQUAL
    return Mark.WORSE if after > before else Mark.BETTER


def _change(before: float, after: float) -> float:
    if before == after:
        return 0.0
    return (after - before) / abs(before) if before else math.copysign(math.inf, after)


def _differences(before: Environment, after: Environment) -> Iterator[str]:
    """Yield what makes times, or all of it, hard to compare."""
    pairs: Iterable[tuple[str, object, object]] = (
        ("processor", before.cpu, after.cpu),
        ("cores", before.cpu_count, after.cpu_count),
        ("Python", before.python, after.python),
        ("frameworks", _versions(before), _versions(after)),
        ("stepwall", before.stepwall, after.stepwall),
    )
    yield from (f"{name}: {was} before, {now} now" for name, was, now in pairs if was != now)


def _versions(environment: Environment) -> str:
    return ", ".join(f"{name} {version}" for name, version in environment.frameworks.items())
