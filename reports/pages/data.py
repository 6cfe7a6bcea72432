"""Everything that the page of a run shows, as one record: each number once, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from profiler.analysis.crossover.crossovers import Crossover, crossovers
from profiler.analysis.metrics import METRICS
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries, coinciding
from profiler.facts import Certificate, Explanation, FrameworkFacts, Measurement, Point
from profiler.facts.codec import Record
from profiler.lengths import one_of
from profiler.parameters import describe_parameters, value_text
from reports.pages.columns import Table
from reports.pages.steps import COARSE, FINE, StepData, step_data
from reports.pages.tables import (
    answer_table,
    choice_tables,
    failure_table,
    law_table,
    measurement_table,
    no_law,
    remedy_table,
    unknown_table,
)
from reports.pages.walls import fit_table, frontier_table, probe_table, wall_table
from reports.tables.laws import law_text, step_text
from reports.tables.versus import stored_text
from reports.texts.answer import Answer, answer
from reports.texts.explanation import ExplainedStep
from reports.texts.graph_size import size_sentences

__all__ = [
    "BuildData",
    "ContestData",
    "LineData",
    "MetricData",
    "PageData",
    "SpanData",
    "page_data",
]

# Of a law: so many lengths that straight pieces between them look like its curve.
_SAMPLES = 33
# Of more explained steps a page keeps less of each, and of more than the most not all points.
_MANY_STEPS, _MOST_STEPS = 80, 300
# Numbers on a curve that is only looked at.
_DIGITS = 5


class MetricData(Record, frozen=True, kw_only=True):
    """One number of a point; ``limit``: the kind of memory whose limits bound it."""

    name: str
    title: str
    unit: str
    limit: str | None


class BuildData(Record, frozen=True, kw_only=True):
    """What one series of points is of; ``values``: of the parameters that differ in the run."""

    run: str
    label: str
    scenario: str
    family: str
    axis: str
    one: str
    schedule: str
    device: str
    conditions: str
    values: dict[str, str]


class LineData(Record, frozen=True, kw_only=True):
    """The law of one metric of a build, sampled at the lengths of a grid of ``PageData.grids``.

    ``low`` and ``high`` are the ends of the 95 % interval of single measurements; empty where the
    law is exact. ``reason``: why there is no law; the samples are then empty.
    """

    build: int
    metric: str
    grid: int | None
    value: list[float]
    low: list[float]
    high: list[float]
    law: str | None
    per_step: str | None
    reason: str | None


class SpanData(Record, frozen=True, kw_only=True):
    """Lengths over which the same builds need least; none of them where that is not known."""

    first: int
    last: int
    least: list[int]
    predicted: bool


class ContestData(Record, frozen=True, kw_only=True):
    """Which of some builds needs least of one metric, by length; ``text`` says it in words."""

    family: str
    metric: str
    builds: list[int]
    measured: list[int]
    spans: list[SpanData]
    text: str


class PageData(Record, frozen=True, kw_only=True):
    """Everything that the page shows.

    ``together``: by metric, the builds whose points coincide, as groups. ``answers``: a row for
    each build. ``changes``: of a comparison of two runs. ``budgets``: verdicts on them.
    ``notes``: sentences beside the changes, or on the size of the graphs.
    """

    answer: Answer
    metrics: list[MetricData]
    builds: list[BuildData]
    grids: list[list[float]]
    lines: list[LineData]
    together: dict[str, list[list[int]]]
    steps: list[StepData]
    contests: list[ContestData]
    answers: Table
    points: Table
    walls: Table
    frontiers: Table
    fits: Table
    probes: Table
    laws: Table
    choices: list[Table]
    remedies: Table | None
    failures: Table
    unknown: Table
    changes: Table | None = None
    budgets: Table | None = None
    notes: list[str] = []


@dataclass(frozen=True)
class Builds:
    """The builds of a run: points that differ in their lengths, repeats and limits only."""

    results: RunResults

    @cached_property
    def _items(self) -> dict[tuple[str, str, str], Point | Certificate]:
        items: list[Point | Certificate] = [m.point for _, m in self.results.measurements]
        items += [wall for _, wall in self.results.walls]
        found: dict[tuple[str, str, str], Point | Certificate] = {}
        for item in items:
            found.setdefault(self._key(item), item)
        return found

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, str, str], int]:
        return {key: number for number, key in enumerate(self._items)}

    def _key(self, item: Point | Certificate) -> tuple[str, str, str]:
        return self.results.labels(item), item.schedule.value, item.device

    def of(self, item: Point | Certificate) -> int:
        """Return the number of the build that a point or a wall is of."""
        return self._numbers[self._key(item)]

    def data(self) -> list[BuildData]:
        """Return all of them."""
        labels = self.results.labels
        return [
            BuildData(
                run=self.results.run.name,
                label=labels(item),
                scenario=item.scenario,
                family=labels.facet(item),
                axis=item.axis,
                one=one_of(item.axis),
                schedule=item.schedule.value,
                device=item.device,
                conditions=describe_parameters(item.parameters),
                values={name: value_text(value) for name, value in labels.varied(item).items()},
            )
            for item in self._items.values()
        ]


class Grids:
    """The lengths at which laws are sampled, each set of them once."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: dict[tuple[float, ...], int] = {}

    def number(self, lengths: Sequence[int]) -> tuple[int, np.ndarray[Any, Any]]:
        """Return the number of the grid over these lengths, and its lengths."""
        steps = np.geomspace(lengths[0], lengths[-1], _SAMPLES)
        steps = np.unique(np.append(np.round(steps), lengths))
        key = tuple(steps.tolist())
        return self.found.setdefault(key, len(self.found)), steps


