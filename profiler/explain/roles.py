"""The role that each allocation plays in a training step; every one has exactly one."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from profiler.explain.ledger import Ledger, Mask
from profiler.facts.explanation import Role


class Part(enum.IntEnum):
    """Which part of the training step an op belongs to."""

    UNKNOWN = 0
    FORWARD = 1
    BACKWARD = 2
    UPDATE = 3


@dataclass(frozen=True, kw_only=True)
class Op:
    """What the graph says of an op that allocates.

    Attributes:
        name: as in the executed graph.
        type: of the op, where the graph still has it.
        part: of the training step.
        variable: the variable that it gives a value to.
        variable_bytes: the size of that one's value, where it is known.
        writes: how many variables it gives a value to, as an optimizer with slots does.
        slots: those of these that are the optimizer's: averages of gradients, counters.
        is_input: it brings a fed array to the device.
        gradient_of: the variable whose gradient its output is a summand or a function of.
        read_by_backward: its output lies where an op of the backward part reads it.
        in_loop: it belongs to a loop or to a loop's lists of tensors.
    """

    name: str
    type: str | None = None
    part: Part = Part.UNKNOWN
    variable: str | None = None
    variable_bytes: int | None = None
    writes: int = 1
    slots: tuple[str, ...] = ()
    is_input: bool = False
    gradient_of: str | None = None
    read_by_backward: bool = False
    in_loop: bool = False


_CODES = {role: code for code, role in enumerate(Role)}


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles in one run of a session.

    Attributes:
        codes: per allocation, the position of its role in ``Role``.
        backward: position of the event at which the backward part begins; without one, that at
            which the run ends.
    """

    codes: NDArray[np.int8]
    backward: int

    def mask(self, role: Role) -> Mask:
        """Return which allocations have the role."""
        return np.asarray(self.codes == _CODES[role])


def classify(ledger: Ledger, ops: list[Op], run: int) -> Roles:
    """Return the role of every allocation, as seen in ``run``.

    An allocation from before the run is a weight, the optimizer's, a gradient that an earlier run
    left, or a constant. Of the run's own,
    what the forward part allocates is kept for backward if that reads it, or if it is released
    after that has begun, and temporary otherwise; anything else that is released before another op
    allocates is temporary.
    """
    start, end = ledger.span(run)
    part = np.array([op.part for op in ops], np.int8)[ledger.op]
    own = ledger.began >= start
    in_run = own & (ledger.began < end)
    backward = _backward(ledger, part, in_run, end)
    is_input = _flag(ledger, [op.is_input for op in ops])
    is_sum = _flag(ledger, [op.gradient_of is not None for op in ops])
    in_loop = _flag(ledger, [op.in_loop for op in ops])
    is_read = _flag(ledger, [op.read_by_backward for op in ops])
    of_variable = _flag(ledger, [op.variable is not None for op in ops])
    is_state = _optimizer_state(ledger, ops)
    current = _current_weights(ledger, ops, is_state, start)
    fleeting = ledger.fleeting()
    forward, update = part == Part.FORWARD, part == Part.UPDATE
    # The buffer of a value that is assigned becomes the variable's.
    new = of_variable & (update | (~forward & (ledger.ended >= end)))
    choices = [
        (~own & current & is_state, Role.OPTIMIZER),
        (~own & current, Role.WEIGHTS),
        # An earlier step's, until the next one takes their place.
        (~own & is_sum & (ledger.run > 0), Role.WEIGHT_GRADIENTS),
        (~own, Role.CONSTANTS),
        (is_input, Role.INPUTS),
        (in_loop & ~ledger.is_float, Role.BOOKKEEPING),
        (ledger.is_scratch & fleeting, Role.SCRATCH),
        (new & is_state, Role.OPTIMIZER),
        (new, Role.WEIGHTS),
        # A sum may release its last summand without having allocated anything.
        (is_sum, Role.WEIGHT_GRADIENTS),
        (forward & is_read, Role.FORWARD),
        (fleeting, Role.TEMPORARY),
        (forward & (ledger.ended > backward) & (backward < end), Role.FORWARD),
        (forward | update, Role.TEMPORARY),
        (part == Part.BACKWARD, Role.ACTIVATION_GRADIENTS),
    ]
    codes = np.select(
        [mask for mask, _ in choices],
        [_CODES[role] for _, role in choices],
        _CODES[Role.UNKNOWN],
    )
    return Roles(codes=codes.astype(np.int8), backward=backward)


