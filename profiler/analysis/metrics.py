"""The metrics that laws, budgets and comparisons are about: a name, a unit and where it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from profiler.errors import UsageError, did_you_mean
from profiler.facts import Measurement, Schedule, Status

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
        bends: whether its law may end where the framework no longer does in advance what it
            does for short graphs; then short graphs alone do not foretell it.
    """

    name: str
    title: str
    unit: Unit
    read: Callable[[Measurement], float | None]
    from_failed: bool = False
    noise: Literal["never", "parallel", "always"] = "always"
    bends: bool = False

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
    return measurement.graph.total_nodes if measurement.graph else None


def _build(measurement: Measurement) -> float | None:
    time = measurement.time
    if time is None or time.build_gradients_s is None:
        return None
    return time.build_forward_s + time.build_gradients_s


def _first_step(measurement: Measurement) -> float | None:
    return measurement.time.first_step_s if measurement.time else None


def _step(measurement: Measurement) -> float | None:
    return measurement.time.step_s if measurement.time else None


def _backprop(measurement: Measurement) -> float | None:
    return measurement.device.backprop_bytes if measurement.device else None


def _peak(measurement: Measurement) -> float | None:
    return measurement.device.peak_bytes if measurement.device else None


def _host(measurement: Measurement) -> float | None:
    return measurement.host.peak_bytes if measurement.host else None


METRICS = (
    Metric(name="nodes", title="nodes", unit="nodes", read=_nodes, from_failed=True, noise="never"),
    Metric(
        name="build_time", title="building the graph", unit="seconds", read=_build, from_failed=True
    ),
    Metric(name="first_step_time", title="first step", unit="seconds", read=_first_step),
    Metric(name="step_time", title="steady step", unit="seconds", read=_step),
    Metric(
        name="backprop",
        title="backprop memory",
        unit="bytes",
        read=_backprop,
        noise="parallel",
        bends=True,
    ),
    Metric(
        name="peak", title="device peak", unit="bytes", read=_peak, noise="parallel", bends=True
    ),
    Metric(name="host", title="host memory", unit="bytes", read=_host, bends=True),
)
BY_NAME = {metric.name: metric for metric in METRICS}


def find_metric(name: str) -> Metric:
    """Return the metric of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in BY_NAME:
        raise UsageError(f"no metric {name!r}{did_you_mean(name, BY_NAME)}")
    return BY_NAME[name]
