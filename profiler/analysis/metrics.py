"""The one registry of metrics: a name, a title, a unit, and where a measurement holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from profiler.facts import (
    Measurement,
    PhaseRole,
    Schedule,
    Status,
    largest_host_peak,
)

Unit = Literal["nodes", "bytes", "seconds"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number of a measurement; less of it is better.

    Args:
        name: as users write it.
        title: the quantity in a few words.
        unit: what is counted.
        read: reads it; None where it was not measured.
        from_failed: whether a failed point's value is complete (a graph that was built is,
            the peak of a step that broke off is not).
        noise: ``never``: equal points have equal values; ``parallel``: in the parallel schedule
            they may differ; ``always``: they differ from run to run.
    """

    name: str
    title: str
    unit: Unit
    read: Callable[[Measurement], float | None]
    from_failed: bool = False
    noise: Literal["never", "parallel", "always"] = "always"

    @property
    def is_whole(self) -> bool:
        """Whether it is a count that may follow a law exactly."""
        return self.unit == "nodes"

    def value(self, measurement: Measurement) -> float | None:
        """Return its value, or None where it was not measured to its end."""
        ended = measurement.outcome.status is Status.OK or self.from_failed
        return self.read(measurement) if ended else None

    def is_noisy(self, schedule: Schedule) -> bool:
        """Whether equal points of that schedule may have different values."""
        return self.noise == "always" or (
            self.noise == "parallel" and schedule is Schedule.PARALLEL
        )


def _nodes(measurement: Measurement) -> float | None:
    return measurement.graph.nodes if measurement.graph else None


def _graph_bytes(measurement: Measurement) -> float | None:
    return measurement.graph.serialized_bytes if measurement.graph else None


def _build(measurement: Measurement) -> float | None:
    return measurement.build_s


def _first_step(measurement: Measurement) -> float | None:
    return measurement.seconds_of(PhaseRole.FIRST_STEP)


def _step(measurement: Measurement) -> float | None:
    return measurement.step.median_s if measurement.step else None


def _backprop(measurement: Measurement) -> float | None:
    return measurement.device.backprop_bytes if measurement.device else None


def _peak(measurement: Measurement) -> float | None:
    return measurement.device.peak_bytes if measurement.device else None


def _host(measurement: Measurement) -> float | None:
    return measurement.host_peak_bytes


def _host_build(measurement: Measurement) -> float | None:
    return largest_host_peak([p for p in measurement.phases if p.role is PhaseRole.BUILD])


def _host_limited(measurement: Measurement) -> float | None:
    host = measurement.host
    return host.capped_peak_bytes if host and measurement.point.host_limit_bytes else None


METRICS = (
    Metric(name="nodes", title="nodes", unit="nodes", read=_nodes, from_failed=True, noise="never"),
    Metric(
        name="build_time", title="building the graph", unit="seconds", read=_build, from_failed=True
    ),
    Metric(name="first_step_time", title="first step", unit="seconds", read=_first_step),
    Metric(name="step_time", title="steady step", unit="seconds", read=_step),
    Metric(
        name="backprop", title="backprop memory", unit="bytes", read=_backprop, noise="parallel"
    ),
    Metric(name="peak", title="device peak", unit="bytes", read=_peak, noise="parallel"),
    Metric(name="host", title="host memory", unit="bytes", read=_host),
)
"""What laws, budgets and comparisons are about."""

BY_NAME = {metric.name: metric for metric in METRICS}

HOST_BUILD = Metric(name="host_build", title="peak while building", unit="bytes", read=_host_build)
HOST_LIMITED = Metric(
    name="host_limited", title="whole process, limited", unit="bytes", read=_host_limited
)


# Equal graphs may differ by some bytes, as the numbers in their names do: no metric to compare.
GRAPH_BYTES = Metric(
    name="graph_bytes",
    title="serialized graph",
    unit="bytes",
    read=_graph_bytes,
    from_failed=True,
    noise="never",
)


def stage_nodes(name: str, title: str) -> Metric:
    """Return the metric of the nodes of one stage of the graph."""

    def read(measurement: Measurement) -> float | None:
        stage = measurement.graph.stage(name) if measurement.graph else None
        return stage.nodes if stage else None

    return Metric(
        name=f"{name}_nodes", title=title, unit="nodes", read=read, from_failed=True, noise="never"
    )


def part_nodes(part: str) -> Metric:
    """Return the metric of the nodes of one part of the graph as built, as ``forward``."""

    def read(measurement: Measurement) -> float | None:
        built = measurement.graph.built if measurement.graph else None
        return built.parts.get(part) if built else None

    return Metric(
        name=f"{part}_nodes", title=part, unit="nodes", read=read, from_failed=True, noise="never"
    )
