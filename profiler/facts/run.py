"""A run: the measurements and walls of one invocation, and what it was made with."""

from __future__ import annotations

from profiler.facts.codec import Bytes, Count, Record
from profiler.facts.framework import FrameworkFacts
from profiler.facts.measurement import Measurement
from profiler.facts.wall import Certificate

# Of the JSON documents that ``--json`` writes.
SCHEMA = 1


class Environment(Record, frozen=True, kw_only=True):
    """The machine and the software that a run was made with.

    ``frameworks``: by name. ``source``: ``git describe`` of stepwall's own checkout.
    """

    stepwall: str
    python: str
    platform: str
    cpu: str
    cpu_count: Count
    memory_bytes: Bytes
    frameworks: dict[str, FrameworkFacts] = {}
    source: str | None = None

    def differences(self, other: Environment) -> list[str]:
        """Return what makes times, or all numbers, of two environments hard to compare."""
        pairs: list[tuple[str, object, object]] = [
            ("processor", self.cpu, other.cpu),
            ("cores", self.cpu_count, other.cpu_count),
            ("Python", self.python, other.python),
            ("stepwall", self.stepwall, other.stepwall),
            *(
                (name, mine.versions_text, other.frameworks[name].versions_text)
                for name, mine in self.frameworks.items()
                if name in other.frameworks
            ),
        ]
        return [f"{name}: {was} before, {now} now" for name, was, now in pairs if was != now]


class Run(Record, frozen=True, kw_only=True):
    """A set of measurements and walls made by one invocation."""

    id: str
    name: str
    created_at: str
    command: str
    environment: Environment
    finished: bool
    measurements: list[Measurement]
    walls: list[Certificate]

    def framework(self, name: str) -> FrameworkFacts:
        """Return what a framework of this run says of itself; its bare name where it is unknown."""
        return self.environment.frameworks.get(name) or FrameworkFacts(name=name, title=name)
