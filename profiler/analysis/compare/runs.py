"""Two runs side by side: what grew, what shrank, what fails now, and what is unclear.

Counts, and device memory in the serial schedule, repeat exactly: any difference is a change. A
noisy metric has changed only if its repeats show it against those of the other scenarios
(``significance``). Its totals over the lengths that both runs have are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any

from profiler import facts
from profiler.analysis.compare.comparison import (
    OUTCOME,
    SLOPES,
    ComparedNumber,
    Comparison,
    Mark,
    relative_change,
)
from profiler.analysis.compare.walls import wall_key, wall_rows
from profiler.analysis.series import MetricSeries, metric_series
from profiler.analysis.significance import Repeats, Verdict, verdicts
from profiler.errors import UsageError
from profiler.facts import Certificate, Measurement, Point, Run, Status
from profiler.facts.labels import Labels
from profiler.lengths import counted, one_of

# Laws are fitted in floats.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two runs, its parts by keys that are equal in both."""

    run: Run
    labels: Labels

    @cached_property
    def points(self) -> dict[str, list[Measurement]]:
        """The repeats of each point, by its key without the repeat."""
        return self._grouped(repeat=0)

    @cached_property
    def conditions(self) -> dict[str, list[Measurement]]:
        """The points of equal conditions, by their key without steps and repeat."""
        return self._grouped(repeat=0, steps=0)

    @cached_property
    def series(self) -> dict[tuple[str, str], MetricSeries]:
        """The series, by metric and conditions."""
        found = metric_series(self.run)
        return {(series.metric.name, _key(series.conditions)): series for series in found}

    @cached_property
    def walls(self) -> dict[str, Certificate]:
        """The walls, by what was asked."""
        return {wall_key(wall): wall for wall in self.run.walls}

    def only(self, other: _Side) -> tuple[str, ...]:
        """Return in words what the other run does not have."""
        words = [
            *(self._at(m[0].point) for key, m in self.points.items() if key not in other.points),
            *(
                f"{series.metric.title} of {self.labels(series.conditions)}"
                for key, series in self.series.items()
                if key[1] in other.conditions and key not in other.series
            ),
            *(
                f"{wall.kind} wall of {self.labels(wall)}"
                for key, wall in self.walls.items()
                if key not in other.walls
            ),
        ]
        # The text leaves out the limit: points may share it.
        return tuple(dict.fromkeys(words))

    def _at(self, point: Point) -> str:
        return f"{self.labels(point)} at {_at(point, point.steps)}"

    def _grouped(self, **same: int) -> dict[str, list[Measurement]]:
        groups: dict[str, list[Measurement]] = {}
        for measurement in self.run.measurements:
            if measurement.outcome.status is not Status.SKIPPED:  # it says nothing of its point
                groups.setdefault(_key(measurement.point, **same), []).append(measurement)
        return groups


def compare(before: Run, after: Run) -> Comparison:
    """Return how every number that both runs have changed.

    Raises:
        UsageError: if they have no point and no wall in common.
    """
    points = [m.point for run in (before, after) for m in run.measurements]
    labels = Labels([*points, *before.walls, *after.walls])
    then, now = _Side(run=before, labels=labels), _Side(run=after, labels=labels)
    if not (then.points.keys() & now.points.keys() or then.walls.keys() & now.walls.keys()):
        raise UsageError(
            f"runs {before.name!r} and {after.name!r} have no point in common: scenario, "
            "parameters, axis, steps, device, limit and schedule must be equal; "
            f"'stepwall report {before.name} {after.name}' shows them side by side"
        )
    return Comparison(
        before=before.name,
        after=after.name,
        rows=(
            *_outcome_rows(then, now),
            *_metric_rows(then, now),
            *wall_rows(then.walls, now.walls, labels),
        ),
        only_before=then.only(now),
        only_after=now.only(then),
        differences=tuple(before.environment.differences(after.environment)),
    )


def _key(point: Point, **changes: Any) -> str:
    """Return a text that is equal for equal points; a scenario may move to another file."""
    return facts.replace(point, family="", source="", **changes).key


def _at(point: Point, steps: int) -> str:
    return counted(f"{steps:,}", point.axis)