def page_data(results: RunResults) -> PageData:
    """Return everything that a run's page shows."""
    builds, grids = Builds(results), Grids()
    metrics = _metrics(results)
    return PageData(
        answer=answer(results),
        metrics=metrics,
        builds=builds.data(),
        lines=[_line(one, builds.of(one.conditions), grids) for one in results.series],
        grids=[list(steps) for steps in grids.found],
        together={one.name: _together(results, one.name, builds) for one in metrics},
        steps=_steps(results, builds),
        contests=_contests(results, builds),
        answers=answer_table(results, builds.of),
        points=measurement_table(results, builds.of),
        walls=wall_table(results, builds.of),
        frontiers=frontier_table(results),
        fits=fit_table(results, builds.of),
        probes=probe_table(results),
        laws=law_table(results, builds.of),
        choices=choice_tables(results, builds.of),
        remedies=remedy_table(results, builds.of),
        failures=failure_table(results, builds.of),
        unknown=unknown_table(results),
        notes=size_sentences(results),
    )


_LIMITED = {"peak": "device"}


def _metrics(results: RunResults) -> list[MetricData]:
    measured = {one.metric.name for one in results.series}
    return [
        MetricData(name=m.name, title=m.title, unit=m.unit, limit=_LIMITED.get(m.name))
        for m in METRICS
        if m.name in measured
    ]


def _together(results: RunResults, metric: str, builds: Builds) -> list[list[int]]:
    members = [one for one in results.series if one.metric.name == metric]
    found = coinciding(members, lambda one: one)
    return [[builds.of(one.conditions) for one in group] for group in found]


def _line(series: MetricSeries, build: int, grids: Grids) -> LineData:
    law, metric = series.clear_law, series.metric
    if law is None:
        return LineData(
            build=build,
            metric=metric.name,
            grid=None,
            value=[],
            low=[],
            high=[],
            law=None,
            per_step=None,
            reason=no_law(series),
        )
    number, steps = grids.number([n for n in series.lengths if n >= law.first])
    lows, highs = law.bounds(steps)
    return LineData(
        build=build,
        metric=metric.name,
        grid=number,
        value=_short(law.values(steps)),
        low=[] if law.exact else _short(np.maximum(lows, 0)),
        high=[] if law.exact else _short(highs),
        law=law_text(law, metric),
        per_step=step_text(law, metric),
        reason=None,
    )


def _short(values: Iterable[float]) -> list[float]:
    """Return numbers to be drawn, without the digits that nobody sees."""
    found = [float(f"{float(value):.{_DIGITS}g}") for value in values]
    return [int(value) if value == int(value) else value for value in found]


def _steps(results: RunResults, builds: Builds) -> list[StepData]:
    """Return the training steps that are explained: the longest points, then all walls.

    Of very many, so many points as ``_MOST_STEPS`` leaves room for, and less of each.
    """
    walls = [
        (row, wall) for row, (_, wall) in enumerate(results.walls) if wall.explanation is not None
    ]
    points = [m for _, m in results.measurements if m.trace is not None]
    room = max(0, _MOST_STEPS - len(walls))
    if len(points) > room:
        points = sorted(points, key=lambda m: -m.point.steps)[:room]
    detail = FINE if len(points) + len(walls) <= _MANY_STEPS else COARSE
    framework = results.run.framework
    return [
        *(
            step_data(
                builds.of(m.point),
                _explained(m.trace, framework(m.point.framework), m),
                detail=detail,
            )
            for m in points
            if m.trace is not None
        ),
        *(
            step_data(
                builds.of(wall),
                _explained(wall.explanation, framework(wall.framework)),
                wall=row,
                detail=detail,
            )
            for row, wall in walls
            if wall.explanation is not None
        ),
    ]


def _explained(
    explained: Explanation, framework: FrameworkFacts, measurement: Measurement | None = None
) -> ExplainedStep:
    return ExplainedStep(
        name="",
        title="",
        series="",
        explained=explained,
        framework=framework,
        measurement=measurement,
    )


def _contests(results: RunResults, builds: Builds) -> list[ContestData]:
    found = []
    for family, members in results.comparable_series:
        numbers = {one.label: builds.of(one.conditions) for one in members}
        found += [
            _contest(family, one, numbers, stored_text(one, members[0]))
            for one in crossovers(members)
        ]
    return found


def _contest(family: str, one: Crossover, numbers: Mapping[str, int], text: str) -> ContestData:
    zones = one.zones if one.is_by_law else one.lengths
    return ContestData(
        family=family,
        metric=one.metric.name,
        builds=[numbers[label] for label in one.labels],
        measured=list(one.measured or ()),
        spans=[
            SpanData(
                first=zone.first,
                last=zone.last,
                least=[numbers[label] for label in zone.least],
                predicted=zone.predicted,
            )
            for zone in zones
        ],
        text=text,
    )
