"""What holds the peak of a training step; sizes are in bytes."""

from __future__ import annotations

import enum

from profiler.facts.codec import Bytes, Count, Number, Record, Seconds
from profiler.facts.schedules import ScheduleCheck
from profiler.lengths import STEPS


class Role(enum.Enum):
    """What bytes are held for."""

    WEIGHTS = "weights"
    OPTIMIZER = "optimizer state"
    CONSTANTS = "constants"
    INPUTS = "fed inputs"
    FORWARD = "forward tensors kept for backward"
    WEIGHT_GRADIENTS = "weight gradients"
    ACTIVATION_GRADIENTS = "activation gradients"
    BOOKKEEPING = "loop bookkeeping"
    TEMPORARY = "temporaries"
    SCRATCH = "kernel scratch"
    ROUNDING = "allocator rounding"
    UNKNOWN = "unclassified"


class Holding(Record, frozen=True, kw_only=True):
    """Tensors of one op that are held at the peak, its unrolled copies counted together.

    ``op`` is the op's name in the graph without the numbers of copies; ``bytes`` is what was
    asked for. ``each_bytes``: the size of one, where all are of one size. ``variable``: whose
    value they are, or to whose gradient they are summands. ``per_step_bytes`` and
    ``per_step_tensors``: what one more time step adds, by the difference to a shorter length; None
    where no shorter one was run, or where that held no such tensor.
    """

    role: str
    op: str
    op_type: str | None
    tensors: Count
    bytes: Bytes
    each_bytes: Bytes | None = None
    variable: str | None = None
    per_step_bytes: Number | None = None
    per_step_tensors: Number | None = None


class HoldersOverStep(Record, frozen=True, kw_only=True):
    """The largest holders at some moments of a step.

    ``ops`` and ``roles`` name each holder that is among the largest at any moment: an op, without
    the numbers of copies, in one role. ``largest`` gives for each moment its largest holders, the
    largest first: a position in ``ops``, then the bytes that were asked for, then the next one.
    """

    ops: list[str]
    roles: list[str]
    largest: list[list[Count]]


class MemoryOverStep(Record, frozen=True, kw_only=True):
    """Bytes of each role over one training step, at some of its events.

    ``event`` counts allocations and releases from the step's begin; ``bytes`` gives for each
    role what was asked for and is held after these, with ``allocator rounding`` apart. ``holders``:
    who holds most of it; None in steps that were explained before this was kept.
    """

    event: list[Count]
    bytes: dict[str, list[Count]]
    backward: Count
    peak: Count
    holders: HoldersOverStep | None = None


class PeakGrowth(Record, frozen=True, kw_only=True):
    """Bytes that one more time step adds where the step peaks: the difference of two lengths.

    ``linear`` names the roles for which a third, shorter length shows the same bytes per step,
    within 1 % of all bytes per step.
    """

    between: list[Count]
    bytes: Number
    by_role: dict[str, Number]
    linear: list[str]


class GraphGrowth(Record, frozen=True, kw_only=True):
    """Op types that one more time step adds to the training graph as built, with their counts.

    The difference of the builds at the lengths in ``between``, divided by their distance: of the
    forward and of the backward part, and of the ``library`` of functions, counted apart.
    """

    between: list[Count]
    forward: dict[str, Number]
    backward: dict[str, Number]
    library: dict[str, Number] = {}


class GraphParts(Record, frozen=True, kw_only=True):
    """Nodes of the training graph as built, by scope and by op type.

    ``library``: nodes in the bodies and conditions of loops and in other functions, by op type;
    they are counted apart from the forward and the backward part.
    """

    by_scope: dict[str, Count]
    forward: dict[str, Count]
    backward: dict[str, Count]
    library: dict[str, Count] = {}


class Theory(Record, frozen=True, kw_only=True):
    """Bytes that backpropagation through time keeps by the equations of the graph's cells.

    ``least_bytes``: the hidden states alone; ``all_bytes``: every activation. ``batch``: the rows
    that each cell was seen to multiply, once per time step.
    """

    cells: list[str]
    least_bytes: Bytes
    all_bytes: Bytes
    batch: Count | None = None


