"""Which build needs least of one metric, by length: by the laws, else as measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from profiler.analysis.crossover.costs import ENOUGH_REPEATS, cost_at
from profiler.analysis.crossover.zones import Zone, least, reach, zones
from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.metrics import METRICS, Metric
from profiler.analysis.prediction import unpredicted
from profiler.analysis.series import MetricSeries, kinds_of_nodes
from profiler.lengths import STEPS

_FEWEST_BUILDS = 2


@dataclass(frozen=True, kw_only=True)
class MissingLaw:
    """Why the law of one build cannot be used, and the options that would help."""

    label: str
    reason: str
    options: str


@dataclass(frozen=True, kw_only=True)
class ParallelOrder:
    """Which build needs least in the parallel schedule at one length, beside the serial one.

    Args:
        steps: the length.
        serial_least: the builds that are least there in the serial schedule.
        values: every repeat of each build in the parallel schedule; empty if one is not known.
        reason: why one is not known.
    """

    steps: int
    serial_least: tuple[str, ...]
    values: Mapping[str, tuple[float, ...]]
    reason: str | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether every repeat shows the serial order; None if that is not known."""
        if self.reason is not None:
            return None
        others = [label for label in self.values if label not in self.serial_least]
        apart = all(self._is_below(a, b) for a in self.serial_least for b in others)
        return apart and not any(
            self._is_below(a, b) for a in self.serial_least for b in self.serial_least
        )

    @property
    def least(self) -> str | None:
        """The one build of which every repeat needs less than every repeat of all others."""
        labels = list(self.values)
        return next(
            (a for a in labels if all(self._is_below(a, b) for b in labels if b != a)), None
        )

    def _is_below(self, one: str, other: str) -> bool:
        return max(self.values[one]) < min(self.values[other])


@dataclass(frozen=True, kw_only=True)
class Crossover:
    """Which build needs least of one metric, by length.

    Args:
        metric: what is compared.
        labels: the builds, in the order of the series.
        measured: the smallest and the largest length that were measured for all; None for none.
        zones: by the laws, from 1 step on; empty if a law is missing.
        lengths: as measured: one zone for each length that was measured for all.
        missing_laws: the laws that cannot be used.
        not_predicted: why the laws are not continued outside the measured lengths; None if they
            are.
        is_noisy: whether equal points may have different values.
        missing: builds that were to be compared, but have no such metric.
        parallel: what the parallel schedule shows at the lengths that were run in it, too.
        axis: the name of what is counted as steps.
        kinds: of nodes that are not the same thing in all builds: what each kind is, and of which
            builds. Nothing else is known then.
    """

    metric: Metric
    labels: tuple[str, ...]
    measured: tuple[int, int] | None
    zones: tuple[Zone, ...]
    lengths: tuple[Zone, ...]
    missing_laws: tuple[MissingLaw, ...]
    not_predicted: str | None = None
    is_noisy: bool = True
    missing: tuple[str, ...] = ()
    parallel: tuple[ParallelOrder, ...] = ()
    axis: str = STEPS
    kinds: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_contradicted(self) -> bool:
        """Whether the parallel schedule shows another order, or none, at a length."""
        return any(order.agrees is False for order in self.parallel)

    @property
    def is_by_law(self) -> bool:
        """Whether the laws show which build is least at any measured length."""
        return any(zone.least and not zone.predicted for zone in self.zones)

    @property
    def by_length(self) -> tuple[Zone, ...]:
        """Which build is least within the measured lengths: by the laws, else as measured."""
        inside = (zone for zone in self.zones if not zone.predicted)
        return tuple(inside) if self.is_by_law else self.lengths

    @property
    def is_known(self) -> bool:
        """Whether it is known at any measured length which build is least."""
        return any(zone.least for zone in self.by_length)


def crossovers(members: Sequence[MetricSeries]) -> list[Crossover]:
    """Return the crossover of each metric that two series or more have, in the metrics' order."""
    labels = dict.fromkeys(series.label for series in members)
    found = []
    for metric in METRICS:
        group = {series.label: series for series in members if series.metric.name == metric.name}
        if len(group) >= _FEWEST_BUILDS:
            missing = tuple(label for label in labels if label not in group)
            kinds = kinds_of_nodes(group.values())
            one = crossover(list(group.values())) if len(kinds) < _FEWEST_BUILDS else None
            found.append(replace(one or _other_things(metric, group, kinds), missing=missing))
    return found


