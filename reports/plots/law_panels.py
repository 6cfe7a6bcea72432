"""The data of the plots of laws: one panel for each metric and family, one line for each series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.metrics import Metric
from profiler.analysis.prediction import REACH, predicted_value
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries
from profiler.facts import Certificate, WallStatus
from reports.tables.laws import law_text
from reports.texts.numbers import steps_text

__all__ = ["Ahead", "LawPanel", "Line", "law_panels", "metric_panels"]

_AHEAD = 13
_LEGEND_CHARACTERS = 42
_INDENT = "\n   "


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What is predicted at one length; single measurements lie in the interval in 95 %."""

    steps: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series, with its place among the series of its family, and its walls."""

    series: MetricSeries
    index: int
    walls: tuple[Certificate, ...] = ()

    @property
    def axis(self) -> str:
        """The name of its axis."""
        return self.series.conditions.axis

    @property
    def law(self) -> Law | None:
        """The law, if its error is small enough to say something about one step."""
        return self.series.clear_law

    @property
    def text(self) -> str:
        """The label, the law in its units or why there is none, and the walls."""
        text = self.law_text
        short = len(self.series.label) + len(text) < _LEGEND_CHARACTERS
        walls = [
            f"{_INDENT}survives {steps_text(wall.last_ok or 0, wall.axis)}" for wall in self.walls
        ]
        return f"{self.series.label}:{' ' if short else _INDENT}{text}{''.join(walls)}"

    @property
    def law_text(self) -> str:
        """The law in its units, or why there is none."""
        if isinstance(self.series.law, TooFewLengths):
            return f"{self.series.law.lengths} of {self.series.law.needed} lengths"
        if self.law is None:
            return "no clear law"
        text = law_text(self.law, self.series.metric)
        late = self.law.first > self.series.points[0][0]
        return f"{text} from {steps_text(self.law.first, self.axis)} on" if late else text

    @cached_property
    def ahead(self) -> tuple[Ahead, ...]:
        """What is predicted from the last measured length on, as far as anything may be said.

        Nothing where that is less than twice as far: so short a line shows nothing.
        """
        last = self.series.last
        exactly = np.round(np.geomspace(last, REACH * last, _AHEAD))
        # An exact law has a width between the steps that lie as far apart as its lengths do.
        near = self.law.around(exactly)[0] if self.law else exactly
        lengths = np.unique(near).astype(int).tolist()
        found: list[Ahead] = []
        for steps in lengths:
            text = predicted_value(self.series, steps)
            if text.value is None or text.low is None or text.high is None:
                break
            found.append(Ahead(steps=steps, value=text.value, low=text.low, high=text.high))
        return tuple(found) if found and found[-1].steps >= 2 * last else ()

    @property
    def end(self) -> int:
        """How far the law is drawn: beyond what was measured only where it may be continued."""
        return self.ahead[-1].steps if self.ahead else self.series.last

    @property
    def residuals(self) -> list[tuple[int, float]]:
        """The residual of each point in percent of the law's value, with its steps."""
        return [
            (point.steps, 100 * point.residual / abs(point.value - point.residual))
            for point in (self.law.points if self.law else ())
            if point.value != point.residual
        ]

    @property
    def medians(self) -> dict[int, float]:
        """The median over the repeats, by steps."""
        return self.series.medians


@dataclass(frozen=True, kw_only=True)
class LawPanel:
    """One metric of one family."""

    family: str
    metric: Metric
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """What it shows, in a few words."""
        return f"{self.family}: {self.metric.title}"

    @property
    def axes(self) -> list[str]:
        """The names of its lines' axes."""
        return [line.axis for line in self.lines]

    @property
    def walls(self) -> list[Certificate]:
        """The walls of every line."""
        return [wall for line in self.lines for wall in line.walls]

    @property
    def first(self) -> int:
        """The shortest measured length."""
        return min(line.series.points[0][0] for line in self.lines)

    @property
    def last(self) -> int:
        """The longest measured length."""
        return max(line.series.last for line in self.lines)

    @property
    def end(self) -> int:
        """Where the longest line or the last wall ends, but at least two lengths apart."""
        ends = [line.end for line in self.lines] + [wall.last_ok or 0 for wall in self.walls]
        return max(*ends, 2 * self.first)

    @property
    def is_long_enough(self) -> bool:
        """Whether a line has enough lengths for a law, or to rule one out."""
        return any(isinstance(line.series.law, Law) for line in self.lines)

    @property
    def has_laws(self) -> bool:
        """Whether a line follows a law."""
        return any(line.law for line in self.lines)

    @property
    def continued(self) -> bool:
        """Whether a law is drawn beyond what was measured."""
        return any(line.ahead for line in self.lines)

    @property
    def shows_residuals(self) -> bool:
        """Whether a point is off its law: no outlier of an exact law may go untext."""
        laws = [line.law for line in self.lines if line.law]
        return any(not law.exact or law.outliers for law in laws)

    @property
    def values(self) -> list[float]:
        """Every value that must be in sight: what was measured or predicted, and limits."""
        found = [value for line in self.lines for _, value in line.series.points]
        found += [one.value for line in self.lines for one in line.ahead]
        return found + [wall.limit_bytes for wall in self.walls]


def law_panels(results: RunResults, metric: Metric) -> list[LawPanel]:
    """Return the panels of one metric, those of families with enough lengths for a law."""
    return [panel for panel in metric_panels(results, metric) if panel.is_long_enough]


def metric_panels(results: RunResults, metric: Metric) -> list[LawPanel]:
    """Return the panels of one metric, of every family of which it was measured."""
    # The places are those of the other plots, where a series without this metric counts too.
    places = results.families
    walls = results.walls if metric.name == "peak" else []
    lines: dict[str, list[Line]] = {}
    for series in results.series:
        if series.metric is metric:
            family = results.labels.facet(series.conditions)
            index = places[family].index(series.label)
            line = Line(series=series, index=index, walls=_walls_of(series, walls))
            lines.setdefault(family, []).append(line)
    return [
        LawPanel(family=family, metric=metric, lines=tuple(members))
        for family, members in lines.items()
    ]


def _walls_of(
    series: MetricSeries, walls: Sequence[tuple[str, Certificate]]
) -> tuple[Certificate, ...]:
    return tuple(
        wall
        for label, wall in walls
        if (label, wall.family, wall.kind) == (series.label, series.conditions.family, "device")
        and wall.last_ok is not None
        and wall.status in {WallStatus.EXACT, WallStatus.BAND}
    )