class Advice(Record, frozen=True, kw_only=True):
    """What would remove much of what a role holds at the peak, and what that rests on."""

    role: str
    text: str
    measured: str


class Remedy(Record, frozen=True, kw_only=True):
    """One thing that was tried on the explained step, and what it measured.

    ``name``: what was changed, as ``batch=16``. ``changes``: what else it changes than memory,
    as far as that is known. ``steps``: of both runs. ``peak_bytes`` and ``step_s`` are None where
    the run did not end well, for which ``reason`` says why. ``parallel_bytes``: the peaks of
    repeats in the parallel schedule, ``parallel_before_bytes`` those of the step as it is; both
    empty where none were run.
    """

    name: str
    steps: Count
    before_bytes: Bytes
    peak_bytes: Bytes | None = None
    before_s: Seconds | None = None
    step_s: Seconds | None = None
    changes: str | None = None
    reason: str | None = None
    parallel_before_bytes: list[Bytes] = []
    parallel_bytes: list[Bytes] = []

    @property
    def share(self) -> float | None:
        """By how much the peak changes, as a share of the peak as it was; None if not known."""
        if self.peak_bytes is None or not self.before_bytes:
            return None
        return self.peak_bytes / self.before_bytes - 1

    @property
    def parallel_sign(self) -> int | None:
        """-1 where every peak in the parallel schedule fell, 1 where each rose, 0 between.

        None where none were run.
        """
        before, after = self.parallel_before_bytes, self.parallel_bytes
        if not before or not after:
            return None
        return (min(after) > max(before)) - (max(after) < min(before))

    @property
    def is_contradicted(self) -> bool:
        """Whether the parallel schedule does not show the same sign in every run.

        Runs that end well only without the remedy contradict a gain, too.
        """
        if self.share is None:
            return False
        if self.share < 0 and len(self.parallel_bytes) < len(self.parallel_before_bytes):
            return True
        if self.parallel_sign is None:
            return False
        return self.parallel_sign != (self.share > 0) - (self.share < 0)


class Explanation(Record, frozen=True, kw_only=True):
    """What is held at the peak of a training step.

    ``step`` is ``first`` or ``steady``, whichever needs more. ``peak_bytes`` and
    ``resident_bytes`` (held when the step's first op allocates) come from replaying the
    allocations, ``allocator_peak_bytes`` and ``allocator_resident_bytes`` from the allocator's own
    account; the latter is None for a first step, in which constants are made before any op runs.
    ``by_role`` adds up to the peak exactly. ``part``: which part of the step was running at the
    peak. ``custom_gradients``: the scenario brings gradients of its own; ``trains_itself``: the
    whole update. ``graph_bytes``: steps -> size of the serialized graph, of each length that was
    built. ``advice``: the framework's, for the roles that hold most. ``remedies``: what was tried
    on this very step. ``schedules``: this step, or a shorter one, in the other schedule; None where
    none was run. ``axis`` is the name of what is counted as steps.
    ``missing``: field -> why it could not be made.
    """

    steps: Count
    step: str
    part: str
    events: Count
    peak_bytes: Bytes
    resident_bytes: Bytes
    allocator_peak_bytes: Bytes | None
    allocator_resident_bytes: Bytes | None
    by_role: dict[str, Count]
    holdings: list[Holding]
    resident: list[Holding]
    over_step: MemoryOverStep
    graph: GraphParts
    custom_gradients: bool = False
    trains_itself: bool = False
    graph_bytes: dict[str, Bytes] = {}
    advice: list[Advice] = []
    remedies: list[Remedy] = []
    theory: Theory | None = None
    growth: PeakGrowth | None = None
    graph_growth: GraphGrowth | None = None
    schedules: ScheduleCheck | None = None
    axis: str = STEPS
    missing: dict[str, str] = {}

    @property
    def unexplained_bytes(self) -> int | None:
        """The allocator's peak less the replayed one: 0 where both accounts agree."""
        if self.allocator_peak_bytes is None:
            return None
        return self.allocator_peak_bytes - self.peak_bytes

    @property
    def step_bytes(self) -> int:
        """What the step holds at its peak besides what was resident before it."""
        return self.peak_bytes - self.resident_bytes