def _other_things(
    metric: Metric, group: Mapping[str, MetricSeries], kinds: Mapping[str, Sequence[str]]
) -> Crossover:
    """Return that nothing is compared: the same number would not be the same thing."""
    return Crossover(
        metric=metric,
        labels=tuple(group),
        measured=None,
        zones=(),
        lengths=(),
        missing_laws=(),
        kinds=kinds,
        axis=next(iter(group.values())).conditions.axis,
    )


def crossover(members: Sequence[MetricSeries]) -> Crossover:
    """Return which build needs least by length, from series of one metric and axis; two at least.

    Outside the measured lengths laws are only continued as ``prediction`` allows.
    """
    missing_laws = [missing for series in members if (missing := _missing_law(series))]
    laws = {series.label: law for series in members if (law := series.clear_law)}
    shared = sorted(set.intersection(*(set(series.lengths) for series in members)))
    lengths = tuple(_as_measured(members, steps) for steps in shared)
    found, not_predicted = ([], None) if missing_laws or not shared else _by_law(members, laws)
    if any(_contradicts(zone, length) for zone in found for length in lengths):
        found, not_predicted = [], None
        missing_laws = [_contradicted(series) for series in members]
    return Crossover(
        metric=members[0].metric,
        labels=tuple(series.label for series in members),
        measured=(shared[0], shared[-1]) if shared else None,
        zones=tuple(found),
        lengths=lengths,
        missing_laws=tuple(missing_laws),
        not_predicted=not_predicted,
        is_noisy=any(series.is_noisy for series in members),
        axis=members[0].conditions.axis,
    )


def _by_law(
    members: Sequence[MetricSeries], laws: Mapping[str, Law]
) -> tuple[list[Zone], str | None]:
    """Return the zones of the laws, and why they are not continued; None if they are."""
    last = min(law.last for law in laws.values())
    until = reach(last)
    not_predicted = _not_predicted(members, until)
    if not_predicted is None:
        return zones(laws), None
    inside = [
        replace(zone, least=()) if zone.predicted else zone for zone in zones(laws, until=last)
    ]
    beyond = [Zone(first=last + 1, last=until, least=(), predicted=True)] if until > last else []
    return inside + beyond, not_predicted


def _as_measured(members: Sequence[MetricSeries], steps: int) -> Zone:
    """Return which build is least as measured at one length."""
    costs = [cost_at(series, steps) for series in members]
    lows = np.array([[-np.inf if cost.low is None else cost.low] for cost in costs])
    highs = np.array([[np.inf if cost.high is None else cost.high] for cost in costs])
    pairs = zip(members, least(lows, highs)[:, 0].tolist(), strict=True)
    names = tuple(series.label for series, is_least in pairs if is_least)
    return Zone(first=steps, last=steps, least=names)


def _missing_law(series: MetricSeries) -> MissingLaw | None:
    """Return why the law of the series cannot be used, or None if it can."""
    law = series.law
    if isinstance(law, TooFewLengths):
        needed = f"{law.lengths} of {law.needed} lengths"
        return MissingLaw(label=series.label, reason=needed, options="--steps")
    if law.is_clear:
        return None
    if series.is_noisy:
        most = max(len(series.values_at(steps)) for steps in series.lengths)
        options = f"--repeats {ENOUGH_REPEATS if most == 1 else 2 * most}"
        return MissingLaw(label=series.label, reason="too noisy", options=options)
    return MissingLaw(label=series.label, reason="no law fits its bends", options="--steps")


def _contradicts(zone: Zone, length: Zone) -> bool:
    """Return whether a zone of the laws names other builds than a measured length within it."""
    inside = zone.first <= length.first <= zone.last
    return inside and bool(zone.least and length.least) and zone.least != length.least


def _contradicted(series: MetricSeries) -> MissingLaw:
    reason = "measured values contradict it"
    return MissingLaw(label=series.label, reason=reason, options="--steps")


def _not_predicted(members: Iterable[MetricSeries], until: int) -> str | None:
    """Return why the laws are not continued to these steps, or None."""
    groups: dict[str | None, list[str]] = {}
    for series in members:
        groups.setdefault(unpredicted(series, until), []).append(series.label)
    continued = groups.pop(None, [])
    if len(groups) == 1 and not continued:
        return next(iter(groups))
    return "; ".join(f"{_builds(labels)}: {reason}" for reason, labels in groups.items()) or None


def _builds(labels: Sequence[str]) -> str:
    """Return the name of one build, or the number of several."""
    return labels[0] if len(labels) == 1 else f"{len(labels)} builds"
