"""What a framework says of itself, as data: reports name phases, stages and caveats by it."""

from __future__ import annotations

import enum

from profiler.facts.codec import Count, Record
from profiler.facts.phase import PhaseRole


class CaveatEffect(enum.Enum):
    """What a caveat forbids.

    ``no_extrapolation``: no law of the metric holds beyond the measured lengths.
    ``short_runs_differ``: a law of ordinary short runs does not hold beyond them; one of short
    runs with constant folding scaled down does.
    ``upper_bound``: from ``from_steps`` on, a predicted value is the most that is needed.
    """

    NO_EXTRAPOLATION = "no_extrapolation"
    SHORT_RUNS_DIFFER = "short_runs_differ"
    UPPER_BOUND = "upper_bound"


class Caveat(Record, frozen=True, kw_only=True):
    """Why a metric's numbers mean less than they seem to, from ``from_steps`` on (None: always)."""

    metric: str
    effect: CaveatEffect
    text: str
    from_steps: Count | None = None


class PhaseFacts(Record, frozen=True, kw_only=True):
    """A phase of a step kind: its name, what it is part of, and in words what takes memory."""

    name: str
    role: PhaseRole
    title: str
    detail: str


class StageFacts(Record, frozen=True, kw_only=True):
    """A stage of graph size in words.

    ``counts``: what its nodes are, where the graphs of a step kind begin with it.
    """

    name: str
    title: str
    detail: str
    counts: str = ""


class SizeLimit(Record, frozen=True, kw_only=True):
    """The most that a metric may reach whatever the machine has, and what fails beyond it."""

    metric: str
    most: Count
    text: str


class FrameworkFacts(Record, frozen=True, kw_only=True):
    """A framework as a run names it.

    ``versions``: package -> version. ``devices``: as the framework sees them, as ``gpu:0 NAME``.
    ``allocators``: kind of device (``cpu``, ``gpu``) -> what its memory allocator is called.
    """

    name: str
    title: str
    versions: dict[str, str] = {}
    devices: list[str] = []
    allocators: dict[str, str] = {}
    phases: list[PhaseFacts] = []
    stages: list[StageFacts] = []
    caveats: list[Caveat] = []
    limits: list[SizeLimit] = []

    @property
    def versions_text(self) -> str:
        """The packages with their versions, in a line."""
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())

    def phase_title(self, name: str) -> str:
        """Return a phase in words; its name where it is not known."""
        return next((one.title for one in self.phases if one.name == name), name.replace("_", " "))

    def counted(self, name: str) -> str:
        """Return what the nodes of a stage are, and whose."""
        stage = next((one for one in self.stages if one.name == name), None)
        what = (stage and stage.counts) or f"nodes {self.stage_title(name)}"
        return f"{what} ({self.title})"

    def stage_title(self, name: str) -> str:
        """Return a stage in words; its name where it is not known."""
        return next((one.title for one in self.stages if one.name == name), name.replace("_", " "))
