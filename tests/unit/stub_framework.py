"""A framework of the tests: data alone, and steps that only count. Nothing is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import report_samples as samples

from profiler import frameworks
from profiler.explain.account import Recorded
from profiler.facts import (
    Advice,
    Caveat,
    Explanation,
    PhaseFacts,
    PhaseRole,
    Point,
    Schedule,
    Shortage,
    SizeLimit,
    StageFacts,
)
from profiler.forecast.recordings import TraceSource
from profiler.frameworks import Description, Mode, Runtime, StepKind
from profiler.frameworks.recorder import Recorder
from profiler.lengths import Lengths
from profiler.measure import client

NAME = samples.FRAMEWORK.name
BUILD = PhaseFacts(name="build", role=PhaseRole.BUILD, title="building", detail="nothing")


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What a scenario of this framework returns."""

    size: int


@dataclass(frozen=True, kw_only=True)
class StubFramework:
    """See ``profiler.frameworks.Framework``."""

    name: str = NAME
    title: str = samples.FRAMEWORK.title
    kinds: tuple[StepKind, ...] = (
        StepKind(
            returns="stub_framework.Practice",
            implementation="stub_framework:StubSteps",
            phases=[BUILD],
            stages=[StageFacts(name="built", title="as built", detail="operations")],
        ),
    )
    preload: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("numpy",)
    environment: Mapping[str, str] = field(default_factory=dict)
    fixed_addresses: bool = False
    repeatable: Mapping[Schedule, bool] = field(
        default_factory=lambda: {Schedule.SERIAL: True, Schedule.PARALLEL: False}
    )
    limit_unit_bytes: int = 1024
    allocators: Mapping[str, str] = field(default_factory=lambda: {"cpu": "sample allocator"})
    caveats: tuple[Caveat, ...] = ()
    limits: tuple[SizeLimit, ...] = ()

    def advice(self, explanation: Explanation) -> list[Advice]:
        """Return none."""
        del explanation
        return []

    def variants(self, explanation: Explanation) -> list[str]:
        """Return none."""
        del explanation
        return []

    def runtime(self) -> Runtime:
        """Return a runtime that needs no import."""
        return StubRuntime()


class StubRuntime:
    """See ``profiler.frameworks.Runtime``."""

    def prepare(self, point: Point) -> None:
        """Set nothing up."""

    def cause(self, error: BaseException) -> BaseException:
        """Return the error itself."""
        return error

    def out_of_memory(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what was asked for, of a buffer error."""
        del log
        return Shortage(lines=[str(error)]) if isinstance(error, BufferError) else None

    def describe(self) -> Description:
        """Return a version and the only device."""
        return Description(versions={NAME: "1.0"}, devices=["cpu"])


class StubSteps:
    """See ``profiler.frameworks.Steps``: a step takes as many bytes as its scenario says."""

    def __init__(
        self, runtime: Runtime, point: Point, build: Callable[[int], object], recorder: Recorder
    ) -> None:
        """Take what is needed to build the scenario."""
        del runtime
        self._point = point
        self._build = build
        self._recorder = recorder

    def measure(self, mode: Mode) -> None:
        """Build the scenario and record its size."""
        del mode
        with self._recorder.phase(BUILD):
            built = self._build(self._point.steps)
        size = built.size if isinstance(built, Practice) else None
        self._recorder.device(peak_bytes=size)

    def record(self, steps: int) -> Recorded:
        """Record nothing."""
        raise NotImplementedError

    def traces(self) -> TraceSource:
        """Return no traces."""
        raise NotImplementedError

    def caveats(self, lengths: Lengths) -> list[Caveat]:
        """Return none."""
        del lengths
        return []


FRAMEWORK = StubFramework()


def install(monkeypatch: pytest.MonkeyPatch, **changes: object) -> StubFramework:
    """Make a stub with these fields the only installed framework, as entry points would."""
    stub = dataclasses.replace(FRAMEWORK, **changes)  # type: ignore[arg-type]
    for module in (frameworks, client):
        monkeypatch.setattr(module, "installed", lambda: {stub.name: stub})
    frameworks.runtime.cache_clear()
    return stub
