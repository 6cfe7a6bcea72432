"""The phases of a point."""

from __future__ import annotations

import enum

from profiler.facts.codec import Bytes, Record, Seconds


class PhaseRole(enum.Enum):
    """What a phase is part of.

    ``overhead`` is what ordinary training does not have: loading the scenario, extra runs that
    look inside. Its memory is not the point's.
    """

    BUILD = "build"
    PREPARE = "prepare"
    FIRST_STEP = "first_step"
    STEADY = "steady"
    OVERHEAD = "overhead"


class Phase(Record, frozen=True, kw_only=True):
    """One phase of a point.

    ``began_s`` counts from the child's start; ``seconds`` is None for a phase that did not end.
    ``host_peak_bytes`` is the kernel's high-water mark of the process during the phase, and
    ``host_kept_bytes`` what it still holds at its end, both over the point's baseline.
    """

    name: str
    role: PhaseRole
    began_s: Seconds
    seconds: Seconds | None = None
    host_peak_bytes: Bytes | None = None
    host_kept_bytes: Bytes | None = None
