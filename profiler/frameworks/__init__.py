"""The seam to the frameworks: what the core asks of one, and how the installed ones are found.

A framework is one object that can be imported without the framework itself. What it knows by
then stands in ``Framework``; ``runtime`` imports it, in a child only. A step kind is one type
that scenarios return; how such steps are built, run and recorded stands in ``Steps``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from profiler.errors import PointError as PointError
from profiler.errors import StepwallError, UsageError, did_you_mean
from profiler.facts import (
    Advice,
    Caveat,
    Explanation,
    FrameworkFacts,
    PhaseFacts,
    PhaseRole,
    Point,
    Record,
    Schedule,
    Shortage,
    SizeLimit,
    StageFacts,
)
from profiler.facts.codec import Count
from profiler.frameworks.recorder import Recorder
from profiler.lengths import Lengths

if TYPE_CHECKING:  # they bring NumPy, which the command line starts without
    from profiler.explain.account import Recorded
    from profiler.forecast.recordings import TraceSource

ENTRY_POINT_GROUP = "stepwall.frameworks"
# What every child goes through, whatever its framework.
START = PhaseFacts(
    name="start",
    role=PhaseRole.OVERHEAD,
    title="start",
    detail="the scenario's file is imported",
)


class Mode(Record, frozen=True, kw_only=True):
    """How a point is measured.

    ``inspect``: also run what is only needed to look inside (the forward part alone, one
    traced step). ``whole``: run to the end whatever happens; otherwise a point that waits for
    memory without hope may be ended, with an outcome that is ``cut_short``. ``scaled_to``: the
    steps that the point is a short run of: the framework's limits on constant folding, which do
    not grow with the steps, are scaled down in proportion. ``variant``: one of
    ``Framework.variants``, the way in which the framework is to build the step.
    """

    inspect: bool = True
    whole: bool = True
    scaled_to: Count | None = None
    variant: str | None = None


class PredictionRequest(Record, frozen=True, kw_only=True):
    """How far to look for walls.

    ``limits_bytes``: the limits on the device's memory. ``max_steps``: a wall lies beyond where
    even these fit. ``peak``: also predict the peak at ``peak_at`` steps, by default at the first
    wall. ``changes``: also say from where on predictions are bounds only. ``closely``: where short
    runs do not predict the first wall closely, also record steps near it. ``cards_bytes``: whole
    cards, whose walls are predicted however far away they are; what libraries keep there is
    left to them.
    """

    limits_bytes: list[Count]
    max_steps: Count
    peak: bool = False
    peak_at: Count | None = None
    changes: bool = False
    closely: bool = False
    cards_bytes: list[Count] = []


class Description(Record, frozen=True, kw_only=True):
    """What the framework says once it is imported: package -> version, and its devices."""

    versions: dict[str, str]
    devices: list[str]


class StepKind(Record, frozen=True, kw_only=True):
    """One type that scenarios return.

    ``returns``: the type, by the module that defines it, as ``profiler.Training``.
    ``implementation``: ``module:name`` of what makes ``Steps`` of it, imported in children.
    ``phases``, ``stages``: those of its points, in their order.
    """

    returns: str
    implementation: str
    phases: list[PhaseFacts]
    stages: list[StageFacts]

    @property
    def names(self) -> tuple[str, str]:
        """The names under which users import the type: its own, and that in ``profiler``."""
        return self.returns, f"profiler.{self.returns.rpartition('.')[2]}"


class Framework(Protocol):
    """One framework, described without importing it."""

    @property
    def name(self) -> str:
        """As points and runs name it."""

    @property
    def title(self) -> str:
        """As people write it."""

    @property
    def kinds(self) -> tuple[StepKind, ...]:
        """The types that its scenarios return."""

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that the fork server imports: the slow part that all children share."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What must stand in the environment before the framework is imported."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Its top-level modules: no file beside a scenario takes their place."""

    @property
    def fixed_addresses(self) -> bool:
        """Whether equal points repeat only without address randomisation."""

    @property
    def repeatable(self) -> Mapping[Schedule, bool]:
        """Its schedules, and whether a step allocates the same each time (and can be replayed)."""

    @property
    def limit_unit_bytes(self) -> int:
        """How fine a limit on device memory may be."""

    @property
    def allocators(self) -> Mapping[str, str]:
        """Kind of device (``cpu``, ``gpu``) -> what its memory allocator is called."""

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """Why some metrics mean less than they seem to, for every scenario."""

    @property
    def limits(self) -> tuple[SizeLimit, ...]:
        """The most that a graph may be, whatever the machine has."""

    def advice(self, explanation: Explanation) -> list[Advice]:
        """Return what removed much of what an explanation shows, where it was measured."""

    def variants(self, explanation: Explanation) -> list[str]:
        """Return the other ways in which any scenario's step can be built, worth a try for it."""

    def runtime(self) -> Runtime:
        """Import the framework, and return what runs it in this process."""


