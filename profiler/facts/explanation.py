"""What an explanation holds, as frozen facts; sizes are in bytes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Role(enum.Enum):
    """What bytes are held for."""

    WEIGHTS = "weights"
    CONSTANTS = "constants"
    INPUTS = "fed inputs"
    FORWARD = "forward tensors kept for backward"
    WEIGHT_GRADIENTS = "weight gradients"
    ACTIVATION_GRADIENTS = "activation gradients"
    BOOKKEEPING = "loop bookkeeping"
    TEMPORARY = "temporaries"
    ROUNDING = "allocator rounding"
    UNKNOWN = "unclassified"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Tensors alike that are held at the peak: of one op, its unrolled copies counted together.

    ``op`` is the op's name in the graph without the numbers of copies; ``bytes`` is what was
    asked for. ``each_bytes``: the size of one, where all are of one size. ``variable``: whose
    value they are, or to whose gradient they are summands. ``per_step_bytes``: what one more time
    step adds, by the difference to a shorter length; None where no shorter one was run.
    """

    role: str
    op: str
    op_type: str | None
    tensors: int
    bytes: int
    each_bytes: int | None = None
    variable: str | None = None
    per_step_bytes: float | None = None


@dataclass(frozen=True, kw_only=True)
class MemoryOverStep:
    """Bytes of each role over one training step, at some of its events.

    ``event`` counts allocations and releases from the step's begin; ``bytes`` gives for each
    role what was asked for and is held after these, with ``allocator rounding`` apart.
    """

    event: list[int]
    bytes: dict[str, list[int]]
    backward: int
    peak: int


@dataclass(frozen=True, kw_only=True)
class PeakGrowth:
    """Bytes that one more time step adds where the step peaks: the difference of two lengths.

    ``linear`` names the roles for which a third, shorter length shows the same bytes per step,
    within 1 % of all bytes per step.
    """

    between: list[int]
    bytes: float
    by_role: dict[str, float]
    linear: list[str]


@dataclass(frozen=True, kw_only=True)
class GraphGrowth:
    """Op types that one more time step adds to the training graph as built, with their counts.

    The difference of the builds at the lengths in ``between``, divided by their distance: of the
    forward and of the backward part.
    """

    between: list[int]
    forward: dict[str, float]
    backward: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class GraphParts:
    """Nodes of the training graph as built, by scope and by op type.

    ``library``: nodes in the bodies and conditions of loops and in other functions, by op type;
    they are counted apart from the forward and the backward part.
    """

    by_scope: dict[str, int]
    forward: dict[str, int]
    backward: dict[str, int]
    library: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Theory:
    """Bytes that backpropagation through time keeps by the equations of the graph's cells.

    ``least_bytes``: the hidden states alone; ``all_bytes``: every activation.
    """

    cells: list[str]
    least_bytes: int
    all_bytes: int


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is held at the peak of a training step.

    ``step`` is ``first`` or ``steady``, whichever needs more. ``peak_bytes`` and
    ``resident_bytes`` (held when the step's first op allocates) come from replaying the
    allocations, ``allocator_peak_bytes`` and ``allocator_resident_bytes`` from the allocator's own
    account; the latter is None for a first step, in which constants are made before any op runs.
    ``by_role`` adds up to the peak exactly. ``part``: which part of the step was running at the
    peak. ``custom_gradients``: the scenario brings gradients of its own.
    """

    steps: int
    step: str
    part: str
    events: int
    peak_bytes: int
    resident_bytes: int
    allocator_peak_bytes: int | None
    allocator_resident_bytes: int | None
    by_role: dict[str, int]
    holdings: list[Holding]
    resident: list[Holding]
    curve: MemoryOverStep
    graph: GraphParts
    custom_gradients: bool = False
    theory: Theory | None = None
    growth: PeakGrowth | None = None
    graph_growth: GraphGrowth | None = None

    @property
    def unexplained_bytes(self) -> int | None:
        """The allocator's peak less the replayed one: 0 where both accounts agree."""
        if self.allocator_peak_bytes is None:
            return None
        return self.allocator_peak_bytes - self.peak_bytes

    @property
    def step_bytes(self) -> int:
        """What the step holds at its peak beside what was resident before it."""
        return self.peak_bytes - self.resident_bytes
