"""Who needs least of one metric, by length: by laws, else by what was measured alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from profiler.analysis.crossover.choices import ENOUGH_REPEATS, reading
from profiler.analysis.crossover.zones import Zone, least, reach, zones
from profiler.analysis.laws import Law, TooFew
from profiler.analysis.metrics import Metric
from profiler.analysis.prediction import miss, predicted_value
from profiler.analysis.series import MetricSeries


@dataclass(frozen=True, kw_only=True)
class MissingLaw:
    """Why the law of one build cannot be used, and the options that would help."""

    label: str
    reason: str
    options: str


@dataclass(frozen=True, kw_only=True)
class Crossover:
    """Who needs least of one metric, by length.

    Args:
        metric: what is compared.
        labels: who is compared, in the order of the curves.
        measured: the smallest and the largest length that were measured of all; None for none.
        zones: by the laws, from 1 step on; empty where a law is lacking.
        lengths: by what was measured alone, at each common length, one zone for each.
        missing_laws: the laws that are lacking.
        beyond: why the laws say nothing outside the measured lengths; None where they do.
        is_noisy: whether equal points may have different values.
        missing: who was meant to be compared, but never measured.
    """

    metric: Metric
    labels: tuple[str, ...]
    measured: tuple[int, int] | None
    zones: tuple[Zone, ...]
    lengths: tuple[Zone, ...]
    missing_laws: tuple[MissingLaw, ...]
    beyond: str | None = None
    is_noisy: bool = True
    missing: tuple[str, ...] = ()

    @property
    def is_by_law(self) -> bool:
        """Whether the laws tell anything of a measured length."""
        return any(zone.least and not zone.predicted for zone in self.zones)

    @property
    def by_length(self) -> tuple[Zone, ...]:
        """Who is least within the measured lengths: by the laws, else at each common length."""
        inside = (zone for zone in self.zones if not zone.predicted)
        return tuple(inside) if self.is_by_law else self.lengths

    @property
    def is_told(self) -> bool:
        """Whether anything can be told of a measured length."""
        return any(zone.least for zone in self.by_length)


def contest(curves: Sequence[MetricSeries]) -> Crossover:
    """Return who needs least by length, of curves of one metric; two at least.

    Outside the measured lengths laws are only continued where they foretell (``prediction``).
    """
    missing_laws = [lack for curve in curves if (lack := _lack(curve))]
    laws = {curve.label: law for curve in curves if (law := curve.clear_law)}
    shared = sorted(set.intersection(*({n for n, _ in curve.points} for curve in curves)))
    measured = (shared[0], shared[-1]) if shared else None
    lengths = tuple(_at(curves, steps) for steps in shared)
    found, beyond = [] if missing_laws or not measured else _zones(curves, laws), None
    if any(_contradicts(zone, length) for zone in found for length in lengths):
        found, missing_laws = [], [_contradicted(curve) for curve in curves]
    if found:
        beyond = _closed(curves, found[-1].last)
    if beyond:
        found = [replace(zone, least=()) if zone.predicted else zone for zone in found]
    return Crossover(
        metric=curves[0].metric,
        labels=tuple(curve.label for curve in curves),
        measured=measured,
        zones=tuple(found),
        lengths=lengths,
        missing_laws=tuple(missing_laws),
        beyond=beyond,
        is_noisy=any(curve.metric.is_noisy(curve.conditions.schedule) for curve in curves),
    )


def _zones(curves: Sequence[MetricSeries], laws: Mapping[str, Law]) -> list[Zone]:
    until = reach(min(law.last for law in laws.values()))
    return zones(laws, until=until, slack={curve.label: miss(curve, until) for curve in curves})


def _at(curves: Sequence[MetricSeries], steps: int) -> Zone:
    """Return who is least as measured at one length."""
    ends = np.array(
        [
            [-np.inf if read.low is None else read.low, np.inf if read.high is None else read.high]
            for read in (reading(curve, steps) for curve in curves)
        ]
    )
    pairs = zip(curves, least(ends[:, :1], ends[:, 1:])[:, 0].tolist(), strict=True)
    names = tuple(curve.label for curve, is_least in pairs if is_least)
    return Zone(first=steps, last=steps, least=names)


def _lack(curve: MetricSeries) -> MissingLaw | None:
    """Return why the curve's law cannot be used, or None where it can."""
    law = curve.law
    if isinstance(law, TooFew):
        needed = f"{law.lengths} of {law.needed} lengths"
        return MissingLaw(label=curve.label, reason=needed, options="--steps")
    if law.is_clear:
        return None
    if curve.metric.is_noisy(curve.conditions.schedule):
        most = max(len(curve.values_at(steps)) for steps, _ in curve.points)
        options = f"--repeats {ENOUGH_REPEATS if most == 1 else 2 * most}"
        return MissingLaw(label=curve.label, reason="too noisy", options=options)
    return MissingLaw(label=curve.label, reason="no law has its bends", options="--steps")


def _contradicts(zone: Zone, length: Zone) -> bool:
    """Return whether a zone of the laws names others than what was measured within it."""
    inside = zone.first <= length.first <= zone.last
    return inside and bool(zone.least and length.least) and zone.least != length.least


def _contradicted(curve: MetricSeries) -> MissingLaw:
    reason = "what was measured contradicts it"
    return MissingLaw(label=curve.label, reason=reason, options="--steps")


def _closed(curves: Iterable[MetricSeries], until: int) -> str | None:
    """Return why the laws are not continued to these steps, or None."""
    groups: dict[str | None, list[str]] = {}
    for curve in curves:
        groups.setdefault(predicted_value(curve, until).reason, []).append(curve.label)
    open_ones = groups.pop(None, [])
    if len(groups) == 1 and not open_ones:
        return next(iter(groups))
    return "; ".join(f"{_who(labels)}: {reason}" for reason, labels in groups.items()) or None


def _who(labels: Sequence[str]) -> str:
    """Return a build by its name, several as their number."""
    return labels[0] if len(labels) == 1 else f"{len(labels)} builds"
