"""What the blocks of a recorded step hold: weights, gradients, what backward reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from profiler.explain.ledger import Events
from profiler.explain.roles import Op, Part
from profiler.frameworks.torch.events import Call, Change, Stream

# A sum of gradients is as large as its summands; what one of these returns is what it was given.
_SUMS = {"add", "sub", "clone", "_to_copy", "copy_", "contiguous"}
# Numbers of a gradient, one by one: clipped, scaled, cast.
_LIKE = _SUMS | {"mul", "div", "neg", "clamp", "where", "sign", "lerp", "sqrt", "pow", "addcmul"}


@dataclass(frozen=True)
class Names:
    """Where known tensors lie, each map by address.

    Attributes:
        weights: parameters and buffers, at the end.
        state: what the optimizers keep, at the end.
        gradients: by mark in the stream: those of parameters when the mark was made.
    """

    weights: Mapping[int, str] = field(default_factory=dict)
    state: Mapping[int, str] = field(default_factory=dict)
    gradients: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


class Blocks:
    """The blocks of a stream, numbered in the order in which they were taken."""

    def __init__(self, changes: Sequence[Change]) -> None:
        """Find for each block the change that gives it back."""
        self.taken: list[Change] = []
        self.given_back: dict[int, Change] = {}
        self._spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
        held: dict[int, int] = {}
        for at, change in enumerate(changes):
            if change.taken:
                held[change.address] = len(self.taken)
                self._spans[change.address].append((at, len(self.taken)))
                self.taken.append(change)
            elif change.address in held:
                self.given_back[held.pop(change.address)] = change
        self.at_end = held

    def at(self, address: int, position: int) -> int | None:
        """Return the block at an address after so many changes; None where it is no known one."""
        found = None
        for began, block in self._spans.get(address, ()):
            if began >= position:
                break
            found = block
        return found


def gradients(stream: Stream, blocks: Blocks, names: Names) -> dict[int, str]:
    """Return the parameter of each block that is its gradient, a summand of it, or made of it."""
    found = dict(_final(stream, blocks, names))
    made: dict[int, list[int]] = defaultdict(list)
    for block, change in enumerate(blocks.taken):
        if change.call >= 0:
            made[change.call].append(block)
    flows_on = {
        block
        for number, call in enumerate(stream.calls)
        if call.part is Part.BACKWARD and made[number] and call.op not in _SUMS
        for block in _given(call, blocks)
    }
    for number, call in reversed([*enumerate(stream.calls)]):
        if call.op.rstrip("_") in _SUMS or call.op in _SUMS:
            _back(call, made[number], blocks, found, flows_on)
    for number, call in enumerate(stream.calls):
        if call.part is Part.UPDATE and call.op in _LIKE:
            _on(call, made[number], blocks, found)
    return found


def _final(stream: Stream, blocks: Blocks, names: Names) -> Iterator[tuple[int, str]]:
    """Yield the blocks that parameters' gradients were seen in, and the parameters."""
    for mark, addresses in names.gradients.items():
        at = stream.marks.get(mark)
        if at is None:
            continue
        for address, name in addresses.items():
            block = blocks.at(address, at)
            if block is not None:
                yield block, name


def _given(call: Call, blocks: Blocks) -> list[int]:
    found = (blocks.at(address, call.at) for address in call.given)
    return [block for block in found if block is not None]


def _back(
    call: Call,
    made: Iterable[int],
    blocks: Blocks,
    found: dict[int, str],
    flows_on: Container[int],
) -> None:
    """Go from a sum back to its summands, but for those that other gradients are computed of.

    These are of activations: a learned first state of a residual network has such summands.
    """
    given = _given(call, blocks)
    for result in [*made, *given[:1]]:
        if result not in found:
            continue
        for block in given:
            summand = blocks.taken[block]
            is_alike = summand.size == blocks.taken[result].size
            if is_alike and summand.part is not Part.FORWARD and block not in flows_on:
                found.setdefault(block, found[result])


def _on(call: Call, made: Iterable[int], blocks: Blocks, found: dict[int, str]) -> None:
    """Go from a gradient on to what is computed of it, number by number."""
    for block in _given(call, blocks):
        if block in found:
            for result in made:
                if blocks.taken[result].size == blocks.taken[block].size:
                    found.setdefault(result, found[block])


def described(stream: Stream, names: Names) -> tuple[list[Op], Events]:
    """Return what is known of the operations that took blocks, and the changes as columns."""
    blocks = Blocks(stream.changes)
    weights = {blocks.at_end[at]: n for at, n in names.weights.items() if at in blocks.at_end}
    state = {blocks.at_end[at]: n for at, n in names.state.items() if at in blocks.at_end}
    of_gradient = gradients(stream, blocks, names)
    last_turn = max((change.turns for change in stream.changes), default=0)
    ops: dict[Op, int] = {}
    numbers: list[int] = []
    for block, change in enumerate(blocks.taken):
        end = blocks.given_back.get(block)
        turns = last_turn if end is None else end.turns
        variable = weights.get(block) or state.get(block)
        op = Op(
            name=variable or (f"{change.node}/{change.op}" if change.node else change.op),
            type=change.op,
            part=change.part if change.run else Part.UNKNOWN,
            variable=variable,
            slots=(variable,) if variable and block in state else (),
            is_input=change.is_input,
            gradient_of=None if variable else of_gradient.get(block),
            read_by_backward=change.part is Part.FORWARD and turns > change.turns,
        )
        numbers.append(ops.setdefault(op, len(ops)))
    return list(ops), _columns(stream.changes, numbers)


def _columns(changes: Sequence[Change], numbers: Iterable[int]) -> Events:
    of_block = iter(numbers)
    taken = np.array([change.taken for change in changes], bool)
    return Events(
        is_allocation=taken,
        address=np.array([change.address for change in changes], np.int64),
        op=np.array([next(of_block) if change.taken else 0 for change in changes], np.int64),
        requested=np.array([change.size for change in changes], np.int64),
        chunk=np.array([change.chunk for change in changes], np.int64),
        run=np.array([change.run for change in changes], np.int64),
        is_float=np.ones(len(changes), bool),
    )
