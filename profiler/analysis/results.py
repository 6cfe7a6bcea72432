"""A run as reports read it: labelled, with its metrics as series and their laws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from profiler.analysis.series import MetricSeries, fitted, metric_series
from profiler.analysis.size_wall import SizeWall, size_walls
from profiler.facts import Measurement
from profiler.facts.labels import LabelledRun

__all__ = ["RunResults"]


@dataclass(frozen=True)
class RunResults(LabelledRun):
    """A labelled run with its series."""

    @cached_property
    def series(self) -> list[MetricSeries]:
        """Each metric of each series with its law, fitted once."""
        return fitted(metric_series(self.run))

    @cached_property
    def size_walls(self) -> dict[str, tuple[SizeWall, ...]]:
        """Where the graph of each series reaches a limit of its framework, by label."""
        found: dict[str, list[Measurement]] = {}
        for label, measurement in self.measurements:
            found.setdefault(label, []).append(measurement)
        return {
            label: size_walls(members, self.run.framework(members[0].point.framework).limits)
            for label, members in found.items()
        }

    @cached_property
    def comparable_series(self) -> list[tuple[str, list[MetricSeries]]]:
        """Each facet with its series over one axis: numbers over different ones do not compare."""
        found: dict[tuple[str, str], list[MetricSeries]] = {}
        for one in self.series:
            facet = self.labels.facet(one.conditions)
            found.setdefault((facet, one.conditions.axis), []).append(one)
        return [(family, members) for (family, _), members in found.items()]

    @cached_property
    def family_series(self) -> dict[str, list[MetricSeries]]:
        """The series of each family, or facet of it, that was measured, in the order of the run."""
        found: dict[str, list[MetricSeries]] = {}
        for one in self.series:
            found.setdefault(self.labels.facet(one.conditions), []).append(one)
        return found
