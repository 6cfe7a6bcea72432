"""What was measured, as frozen facts with JSON both ways; units are in the field names.

A field that could not be measured is None, and ``Measurement.missing`` says why.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from profiler.facts.explanation import Explanation
from profiler.scenario import ParameterValue

SCHEMA = 1
T = TypeVar("T")


class Status(enum.Enum):
    """How a point ended."""

    OK = "ok"
    OOM_DEVICE = "oom_device"
    OOM_HOST = "oom_host"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def is_oom(self) -> bool:
        """Whether memory ran out, on the device or on the host."""
        return self in {Status.OOM_DEVICE, Status.OOM_HOST}


class Schedule(enum.Enum):
    """How the framework's executor orders ready nodes."""

    SERIAL = "serial"
    PARALLEL = "parallel"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing to measure: a scenario at one number of steps, under one set of conditions."""

    scenario: str
    family: str
    parameters: dict[str, ParameterValue]
    steps: int
    device: str = "cpu"
    limit_bytes: int | None = None
    schedule: Schedule = Schedule.SERIAL
    repeat: int = 0
    host_limit_bytes: int | None = None

    @property
    def key(self) -> str:
        """A text that is equal for equal points, for ``--resume``."""
        conditions = to_json(self)
        if self.host_limit_bytes is None:  # as in runs stored before there was such a limit
            del conditions["host_limit_bytes"]
        return json.dumps(conditions, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """What an allocator had no memory for, as the framework says it; what it does not say is None.

    ``requested_bytes`` is what the operation asked for: the tensor's shape times the size
    of its items where the framework names both, else the number that the allocator gives,
    which rounds up. ``op_type`` is that of the operation ``op`` in the graph as built.
    ``lines`` are the framework's first words on it, the most telling one first.
    """

    op: str | None = None
    op_type: str | None = None
    shape: list[int] | None = None
    dtype: str | None = None
    device: str | None = None
    allocator: str | None = None
    requested_bytes: int | None = None
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a point ended, in which phase, and the first line of the reason.

    ``shortage`` says what an allocator had no memory for, where the framework reported it.
    ``cut_short``: a wall probe that waited for memory and was ended; evidence, no proof.
    """

    status: Status
    phase: str | None = None
    reason: str | None = None
    signal: str | None = None
    exit_code: int | None = None
    shortage: Shortage | None = None
    cut_short: bool = False


