"""What PyTorch's profiler saw: blocks allocated and freed, each with the op that it was for.

Nothing here needs PyTorch: a tree of events is read by the names of their attributes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from profiler.explain.roles import Part
from profiler.forecast.trace import Trace

# How our own marks in the stream of events begin.
MARK = "stepwall::"
RUN, INPUTS, CHECK = f"{MARK}run ", f"{MARK}inputs", f"{MARK}check"
_EVALUATION = "autograd::engine::evaluate_function: "
_OPTIMIZER = ("Optimizer.step#", "Optimizer.zero_grad#")
_OPERATION = "aten::"
# They only take memory, for the operation that called them.
_TAKERS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_"}
# They make tensors of nothing: whoever calls them, no gradient flows through them.
_FACTORIES = {
    *("zeros", "ones", "full", "empty", "arange", "linspace", "eye", "tensor", "scalar_tensor"),
    *("rand", "randn", "randint", "randperm", "zeros_like", "ones_like", "full_like", "rand_like"),
    *("randn_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"),
}
NO_OPERATION = "Python"


class Change(NamedTuple):
    """A block that was taken, or given back.

    Attributes:
        taken: whether it was taken.
        address: where it lies.
        size: its bytes, as they were asked for where that is known.
        total: all bytes in use after it, by the allocator's own sum.
        run: number of the training step, from 1 on; 0 outside of any.
        op: the operation that it was for.
        node: the node of autograd's graph that was evaluated; empty in forward.
        part: of the training step.
        is_input: whether a fed tensor was copied.
        turns: how many evaluations of such nodes had begun.
        call: position of the operation in ``Stream.calls``; -1 for none.
        chunk: the bytes that the allocator handed out for it.
    """

    taken: bool
    address: int
    size: int
    total: int
    run: int
    op: str
    node: str
    part: Part
    is_input: bool
    turns: int
    call: int
    chunk: int


class Call(NamedTuple):
    """An operation of the backward part or of the update.

    Attributes:
        at: how many changes came before it.
        op, part: as of a change.
        given: where the tensors lie that it was given, in their order.
    """

    at: int
    op: str
    part: Part
    given: tuple[int, ...]


class Stream(NamedTuple):
    """All changes in order, the calls, and at how many changes each of our other marks stands.

    ``unseen_bytes``: the most by which the allocator's own sum is off that of the changes: what
    threads take and give back that the profiler does not see.
    """

    changes: list[Change]
    calls: list[Call]
    marks: dict[str, int]
    unseen_bytes: int = 0


class Place(NamedTuple):
    """What is known of the events within one."""

    run: int = 0
    op: str = NO_OPERATION
    node: str = ""
    part: Part = Part.FORWARD
    is_input: bool = False
    is_inner: bool = False
    call: int = -1


class Reader:
    """Reads trees of events once, in the order of time."""

    def __init__(
        self,
        operation: object,
        allocation: object,
        device: str = "cpu",
        before: Iterable[Change] = (),
    ) -> None:
        """Take the tags that mark operations and changes of an allocator.

        Args:
            operation: the tag of an operation.
            allocation: that of a change.
            device: the kind of device whose allocator is read.
            before: what it is known to have done before.
        """
        self._operation, self._allocation, self._device = operation, allocation, device
        self._stream = Stream([*before], [], {})
        self._held = {change.address for change in self._stream.changes}
        self._sum: int | None = None  # in use, as far as it was seen
        self._unseen = 0
        self._turns = 0
        self._is_after_backward = False
        self._run, self._run_ends = 0, 0

    def read(self, trees: Iterable[Any]) -> Stream:
        """Return what the trees hold of the allocator.

        On a card backward runs in a thread of its own, whose events are trees beside that of the
        run: by their times all are one.
        """
        # The second item is the place in the trees: parents first where times are equal.
        waiting: list[tuple[int, tuple[int, ...], Any, Place | None]] = [
            (event.start_time_ns, (at,), event, None) for at, event in enumerate(trees)
        ]
        heapq.heapify(waiting)
        while waiting:
            _, path, event, found = heapq.heappop(waiting)
            place = self._outermost(event) if found is None else found
            if event.tag == self._allocation:
                self._change(event.extra_fields, place)
                continue
            inner = self._within(event, place) if event.tag == self._operation else place
            for at, child in enumerate(event.children):
                heapq.heappush(waiting, (child.start_time_ns, (*path, at), child, inner))
        return self._stream._replace(unseen_bytes=self._unseen)

    def _outermost(self, event: Any) -> Place:
        is_within = event.start_time_ns < self._run_ends
        return Place(run=self._run) if is_within else Place()

    def _change(self, fields: Any, place: Place) -> None:
        if fields.device.type != self._device or not self._is_of_allocator(fields):
            return
        size = abs(fields.alloc_size)
        self._stream.changes.append(
            Change(
                taken=fields.alloc_size > 0,
                address=fields.ptr,
                size=size,
                total=fields.total_allocated,
                run=place.run,
                op=place.op,
                node=place.node,
                part=place.part,
                is_input=place.is_input,
                turns=self._turns,
                call=place.call,
                chunk=size,
            )
        )

    def _is_of_allocator(self, fields: Any) -> bool:
        """Whether a change is one of the allocator, and of a block that was seen to be taken.

        Mapped files and shared memory are reported, too, as a ``DataLoader``'s workers pass batches
        on, but with a sum of 0. Threads that the profiler does not see may take blocks that
        others give back: the allocator's sum shows that there are such.
        """
        size, total = fields.alloc_size, fields.total_allocated
        before = total - size
        seen = before if self._sum is None else self._sum
        if size > 0:
            is_ours = total >= size
        else:
            is_ours = fields.ptr in self._held or (total > 0 and before - seen < -size)
        if not size or not is_ours:
            return False
        self._sum = seen + size
        self._unseen = max(self._unseen, abs(total - self._sum))
        (self._held.add if size > 0 else self._held.discard)(fields.ptr)
        return True

    def _within(self, event: Any, place: Place) -> Place:
        """Return the place of what happens within an operation."""
        fields = event.extra_fields
        name: str = fields.name
        if name.startswith(_OPERATION):
            return self._operated(name.removeprefix(_OPERATION), fields, place)
        if name.startswith(MARK):
            return self._marked(name, place, event.end_time_ns)
        if name.startswith(_EVALUATION):
            self._turns += 1
            self._is_after_backward = True
            node = name.removeprefix(_EVALUATION).rpartition("::")[2]
            return place._replace(node=node, part=Part.BACKWARD, op=node, is_inner=False)
        if name.startswith(_OPTIMIZER):
            return place._replace(part=Part.UPDATE)
        if place.node and not place.is_inner and name.rpartition("::")[2] == place.node:
            call = self._called(place.node, Part.BACKWARD, fields)
            return place._replace(call=call)
        return place

    def _marked(self, name: str, place: Place, end: int) -> Place:
        if name.startswith(RUN):
            self._is_after_backward = False
            self._run, self._run_ends = int(name.removeprefix(RUN)), end
            return place._replace(run=self._run)
        if name == INPUTS:
            return place._replace(is_input=True)
        if name == CHECK:  # another call may follow, which begins with a forward part
            self._is_after_backward = False
        self._stream.marks[name.removeprefix(MARK)] = len(self._stream.changes)
        return place

    def _operated(self, op: str, fields: Any, place: Place) -> Place:
        # Operations that record themselves for autograd have a number, those of backward and of an
        # update none: what has one there computes forward again, as a checkpoint or L-BFGS does.
        part = place.part
        if not place.is_inner:
            is_recorded = fields.sequence_number >= 0
            if is_recorded:
                part = Part.FORWARD
            elif part is Part.FORWARD and self._is_after_backward and not is_recorded:
                part = part if op in _FACTORIES else Part.UPDATE
        call = place.call
        if part is not Part.FORWARD and (op not in _TAKERS):
            call = self._called(op, part, fields)
        taken_for = place.op if op in _TAKERS and place.is_inner else op
        return place._replace(op=taken_for, part=part, is_inner=True, call=call)

    def _called(self, op: str, part: Part, fields: Any) -> int:
        given = tuple(_addresses(fields.inputs))
        self._stream.calls.append(Call(len(self._stream.changes), op, part, given))
        return len(self._stream.calls) - 1


def _addresses(inputs: Iterable[Any]) -> Iterator[int]:
    """Yield where the tensors among an operation's inputs lie; other inputs have no place."""
    for one in inputs:
        several = one if isinstance(one, list) else (one,)
        for tensor in several:
            address = getattr(tensor, "storage_data_ptr", None)
            if address:
                yield address


def trace(changes: Sequence[Change], *, more_runs: int = 0) -> Trace:
    """Return the blocks in order; releases of what was there before are left out.

    Args:
        changes: as they were recorded.
        more_runs: how many times more than recorded the last step is run.
    """
    labels: list[str] = []
    events: list[tuple[int, int]] = []
    held: dict[int, int] = {}
    runs: list[int] = []
    for change in changes:
        if change.taken:
            held[change.address] = len(labels)
            events.append((len(labels), change.size))
            labels.append(f"{change.node}/{change.op}" if change.node else change.op)
            runs.append(change.run)
        elif change.address in held:
            events.append((held.pop(change.address), 0))
    last = max(runs, default=0)
    last_run = len(runs) - runs.index(last) if last else 0
    return Trace(labels, events, last_run, more_runs)
