"""One thing to measure."""

from __future__ import annotations

import enum

from profiler.facts.codec import Bytes, Count, Record, key, to_json
from profiler.lengths import STEPS
from profiler.parameters import ParameterValue


class Schedule(enum.Enum):
    """How the framework's executor orders operations that are ready."""

    SERIAL = "serial"
    PARALLEL = "parallel"


class Point(Record, frozen=True, kw_only=True):
    """A scenario of a framework at one number of steps, under one set of conditions.

    ``source`` is a hash of the file that defines the scenario and of the user's modules that it
    imports; empty where it is not known. ``axis`` is the name of what ``steps`` counts.
    """

    framework: str
    scenario: str
    family: str
    parameters: dict[str, ParameterValue]
    steps: Count
    device: str = "cpu"
    limit_bytes: Bytes | None = None
    schedule: Schedule = Schedule.SERIAL
    repeat: Count = 0
    host_limit_bytes: Bytes | None = None
    source: str = ""
    axis: str = STEPS

    @property
    def on_card(self) -> bool:
        """Whether it runs on a device with memory of its own, which it must not share."""
        return self.device != "cpu"

    @property
    def key(self) -> str:
        """A text that is equal for equal points."""
        facts = to_json(self)
        if self.axis == STEPS:  # as runs are stored that knew no other axis
            del facts["axis"]
        return key(facts)