@dataclass(frozen=True, kw_only=True)
class GraphSize:
    """How big the training graph is.

    ``forward_nodes + backward_nodes == total_nodes``; nodes inside library
    functions (loop bodies) are counted apart, in ``library_nodes``.
    ``executed_nodes`` counts what is left after the framework's own optimizer, and
    ``executed_by_op`` the same by op type: some are of types that only the optimizer makes.
    """

    forward_nodes: int
    backward_nodes: int
    total_nodes: int
    by_op: dict[str, int]
    library_nodes: int | None = None
    graph_bytes: int | None = None
    executed_nodes: int | None = None
    executed_by_op: dict[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Times:
    """Wall-clock seconds of each phase; ``step_s`` is the median of ``steady_steps`` steps."""

    build_forward_s: float
    build_gradients_s: float | None = None
    initialize_s: float | None = None
    first_step_s: float | None = None
    step_s: float | None = None
    steady_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class DeviceMemory:
    """Bytes that the framework's allocator handed out on the device.

    ``weights_bytes`` is in use after initialisation, ``resident_bytes`` before a
    steady step (weights and cached buffers); ``peak_bytes`` is the larger of the
    first step's and the steady steps' peak. Fed arrays (``fed_bytes``) are copied to
    the device in every step and lie inside the peaks.
    """

    fed_bytes: int
    limit_bytes: int | None = None
    weights_bytes: int | None = None
    resident_bytes: int | None = None
    forward_peak_bytes: int | None = None
    first_step_peak_bytes: int | None = None
    steady_peak_bytes: int | None = None
    peak_bytes: int | None = None
    largest_allocation_bytes: int | None = None

    @property
    def backprop_bytes(self) -> int | None:
        """Peak during the training step minus what was resident before it."""
        if self.steady_peak_bytes is None or self.resident_bytes is None:
            return None
        return self.steady_peak_bytes - self.resident_bytes


@dataclass(frozen=True, kw_only=True)
class HostMemory:
    """Resident bytes of the point's process: the baseline, and each phase's peak over it.

    Peaks are the kernel's high-water mark, reset at the start of each phase. The baseline
    is taken after the fork; ``runtime_bytes``, what starting the framework's runtime takes
    after the graph was built, is added to it for the later phases.

    ``*_kept_bytes`` is what is still held over the baseline when the phase ends: graph objects
    after the builds; after the first step the executor, what the optimizer left, and on CPU the
    device's memory that was touched once.

    Under a host limit, ``limit_by`` is what caps the process, and ``capped_peak_bytes`` the
    most that this cap has counted of the whole process, baseline and framework included,
    from the start to the last phase that ended (``inspect`` left out).
    """

    limit_bytes: int | None = None
    limit_by: str | None = None
    capped_peak_bytes: int | None = None
    baseline_bytes: int | None = None
    runtime_bytes: int | None = None
    build_peak_bytes: int | None = None
    gradients_peak_bytes: int | None = None
    initialize_peak_bytes: int | None = None
    first_step_peak_bytes: int | None = None
    steady_peak_bytes: int | None = None
    build_kept_bytes: int | None = None
    gradients_kept_bytes: int | None = None
    initialize_kept_bytes: int | None = None
    first_step_kept_bytes: int | None = None
    steady_kept_bytes: int | None = None

    @property
    def peak_bytes(self) -> int | None:
        """The largest of the phases' peaks over the baseline."""
        peaks = [
            self.build_peak_bytes,
            self.gradients_peak_bytes,
            self.initialize_peak_bytes,
            self.first_step_peak_bytes,
            self.steady_peak_bytes,
        ]
        return max((peak for peak in peaks if peak is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Samples of the point's resident memory over time, and when each phase began."""

    interval_s: float
    time_s: list[float]
    rss_bytes: list[int]
    phases: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one point gave.

    ``missing`` maps ``group.field`` to why it is None; a field that is None without
    a reason there belongs to a phase that the point did not reach (see ``outcome``).
    ``trace`` explains the peak of a training step, where that was asked for.
    """

    point: Point
    outcome: Outcome
    seconds: float
    graph: GraphSize | None = None
    time: Times | None = None
    device: DeviceMemory | None = None
    host: HostMemory | None = None
    timeline: Timeline | None = None
    trace: Explanation | None = None
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    log_tail: str | None = None


class WallStatus(enum.Enum):
    """What a wall certificate proves."""

    EXACT = "exact"
    BAND = "band"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    UNPROVEN = "unproven"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One run of the wall search; ``peak_bytes`` is of the memory that is limited.

    ``host``: the process's memory by phase, where the whole process is limited.
    """

    steps: int
    outcome: Outcome
    seconds: float
    peak_bytes: int | None = None
    repeat: int = 0
    host: HostMemory | None = None


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Both ends of a wall, run ``repeats`` more times: how often each held."""

    repeats: int
    survived: int
    ran_out: int


@dataclass(frozen=True, kw_only=True)
class WallPrediction:
    """The largest steps predicted to survive, before any point near them was run.

    The wall is expected between ``low`` and ``high``; only ``learnt_from`` was run.
    ``is_line``: predicted by a line through peaks, not by replaying allocations;
    ``bytes_per_step`` is its slope, where it was made like the wall.
    """

    steps: float
    low: float
    high: float
    learnt_from: list[int]
    is_line: bool = False
    bytes_per_step: float | None = None


@dataclass(frozen=True, kw_only=True)
class WallPredictions:
    """Walls that are foreseen, one for each limit; None where nothing can be told of it.

    ``changes_from``: the steps from which the framework may change the training graph to save
    memory. That is not foreseen: there a wall may lie further on, and memory may be less. None
    where the framework does not, or where that is not known.
    """

    walls: list[WallPrediction | None]
    changes_from: int | None = None


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The wall of one scenario under one limit: both ends were really run, to their own end.

    ``exact``: ``last_ok`` survived and ``first_oom == last_ok + 1`` ran out of memory.
    ``band``: ``last_ok`` survived and ``first_oom`` ran out every time; what lies between did
    now this, now that.
    ``at_least``: nothing failed up to the largest steps allowed; ``first_oom`` is None.
    ``at_most``: even ``first_oom`` (the fewest steps) ran out; ``last_ok`` is None.
    ``unproven``: the first failing run was no memory failure; ``reason`` says what it was.

    ``kind`` is ``device`` or ``host``: the memory that is limited, and that ran out.
    ``explanation`` says what is held at the peak of ``last_ok``; ``unexplained`` why it is None.
    """

    scenario: str
    family: str
    parameters: dict[str, ParameterValue]
    device: str
    kind: str
    schedule: Schedule
    limit_bytes: int
    status: WallStatus
    last_ok: int | None
    first_oom: int | None
    predicted: float | None
    predicted_from: list[int]
    probes: list[Probe]
    seconds: float
    reason: str | None = None
    predicted_low: float | None = None
    predicted_high: float | None = None
    predicted_by: str | None = None
    confirmation: Confirmation | None = None
    limit_by: str | None = None
    explanation: Explanation | None = None
    unexplained: str | None = None

    @property
    def survivor(self) -> Probe | None:
        """The run at ``last_ok``."""
        return self._end(self.last_ok, survived=True)

    @property
    def failure(self) -> Probe | None:
        """The run at ``first_oom``."""
        return self._end(self.first_oom, survived=False)

    @property
    def price(self) -> float | None:
        """Seconds of the whole search over those of the two runs that prove the wall."""
        if self.survivor is None or self.failure is None:
            return None
        return self.seconds / (self.survivor.seconds + self.failure.seconds)

    def _end(self, steps: int | None, *, survived: bool) -> Probe | None:
        ends = [
            probe
            for probe in self.probes
            if probe.steps == steps
            and (probe.outcome.status is Status.OK) == survived
            and not probe.outcome.cut_short
        ]
        return ends[0] if ends else None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the software that a run was made with."""

    stepwall: str
    python: str
    platform: str
    cpu: str
    cpu_count: int
    memory_bytes: int
    frameworks: dict[str, str]
    devices: list[str]
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A set of measurements and walls made by one invocation."""

    id: str
    name: str
    created_at: str
    command: str
    environment: Environment
    finished: bool
    measurements: list[Measurement]
    walls: list[Certificate]


def to_json(fact: Any, *, sparse: bool = False) -> Any:
    """Return a fact as plain dicts, lists and JSON scalars.

    Args:
        fact: what ``from_json`` gives back.
        sparse: leave out the fields that have their default value.
    """
    if isinstance(fact, enum.Enum):
        return fact.value
    if dataclasses.is_dataclass(fact) and not isinstance(fact, type):
        pairs = ((item, getattr(fact, item.name)) for item in dataclasses.fields(fact))
        return {
            item.name: to_json(value, sparse=sparse)
            for item, value in pairs
            if not (sparse and value == _default(item))
        }
    if isinstance(fact, dict):
        return {str(key): to_json(value, sparse=sparse) for key, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [to_json(value, sparse=sparse) for value in fact]
    return fact


def _default(item: dataclasses.Field[Any]) -> object:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory()
    return item.default


def from_json(kind: type[T], data: Any) -> T:
    """Return the fact of type ``kind`` that ``to_json`` gave; unknown fields are ignored.

    Raises:
        TypeError: if the data has another shape.
        ValueError: for a value that an enum does not have.
    """
    return typing.cast("T", _decode(kind, data))


def _decode(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        inner = [argument for argument in arguments if argument is not type(None)]
        return None if data is None else _decode(inner[0], data) if len(inner) == 1 else data
    _check(origin or kind, data)
    if origin in {list, tuple}:
        return origin(_decode(arguments[0], value) for value in data)
    if origin is dict:
        return {key: _decode(arguments[1], value) for key, value in data.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        known = [item.name for item in dataclasses.fields(kind) if item.name in data]
        return kind(**{name: _decode(hints[name], data[name]) for name in known})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    return data


def _check(kind: type, data: Any) -> None:
    """Refuse data that is not of ``kind``: a child may have written anything."""
    accepted: tuple[type, ...] = (kind,)
    if dataclasses.is_dataclass(kind):
        accepted = (dict,)
    elif kind is tuple:
        accepted = (list,)
    elif kind is float:
        accepted = (float, int)
    elif kind not in {int, str, list, dict}:
        return
    if not isinstance(data, accepted) or isinstance(data, bool):
        raise TypeError(f"{str(data)[:40]!r} where {accepted[0].__name__} was expected")
