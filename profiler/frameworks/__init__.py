"""The seam to the frameworks: what an engine must do, and how to get one by name."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from profiler.facts import Point, Shortage, WallPredictions
from profiler.frameworks.recorder import Recorder

if TYPE_CHECKING:  # it brings NumPy, which the command line starts without
    from profiler.explain.account import Recorded

DEFAULT_ENGINE = "tensorflow"


class PointError(Exception):
    """The scenario cannot be measured as a training step; the message says why."""

    def __str__(self) -> str:
        """Return the message."""
        return " ".join(map(str, self.args))


@dataclass(frozen=True, kw_only=True)
class Mode:
    """How a point is measured.

    Attributes:
        inspect: also run what is only needed to look inside (the forward part alone, one
            traced step).
        whole: run to the end whatever happens; otherwise a point that waits for memory
            without hope may be ended, with an outcome that is ``cut_short``.
        like: steps of which the point shall be a small model: limits of the framework that
            do not grow with the steps are lowered with it.
    """

    inspect: bool = True
    whole: bool = True
    like: int | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """How far to look for walls.

    Attributes:
        limits_bytes: the limits on the device's memory.
        max_steps: a wall lies beyond where even these fit.
        changes: whether to look for where the framework may change the graph, too.
    """

    limits_bytes: list[int]
    max_steps: int
    changes: bool = False


class Engine(Protocol):
    """One framework: all that the core asks of it."""

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""

    def measure(
        self, point: Point, build: Callable[[], Any], recorder: Recorder, mode: Mode
    ) -> None:
        """Build the training graph, run its first and steady steps, and record all of it.

        Args:
            point: what is measured.
            build: calls the scenario and returns what it returned.
            recorder: takes the phases and the facts.
            mode: how it is measured.
        """

    def forecast(
        self,
        point: Point,
        build: Callable[[int], Any],
        recorder: Recorder,
        horizon: PredictionRequest,
    ) -> WallPredictions:
        """Predict the point's wall under each limit, from steps of at most an eighth of it.

        Args:
            point: the conditions; its steps and its own limit do not matter.
            build: calls the scenario with a number of steps.
            recorder: tells where files may be written.
            horizon: how far to look.
        """

    def record(self, steps: int, build: Callable[[], Any], recorder: Recorder) -> Recorded:
        """Run a first and a steady training step, and record every allocation.

        Args:
            steps: as the scenario is built by ``build``.
            build: calls the scenario and returns what it returned.
            recorder: tells where files may be written.
        """

    def cause(self, error: BaseException) -> BaseException:
        """Return the exception whose message says what went wrong, often ``error`` itself."""

    def device_oom(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what the device's allocator could not give, or None for any other error.

        Args:
            error: what ``measure`` raised, after ``cause``.
            log: this process's captured output, in which the framework may have said more.
        """

    def describe(self) -> dict[str, Any]:
        """Return ``versions`` (package -> version) and ``devices`` as the framework sees them."""


# What the fork server imports before it forks: the slow part that every child shares.
PRELOAD = {DEFAULT_ENGINE: ("profiler.frameworks.tensorflow.runtime", "tf_keras")}
# What must stand in the environment before the framework is imported.
IMPORT_ENVIRONMENT = {
    DEFAULT_ENGINE: {
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "1",
        # On some CPUs TensorFlow takes other kernels, with other buffers, which no GPU has:
        # the same graph then needs up to a quarter more.
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "PYTHONHASHSEED": "0",
    }
}


@functools.cache
def load_engine(name: str) -> Engine:
    """Import the engine of that name, and with it its framework; one engine per process."""
    engine: Engine = importlib.import_module(f"profiler.frameworks.{name}").engine()
    return engine