class Runtime(Protocol):
    """A framework that is imported in this process; its own runtime may not have started."""

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""

    def cause(self, error: BaseException) -> BaseException:
        """Return the exception whose message says what went wrong, often ``error`` itself."""

    def out_of_memory(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what the device's allocator could not give, or None for any other error.

        Args:
            error: what was raised, after ``cause``.
            log: this process's captured output, in which the framework may have said more.
        """

    def describe(self) -> Description:
        """Return the versions, and the devices as the framework sees them."""


class Steps(Protocol):
    """The training steps of one scenario, at any length."""

    def measure(self, mode: Mode) -> None:
        """Build the point's training step, run it, and record all of it.

        Raises:
            PointError: if what the scenario returned is no training step.
        """

    def record(self, steps: int) -> Recorded:
        """Run a first and a steady training step, and record every allocation."""

    def traces(self) -> TraceSource:
        """Return where the allocations of short runs come from, to be continued."""

    def caveats(self, lengths: Lengths) -> list[Caveat]:
        """Return from which steps on predictions are bounds only, and why.

        Args:
            lengths: those that may be built.
        """


MakeSteps = Callable[["Runtime", Point, Callable[[int], object], Recorder], Steps]
"""What a step kind's implementation is: runtime, point, build (steps -> what the scenario
returned) and recorder -> the steps."""


@functools.cache
def installed() -> dict[str, Framework]:
    """Return the installed frameworks by name, as the entry points list them.

    Raises:
        StepwallError: if one cannot be loaded.
    """
    found: dict[str, Framework] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            found[entry.name] = entry.load()
        except Exception as error:
            raise StepwallError(f"framework {entry.name!r} ({entry.value}): {error}") from error
    return found


def lacking(framework: Framework) -> str | None:
    """Return why a framework cannot be used, and what to do; None where its packages are there.

    What stepwall knows of a framework may be installed without the framework itself.
    """
    gone = [name for name in framework.packages if not _is_there(name)]
    if not gone:
        return None
    return f"needs {framework.title}, and {gone[0]!r} is not installed: {_remedy(framework, gone)}"


def _is_there(module: str) -> bool:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    # A folder without code, wherever Python looks, is none.
    return spec is not None and spec.origin is not None


def _remedy(framework: Framework, gone: list[str]) -> str:
    """Return the command that installs a framework: by the extra of its name, if there is one."""
    found = (one for one in entry_points(group=ENTRY_POINT_GROUP) if one.name == framework.name)
    brings: EntryPoint | None = next(found, None)
    if brings is None or brings.dist is None:
        return f"pip install {' '.join(gone)}"
    extras = brings.dist.metadata.get_all("Provides-Extra") or []
    if brings.dist.name == "stepwall":  # each of ours has its extra; metadata may be older
        extras.append(framework.name)
    if not any(re.sub(r"[-_.]+", "-", one).lower() == framework.name for one in extras):
        return f"pip install {' '.join(gone)}"
    return f"pip install '{brings.dist.name}[{framework.name}]'"


def framework(name: str) -> Framework:
    """Return the installed framework of that name.

    Raises:
        UsageError: if there is none.
    """
    known = installed()
    if name not in known:
        raise UsageError(f"no framework {name!r} is installed{did_you_mean(name, known)}")
    return known[name]


@functools.cache
def runtime(name: str) -> Runtime:
    """Return the framework's runtime; one per process."""
    return framework(name).runtime()


def steps_maker(kind: StepKind) -> MakeSteps:
    """Import what makes steps of this kind."""
    module, _, name = kind.implementation.partition(":")
    maker: MakeSteps = getattr(importlib.import_module(module), name)
    return maker


def facts(framework: Framework, description: Description) -> FrameworkFacts:
    """Return what a run keeps of a framework."""
    phases = {phase.name: phase for kind in framework.kinds for phase in [START, *kind.phases]}
    stages = {stage.name: stage for kind in framework.kinds for stage in kind.stages}
    return FrameworkFacts(
        name=framework.name,
        title=framework.title,
        versions=description.versions,
        devices=description.devices,
        allocators=dict(framework.allocators),
        phases=list(phases.values()),
        stages=list(stages.values()),
        caveats=list(framework.caveats),
        limits=list(framework.limits),
    )
