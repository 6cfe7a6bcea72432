"""A measuring session: the parent's one way to ask children for listings and measurements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from profiler.errors import StepwallError
from profiler.facts import (
    DeviceMemory,
    GraphSize,
    HostMemory,
    Measurement,
    Outcome,
    Point,
    Status,
    Timeline,
    Times,
    WallPrediction,
    WallPredictions,
    from_json,
    to_json,
)
from profiler.facts.explanation import Explanation
from profiler.forecast import host as host_forecast
from profiler.frameworks import DEFAULT_ENGINE, Mode, PredictionRequest
from profiler.measure import outcomes as outcome
from profiler.measure.launcher import JobResult, Launcher
from profiler.planning.discovery import Listing, listings

POINT_TIMEOUT_S = 600.0
_QUERY_TIMEOUT_S = 300.0
_FULL = Mode()
_GROUPS = {
    "graph": GraphSize,
    "time": Times,
    "device": DeviceMemory,
    "host": HostMemory,
    "timeline": Timeline,
}


@dataclass(frozen=True, kw_only=True)
class Session:
    """Children of one engine that know the user's scenario sources.

    Attributes:
        launcher: what starts the children.
        sources: scenario files and folders, beside the shipped ones.
        timeout_s: seconds after which a point is killed.
    """

    launcher: Launcher
    sources: tuple[str, ...] = ()
    engine: str = DEFAULT_ENGINE
    timeout_s: float = POINT_TIMEOUT_S

    def catalog(self) -> tuple[dict[str, Listing], list[str]]:
        """Return the scenarios by name, and one line for each file that cannot be used."""
        facts = self._ask("catalog")
        return listings(facts["catalog"]), facts["catalog"]["broken"]

    def describe(self) -> dict[str, Any]:
        """Return the versions and the devices as the framework sees them."""
        description: dict[str, Any] = self._ask("describe")["describe"]
        return description

    def measure(
        self,
        point: Point,
        *,
        mode: Mode = _FULL,
        timeline: bool = False,
    ) -> Measurement:
        """Measure one point in a child of its own; however that ends, it is a measurement.

        Args:
            point: what to measure.
            mode: how to measure it.
            timeline: sample its memory over time.
        """
        job = {
            "task": "measure",
            "engine": self.engine,
            "sources": list(self.sources),
            "point": to_json(point),
            "mode": to_json(mode),
            "timeline": timeline,
        }
        return measurement(point, self.launcher.run(job, timeout_s=self.timeout_s))

    def forecast(self, point: Point, *, max_steps: int) -> WallPrediction | None:
        """Return the point's wall as predicted from small steps; None where that cannot be done.

        Args:
            point: the conditions; its steps do not matter.
            max_steps: nothing beyond is looked at.
        """
        if point.host_limit_bytes is not None:
            return host_forecast.predict(
                lambda steps, like: self._host_demand(replace(point, steps=steps), like),
                limit_bytes=point.host_limit_bytes,
                max_steps=max_steps,
            )
        if point.limit_bytes is None:
            return None
        horizon = PredictionRequest(limits_bytes=[point.limit_bytes], max_steps=max_steps)
        return self.foresee(point, horizon).walls[0]

    def foresee(self, point: Point, horizon: PredictionRequest) -> WallPredictions:
        """Return the point's device wall under each limit, as predicted from small steps.

        Args:
            point: the conditions; its steps and its own limits do not matter.
            horizon: the limits, and how far to look.
        """
        job = {
            "task": "forecast",
            "engine": self.engine,
            "sources": list(self.sources),
            "point": to_json(point),
            "horizon": to_json(horizon),
        }
        facts = self.launcher.run(job, timeout_s=self.timeout_s).facts
        if "foresight" not in facts:
            return WallPredictions(walls=[None] * len(horizon.limits_bytes))
        return from_json(WallPredictions, facts["foresight"])

    def explain(self, point: Point, *, alone: bool = False) -> Explanation | Outcome:
        """Say what is held at the peak of the point's training step; else how its child ended.

        Args:
            point: the training step, run once more with its allocations recorded.
            alone: run no shorter ones to tell what a time step adds.
        """
        job = {
            "task": "explain",
            "engine": self.engine,
            "sources": list(self.sources),
            "point": to_json(point),
            "alone": alone,
        }
        ended = self.launcher.run(job, timeout_s=self.timeout_s)
        if "explanation" not in ended.facts:
            return _outcome(ended)
        return from_json(Explanation, ended.facts["explanation"])

    def traced(self, measurement: Measurement, *, alone: bool = True) -> Measurement:
        """Return the measurement with the explanation of its peak, or with why it has none."""
        if measurement.outcome.status is not Status.OK:
            return measurement
        found = self.explain(measurement.point, alone=alone)
        if isinstance(found, Explanation):
            return replace(measurement, trace=found)
        missing = {**measurement.missing, "trace": untraced(found)}
        return replace(measurement, missing=missing)

    def _host_demand(self, point: Point, like: int | None) -> int | None:
        host = self.measure(point, mode=Mode(inspect=False, like=like)).host
        return None if host is None else host.capped_peak_bytes

    def _ask(self, task: str) -> dict[str, Any]:
        job = {"task": task, "engine": self.engine, "sources": list(self.sources)}
        ended = self.launcher.run(job, timeout_s=_QUERY_TIMEOUT_S)
        if task not in ended.facts:
            end = _outcome(ended)
            raise StepwallError(f"the framework's child failed: {end.reason}\n{ended.log_tail}")
        return ended.facts


def untraced(ended: Outcome) -> str:
    """Return why a training step has no explanation, from how the child that made it ended."""
    return f"the run that records the allocations ended with {ended.status.value}: {ended.reason}"


def measurement(point: Point, ended: JobResult) -> Measurement:
    """Return what a child's end says of its point; what cannot be read counts as nothing."""
    try:
        return _reported(point, ended)
    except (TypeError, ValueError) as error:
        end = replace(
            outcome.from_exit(ended.exit, None), reason=f"left an unreadable result: {error}"
        )
        return Measurement(point=point, outcome=end, seconds=ended.seconds, log_tail=ended.log_tail)


def _reported(point: Point, ended: JobResult) -> Measurement:
    facts = ended.facts
    end = _outcome(ended)
    if point.host_limit_bytes is not None:
        end = outcome.of_host(end, ended.exit, on_gpu=point.device != "cpu")
    groups: dict[str, Any] = {
        name: from_json(kind, facts[name]) for name, kind in _GROUPS.items() if name in facts
    }
    if end.status is Status.OK and "device" not in groups:
        raise ValueError("it says ok, and nothing of the device's memory")
    return Measurement(
        point=point,
        outcome=end,
        seconds=ended.seconds,
        missing=from_json(dict[str, str], facts.get("missing", {})),
        notes=from_json(list[str], facts.get("notes", [])),
        log_tail=None if end.status is Status.OK else ended.log_tail,
        **groups,
    )


def _outcome(ended: JobResult) -> Outcome:
    if "outcome" in ended.facts and ended.exit.timed_out_s is None:
        return from_json(Outcome, ended.facts["outcome"])
    phase = ended.facts.get("phase")
    phase = phase if isinstance(phase, str) else None
    return outcome.from_exit(ended.exit, phase, log_tail=ended.log_tail)
