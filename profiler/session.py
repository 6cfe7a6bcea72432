"""A measuring session: the parent's one way to ask children for listings and measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from profiler import outcome
from profiler.discovery import Listing, listings
from profiler.engines import DEFAULT_ENGINE
from profiler.errors import StepwallError
from profiler.launcher import Ended, Launcher
from profiler.results import (
    DeviceMemory,
    GraphSize,
    HostMemory,
    Measurement,
    Outcome,
    Point,
    Timeline,
    Times,
    from_json,
    to_json,
)

POINT_TIMEOUT_S = 600.0
_QUERY_TIMEOUT_S = 300.0
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

    def measure(self, point: Point, *, inspect: bool = True, timeline: bool = False) -> Measurement:
        """Measure one point in a child of its own; however that ends, it is a measurement."""
        job = {
            "task": "measure",
            "engine": self.engine,
            "sources": list(self.sources),
            "point": to_json(point),
            "inspect": inspect,
            "timeline": timeline,
        }
        return measurement(point, self.launcher.run(job, timeout_s=self.timeout_s))

    def _ask(self, task: str) -> dict[str, Any]:
        job = {"task": task, "engine": self.engine, "sources": list(self.sources)}
        ended = self.launcher.run(job, timeout_s=_QUERY_TIMEOUT_S)
        if task not in ended.facts:
            end = _outcome(ended)
            raise StepwallError(f"the framework's child failed: {end.reason}\n{ended.log_tail}")
        return ended.facts


def measurement(point: Point, ended: Ended) -> Measurement:
    """Return what a child's end says of its point."""
    facts = ended.facts
    end = _outcome(ended)
    groups: dict[str, Any] = {
        name: from_json(kind, facts[name]) for name, kind in _GROUPS.items() if name in facts
    }
    return Measurement(
        point=point,
        outcome=end,
        seconds=ended.seconds,
        missing=facts.get("missing", {}),
        notes=facts.get("notes", []),
        log_tail=None if end.status.value == "ok" else ended.log_tail,
        **groups,
    )


def _outcome(ended: Ended) -> Outcome:
    if "outcome" in ended.facts and ended.exit.timed_out_s is None:
        return from_json(Outcome, ended.facts["outcome"])
    return outcome.from_exit(ended.exit, ended.facts.get("phase"))