def _outcome_rows(then: _Side, now: _Side) -> Iterator[ComparedNumber]:
    """Yield a row for each point that fails now, in any repeat, or no longer fails."""
    for key, repeats in now.points.items():
        failed, fails = _failure(then.points.get(key, [])), _failure(repeats)
        broken = fails or failed
        if key in then.points and broken and not (failed and fails):
            ended = broken.outcome
            yield ComparedNumber(
                label=now.labels(broken.point),
                name=OUTCOME,
                title="outcome",
                where=_at(broken.point, broken.point.steps),
                unit=None,
                before=None,
                after=None,
                mark=Mark.FAILS if fails else Mark.WORKS,
                note=ended.status.value + (f": {ended.reason}" if ended.reason else ""),
            )


def _failure(repeats: list[Measurement]) -> Measurement | None:
    return next((m for m in repeats if m.outcome.status is not Status.OK), None)


def _metric_rows(then: _Side, now: _Side) -> Iterator[ComparedNumber]:
    pairs = dict(_common(then, now))
    noisy = {
        " ".join(key): Repeats(
            metric=became.metric.name,
            pairs=tuple((was.values_at(n), became.values_at(n)) for n in became.lengths),
        )
        for key, (was, became) in pairs.items()
        if became.is_noisy
    }
    told = verdicts(noisy)
    for key, (was, became) in pairs.items():
        label, name = now.labels(became.conditions), " ".join(key)
        if name in noisy:
            yield _noisy_row(label, became, noisy[name], told[name])
        else:
            yield _exact_row(label, was, became)
            yield from _slope_rows(label, was, became)


def _common(
    then: _Side, now: _Side
) -> Iterator[tuple[tuple[str, str], tuple[MetricSeries, MetricSeries]]]:
    """Yield the series that both runs have, over the lengths that both have."""
    for key in [key for key in now.series if key in then.series]:
        was, became = then.series[key], now.series[key]
        lengths = {*was.lengths} & {*became.lengths}
        if lengths:
            yield key, (_within(was, lengths), _within(became, lengths))


def _within(series: MetricSeries, lengths: set[int]) -> MetricSeries:
    return replace(series, points=tuple(point for point in series.points if point[0] in lengths))


def _exact_row(label: str, then: MetricSeries, now: MetricSeries) -> ComparedNumber:
    """Return the row of the length that became worst, else best, else of the longest."""
    pairs = {n: (median(then.values_at(n)), median(now.values_at(n))) for n, _ in now.points}
    changes = {n: relative_change(*pair) for n, pair in pairs.items()}
    # Worse comes first: a larger gain at another length must not hide it.
    steps = max(changes, key=lambda n: (max(changes[n], 0.0), abs(changes[n]), n))
    return ComparedNumber(
        label=label,
        name=now.metric.name,
        title=now.metric.title,
        where=_at(now.conditions, steps),
        unit=now.metric.unit,
        before=pairs[steps][0],
        after=pairs[steps][1],
        mark=_mark(*pairs[steps]),
    )


def _slope_rows(label: str, then: MetricSeries, now: MetricSeries) -> Iterator[ComparedNumber]:
    laws = [one.clear_law for one in (then, now) if one.metric.name in SLOPES]
    values = [law.per_step for law in laws if law is not None and law.per_step is not None]
    if len(values) == len((then, now)):
        before, after = values
        same = math.isclose(before, after, rel_tol=_ROUNDING)
        yield ComparedNumber(
            label=label,
            name=SLOPES[now.metric.name],
            title=f"{now.metric.title} per {one_of(now.conditions.axis)}",
            where=f"at {_at(now.conditions, now.last)}, by its law",
            unit=now.metric.unit,
            before=before,
            after=before if same else after,
            mark=Mark.EQUAL if same else _mark(before, after),
        )


def _noisy_row(label: str, series: MetricSeries, repeats: Repeats, told: Verdict) -> ComparedNumber:
    """Return the row of the totals over the lengths of a series."""
    before, after = repeats.totals
    lengths = len(series.lengths)
    mark, note = Mark.UNCLEAR, told.reason
    if note is None:
        mark = _mark(0, told.beyond or 0)
        note = f"{told.beyond:+.1%} relative to the other scenarios"
    return ComparedNumber(
        label=label,
        name=series.metric.name,
        title=series.metric.title,
        where=f"{lengths} lengths together" if lengths > 1 else _at(series.conditions, series.last),
        unit=series.metric.unit,
        before=before,
        after=after,
        mark=mark,
        note=note,
        drift=told.drift,
    )


def _mark(before: float, after: float) -> Mark:
    """Return how a number changed of which less is better."""
    if before == after:
        return Mark.EQUAL
    return Mark.WORSE if after > before else Mark.BETTER
