"""What one point gave. Units are in the field names.

A field that could not be measured is None, and ``Measurement.missing`` says why.
"""

from __future__ import annotations

from profiler.facts.codec import Bytes, Count, Record, Seconds
from profiler.facts.explanation import Explanation
from profiler.facts.outcome import Outcome
from profiler.facts.phase import Phase, PhaseRole
from profiler.facts.point import Point


class GraphStage(Record, frozen=True, kw_only=True):
    """The graph at one stage on its way to the device: its nodes.

    ``parts`` splits them where the stage has parts (forward and backward): they add up to
    ``nodes``. ``by_op`` counts them by op type; empty where that is not known. ``beside`` names
    the stages whose nodes are in the same graph next to these, as those of its functions are; the
    nodes of any other stage are what became of these.
    """

    name: str
    nodes: Count
    parts: dict[str, Count] = {}
    by_op: dict[str, Count] = {}
    beside: list[str] = []


class GraphSize(Record, frozen=True, kw_only=True):
    """How big the training graph is, stage by stage; the first is the graph as it was built."""

    stages: list[GraphStage] = []
    serialized_bytes: Bytes | None = None

    @property
    def built(self) -> GraphStage | None:
        """The graph as it was built."""
        return self.stages[0] if self.stages else None

    def stage(self, name: str) -> GraphStage | None:
        """Return the stage of that name, or None."""
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def beside(self) -> list[GraphStage]:
        """The stages whose nodes are next to those of the graph as built, as far as counted."""
        names = self.built.beside if self.built else []
        return [stage for stage in self.stages if stage.name in names]

    @property
    def nodes(self) -> int | None:
        """All nodes of the graph as built, its functions included; None unless all are counted."""
        if self.built is None or len(self.beside) < len(self.built.beside):
            return None
        return self.built.nodes + sum(stage.nodes for stage in self.beside)


class StepTime(Record, frozen=True, kw_only=True):
    """Wall-clock time of a training step once it runs steadily: the median of some steps."""

    median_s: Seconds
    steps: Count


class DeviceMemory(Record, frozen=True, kw_only=True):
    """Bytes that the framework's allocator handed out on the device.

    ``weights_bytes`` is in use after initialisation, ``resident_bytes`` before a
    steady step (weights and cached buffers); ``peak_bytes`` is the larger of the
    first step's and the steady steps' peak. Fed arrays (``fed_bytes``) are copied to
    the device in every step and are part of the peaks.

    An allocator may hold more than it handed out; where a limit caps that, ``reserved_peak_bytes``
    is the most that it held. ``replayed``: no device ran under the limit; a model of its allocator
    applied it, and said what ran out. ``left_out``: what a device would hold in addition.
    """

    fed_bytes: Bytes | None = None
    limit_bytes: Bytes | None = None
    weights_bytes: Bytes | None = None
    resident_bytes: Bytes | None = None
    forward_peak_bytes: Bytes | None = None
    first_step_peak_bytes: Bytes | None = None
    steady_peak_bytes: Bytes | None = None
    peak_bytes: Bytes | None = None
    largest_allocation_bytes: Bytes | None = None
    reserved_peak_bytes: Bytes | None = None
    replayed: bool = False
    left_out: str | None = None

    @property
    def backprop_bytes(self) -> int | None:
        """Peak during the training step minus what was resident before it."""
        if self.steady_peak_bytes is None or self.resident_bytes is None:
            return None
        return self.steady_peak_bytes - self.resident_bytes


class HostMemory(Record, frozen=True, kw_only=True):
    """Bytes of the point's process; the peak of each phase stands in ``Phase``.

    The baseline is taken after the fork; ``runtime_bytes``, what starting the framework's
    runtime takes, is added to it for the phases that follow.

    Under a host limit, ``limit_by`` is what caps the process, and ``capped_peak_bytes`` the
    most that this cap has counted of the whole process, baseline and framework included,
    up to the last phase that ended (extra runs that look inside left out).
    """

    limit_bytes: Bytes | None = None
    limit_by: str | None = None
    capped_peak_bytes: Bytes | None = None
    baseline_bytes: Bytes | None = None
    runtime_bytes: Bytes | None = None


class Timeline(Record, frozen=True, kw_only=True):
    """Samples of the point's resident memory over time, from the child's start."""

    interval_s: Seconds
    time_s: list[Seconds]
    rss_bytes: list[Bytes]


class Measurement(Record, frozen=True, kw_only=True):
    """What one point gave.

    ``missing`` maps ``group.field`` to why it is None; a field that is None without
    a reason there belongs to a phase that the point did not reach (see ``outcome``).
    ``trace`` explains the peak of a training step, where that was asked for. ``fed_shapes``: those
    of the arrays that are fed, in the scenario's order.
    """

    point: Point
    outcome: Outcome
    seconds: Seconds
    phases: list[Phase] = []
    graph: GraphSize | None = None
    step: StepTime | None = None
    device: DeviceMemory | None = None
    host: HostMemory | None = None
    timeline: Timeline | None = None
    trace: Explanation | None = None
    missing: dict[str, str] = {}
    notes: list[str] = []
    fed_shapes: list[list[Count]] = []
    log_tail: str | None = None

    @property
    def build_s(self) -> float | None:
        """Seconds of all phases that build the graph; None unless all of them ended."""
        roles = [phase.role for phase in self.phases]
        if PhaseRole.BUILD not in roles or roles[-1] is PhaseRole.BUILD:
            return None
        return self.seconds_of(PhaseRole.BUILD)

    def seconds_of(self, role: PhaseRole) -> float | None:
        """Return the seconds of the phases of that role together; None if one did not end."""
        found = [phase.seconds for phase in self.phases if phase.role is role]
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) if found and len(known) == len(found) else None

    @property
    def host_peak_bytes(self) -> int | None:
        """The largest of the phases' host peaks over the baseline, overhead left out."""
        return largest_host_peak(self.phases)


def largest_host_peak(phases: list[Phase]) -> int | None:
    """Return the largest host peak over the baseline of these phases, overhead left out."""
    peaks = [phase.host_peak_bytes for phase in phases if phase.role is not PhaseRole.OVERHEAD]
    return max((peak for peak in peaks if peak is not None), default=None)
