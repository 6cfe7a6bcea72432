"""Whether the parallel schedule shows the order of builds that the serial one shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.analysis.crossover.costs import BuildCost
from profiler.analysis.crossover.crossovers import Crossover, ParallelOrder
from profiler.analysis.metrics import Metric
from profiler.facts import Measurement, Schedule, Status

# Where a shorter one shows the same, no longer length is run again.
_SHORT = 64


@dataclass(frozen=True, kw_only=True)
class ParallelRuns:
    """Repeats of every build at one length in the parallel schedule, by the builds' names."""

    steps: int
    runs: Mapping[str, Sequence[Measurement]]


def follows_schedule(metric: Metric) -> bool:
    """Whether equal points differ in the parallel schedule, and in the serial one never."""
    return metric.is_noisy(Schedule.PARALLEL) and not metric.is_noisy(Schedule.SERIAL)


def lengths_to_check(found: Iterable[Crossover]) -> list[int]:
    """Return the measured lengths that show each order that the serial schedule shows.

    For each set of builds that is least somewhere, the longest of ``_SHORT`` steps or less at
    which it is, else the shortest.
    """
    chosen: set[int] = set()
    for one in found:
        if not follows_schedule(one.metric):
            continue
        by_least: dict[tuple[str, ...], list[int]] = {}
        for zone in one.lengths:
            if least := _told(one, zone.first):
                by_least.setdefault(least, []).append(zone.first)
        for lengths in by_least.values():
            short = [steps for steps in lengths if steps <= _SHORT]
            chosen.add(max(short) if short else min(lengths))
    return sorted(chosen)


def with_parallel(found: Iterable[Crossover], checks: Sequence[ParallelRuns]) -> list[Crossover]:
    """Return the crossovers with what the parallel schedule shows at these lengths."""
    return [
        replace(one, parallel=tuple(_orders(one, checks))) if follows_schedule(one.metric) else one
        for one in found
    ]


def without_contradicted(
    builds: Iterable[BuildCost], found: Iterable[Crossover], metrics: Sequence[str]
) -> list[BuildCost]:
    """Return the builds; none is optimal where the schedules differ in one of the metrics."""
    contradicted = any(one.is_contradicted and one.metric.name in metrics for one in found)
    return [replace(one, is_optimal=None) if contradicted else one for one in builds]


def _orders(one: Crossover, checks: Iterable[ParallelRuns]) -> list[ParallelOrder]:
    return [_order(one, check, least) for check in checks if (least := _told(one, check.steps))]


def _order(one: Crossover, check: ParallelRuns, least: tuple[str, ...]) -> ParallelOrder:
    values: dict[str, tuple[float, ...]] = {}
    for label in one.labels:
        known = [(run, one.metric.value(run)) for run in check.runs[label]]
        for run, value in known:
            if value is None:
                is_ok = run.outcome.status is Status.OK
                why = "it was not measured" if is_ok else run.outcome.sentence
                return ParallelOrder(
                    steps=check.steps, serial_least=least, values={}, reason=f"{label}: {why}"
                )
        values[label] = tuple(sorted(value for _, value in known if value is not None))
    return ParallelOrder(steps=check.steps, serial_least=least, values=values)


def _told(one: Crossover, steps: int) -> tuple[str, ...]:
    """Return which builds are said to be least at this length."""
    zones = (zone for zone in one.by_length if zone.first <= steps <= zone.last)
    return next((zone.least for zone in zones), ())