def _flag(ledger: Ledger, flags: list[bool]) -> Mask:
    """Return for each allocation the flag of its op."""
    return np.array(flags, np.bool_)[ledger.op]


def _backward(ledger: Ledger, part: NDArray[np.int8], in_run: Mask, end: int) -> int:
    """Return where backward begins: where a cut leaves the fewest bytes in the wrong part.

    Ops of each part may run in the other one: a loss that nothing waits for comes last, zeros
    that need no input come first. Of equally good cuts it is the last one.
    """
    floats = in_run & ledger.is_float
    forward = np.where(floats & (part == Part.FORWARD), ledger.requested, 0)
    backward = np.where(floats & (part == Part.BACKWARD), ledger.requested, 0)
    # Before each allocation, and after the last one: forward to come, and backward gone by.
    wrong = forward.sum() + np.append(0, np.cumsum(backward - forward))
    cut = len(wrong) - 1 - int(np.argmin(wrong[::-1]))
    after = ledger.began[cut:][backward[cut:] > 0]
    return int(after[0]) if len(after) else end


def _optimizer_state(ledger: Ledger, ops: list[Op]) -> Mask:
    """Return which allocations are buffers of the optimizer's own variables.

    An op that gives values to several variables takes the trained one's buffer first.
    """
    found = np.zeros(len(ledger.op), bool)
    for number, op in enumerate(ops):
        if op.slots:
            made = np.flatnonzero(ledger.op == number)
            keep = op.writes - len(op.slots) if len(made) >= op.writes else 0
            found[made[np.arange(len(made)) % op.writes >= keep]] = True
    return found


def _current_weights(ledger: Ledger, ops: list[Op], is_state: Mask, start: int) -> Mask:
    """Return which allocations held at ``start`` are the newest buffer of a variable.

    An op that updates a variable in its own buffer may still make those of its slots: they are
    told apart, so that they do not take that one's place.
    """
    newest: dict[tuple[str, bool], list[int]] = {}
    candidates = _flag(ledger, [op.variable is not None for op in ops])
    held = candidates & (ledger.began < start) & (ledger.ended >= start)
    for at in map(int, np.flatnonzero(held)):
        op = ops[ledger.op[at]]
        if op.variable_bytes not in {None, int(ledger.requested[at])}:
            continue
        of_slots = bool(is_state[at])
        key = (op.variable or "", of_slots)
        same = [one for one in newest.get(key, []) if ledger.op[one] == ledger.op[at]]
        most = len(op.slots) if of_slots else op.writes - len(op.slots)
        newest[key] = [*same, at][-max(1, most) :]
        if op.writes > 1 and of_slots and len(newest[key]) >= len(op.slots):
            # Their first values are not theirs any more.
            newest |= {(slot, True): [] for slot in op.slots}
    current = np.zeros(len(ledger.op), bool)
    current[[at for several in newest.values() for at in several]] = True
    return current


def bytes_by_role(ledger: Ledger, roles: Roles, held: Mask) -> dict[Role, int]:
    """Return the bytes of each role among the ``held`` allocations; what is rounding stands apart.

    They add up to the bytes handed out, exactly.
    """
    asked: dict[Role, int] = {
        role: int(ledger.requested[held & roles.mask(role)].sum())
        for role in Role
        if role is not Role.ROUNDING
    }
    asked[Role.ROUNDING] = int((ledger.chunk - ledger.requested)[held].sum())
    return {role: size for role, size in asked.items() if size}
