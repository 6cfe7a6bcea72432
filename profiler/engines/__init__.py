"""The seam to the frameworks: what an engine must do, and how to get one by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from profiler.recorder import Recorder
from profiler.results import Point

DEFAULT_ENGINE = "tensorflow"


class PointError(Exception):
    """The scenario cannot be measured as a training step; the message says why."""

    def __str__(self) -> str:
        """Return the message."""
        return " ".join(map(str, self.args))


class Engine(Protocol):
    """One framework: all that the core asks of it."""

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""

    def measure(
        self, point: Point, build: Callable[[], Any], recorder: Recorder, *, inspect: bool
    ) -> None:
        """Build the training graph, run its first and steady steps, and record all of it.

        Args:
            point: what is measured.
            build: calls the scenario and returns what it returned.
            recorder: takes the phases and the facts.
            inspect: also run what is only needed to look inside (the forward part alone,
                one traced step); a wall probe leaves it out.
        """

    def cause(self, error: BaseException) -> BaseException:
        """Return the exception whose message says what went wrong, often ``error`` itself."""

    def device_oom(self, error: BaseException) -> str | None:
        """Return what the device's allocator could not give, or None for any other error."""

    def describe(self) -> dict[str, Any]:
        """Return ``versions`` (package -> version) and ``devices`` as the framework sees them."""


# What the fork server imports before it forks: the slow part that every child shares.
PRELOAD = {DEFAULT_ENGINE: ("profiler.engines.tensorflow", "tf_keras")}
# What must stand in the environment before the framework is imported.
IMPORT_ENVIRONMENT = {
    DEFAULT_ENGINE: {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        "PYTHONHASHSEED": "0",
    }
}


def load_engine(name: str) -> Engine:
    """Import the engine of that name, and with it its framework."""
    engine: Engine = importlib.import_module(f"profiler.engines.{name}").engine()
    return engine
