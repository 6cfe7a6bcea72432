"""A tree of profiler events, read into the changes of an allocator and what they were for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from profiler.explain.roles import Part
from profiler.frameworks.torch.events import Reader, Stream, trace

OPERATION, ALLOCATION = "operation", "allocation"
HELD = 1 << 20  # before what is read


@dataclass
class Device:
    """Where a block lies."""

    type: str = "cpu"


@dataclass
class Tensor:
    """What is recorded of an input."""

    storage_data_ptr: int | None


@dataclass
class Operation:
    """What is recorded of an operation."""

    name: str
    sequence_number: int = -1
    inputs: list[Any] = field(default_factory=list)


@dataclass
class Allocation:
    """What is recorded of a block."""

    ptr: int
    alloc_size: int
    total_allocated: int | None = None
    device: Device = field(default_factory=Device)


@dataclass
class Event:
    """One event of the tree."""

    tag: str
    extra_fields: Operation | Allocation
    children: Sequence[Event] = ()
    start_time_ns: int = 0
    end_time_ns: int = 0


def op(name: str, *children: Event, number: int = -1, given: Sequence[int] = ()) -> Event:
    """Return an operation; with a number, one that autograd records."""
    tensors = [Tensor(one) for one in given]
    return Event(OPERATION, Operation(name, number, tensors), children)


def take(address: int, size: int, total: int | None = None) -> Event:
    """Return a block that is taken, or given back where the size is negative.

    Without a total, the allocator's own sum is that of what is read.
    """
    return Event(ALLOCATION, Allocation(address, size, total))


def node(name: str, *children: Event, given: Sequence[int] = ()) -> Event:
    """Return the evaluation of a node of autograd's graph."""
    return op(f"autograd::engine::evaluate_function: {name}", op(name, *children, given=given))


def read(*events: Event) -> Stream:
    """Read a tree."""
    _sum(events, HELD)
    return Reader(OPERATION, ALLOCATION).read(events)


def _sum(events: Sequence[Event], total: int) -> int:
    """Give the changes that have none their total, in the order of the tree."""
    for event in events:
        if isinstance(event.extra_fields, Allocation):
            total += event.extra_fields.alloc_size
            if event.extra_fields.total_allocated is None:
                event.extra_fields.total_allocated = total
        total = _sum(event.children, total)
    return total


def parts(*events: Event) -> list[Part]:
    """Return the part of each block that is taken."""
    return [change.part for change in read(*events).changes if change.taken]


class TestNames:
    """A block is for the operation that a user would name."""

    def test_what_only_takes_memory_stands_for_its_caller(self) -> None:
        """A clone is made of empty tensors."""
        clone = op("aten::clone", op("aten::empty_like", op("aten::empty_strided", take(1, 8))))

        assert [change.op for change in read(clone).changes] == ["clone"]

    def test_a_user_s_own_empty_tensor_stands_for_itself(self) -> None:
        """It has no caller."""
        assert [change.op for change in read(op("aten::empty", take(1, 8))).changes] == ["empty"]

    def test_the_innermost_operation_counts(self) -> None:
        """A linear layer holds the product's result."""
        linear = op("aten::linear", op("aten::addmm", take(1, 8)))

        assert [change.op for change in read(linear).changes] == ["addmm"]

    def test_what_a_node_takes_itself_stands_for_the_node(self) -> None:
        """A compiled graph is one node without operations."""
        (change,) = read(node("CompiledFunctionBackward", take(1, 8))).changes

        assert (change.op, change.node) == ("CompiledFunctionBackward",) * 2

    def test_what_no_operation_takes_is_python_s(self) -> None:
        """It is counted all the same."""
        assert [change.op for change in read(take(1, 8)).changes] == ["Python"]


class TestParts:
    """Forward, backward and the update are told apart without the user's help."""

    def test_forward_is_what_no_node_evaluates(self) -> None:
        """Before any backward, also without gradients."""
        assert parts(op("aten::mm", take(1, 8), number=0), op("aten::zeros", take(2, 8))) == [
            Part.FORWARD,
            Part.FORWARD,
        ]

    def test_backward_is_what_a_node_evaluates(self) -> None:
        """Within the node, and where its results are added up."""
        evaluation = op(
            "autograd::engine::evaluate_function: MmBackward0",
            op("MmBackward0", op("aten::mm", take(1, 8))),
            op("aten::add", take(2, 8)),
        )

        assert parts(evaluation) == [Part.BACKWARD, Part.BACKWARD]

    def test_what_a_checkpoint_computes_again_is_forward(self) -> None:
        """Within a node, by operations that autograd records."""
        again = op("aten::tanh", take(1, 8), number=7)
        gradient = op("aten::tanh_backward", take(2, 8))

        assert parts(node("TanhBackward0", again, gradient)) == [Part.FORWARD, Part.BACKWARD]

    def test_inner_operations_are_of_the_part_of_the_outer_one(self) -> None:
        """Only the outermost has autograd's number."""
        again = op("aten::linear", op("aten::addmm", take(1, 8)), number=7)

        assert parts(node("TanhBackward0", again)) == [Part.FORWARD]

    def test_an_optimizer_updates(self) -> None:
        """By the name that PyTorch gives its step."""
        assert parts(op("Optimizer.step#Adam.step", op("aten::zeros_like", take(1, 8)))) == [
            Part.UPDATE
        ]

    def test_what_follows_backward_without_gradients_updates(self) -> None:
        """An update written by hand; a forward part that follows is recorded by autograd."""
        by_hand = op("aten::mul", take(2, 8))
        following = op("aten::mm", take(3, 8), number=9)
        factory = op("aten::zeros", take(4, 8))

        assert parts(node("MmBackward0", take(1, 8)), by_hand, following, factory) == [
            Part.BACKWARD,
            Part.UPDATE,
            Part.FORWARD,
            Part.FORWARD,
        ]


class TestRuns:
    """Marks in the stream tell runs, inputs and moments."""

    def test_a_mark_numbers_what_is_within(self) -> None:
        """What is built before belongs to none."""
        stream = read(take(1, 8), op("stepwall::run 2", op("aten::mm", take(2, 8))))

        assert [change.run for change in stream.changes] == [0, 2]

    def test_inputs_are_marked(self) -> None:
        """Copies of what is fed."""
        stream = read(op("stepwall::inputs", op("aten::clone", take(1, 8))), take(2, 8))

        assert [change.is_input for change in stream.changes] == [True, False]

    def test_any_other_mark_is_a_moment(self) -> None:
        """At so many changes."""
        assert read(take(1, 8), op("stepwall::built"), take(2, 8)).marks == {"built": 1}

    def test_a_block_of_another_device_is_left_out(self) -> None:
        """Only the CPU's allocator is read."""
        other = Event(ALLOCATION, Allocation(1, 8, device=Device("cuda")))

        assert read(other).changes == []

    def test_turns_count_the_evaluations_that_began(self) -> None:
        """So that what outlives one can be told."""
        stream = read(take(1, 8), node("A", take(2, 8), take(1, -8)), node("B", take(2, -8)))

        assert [change.turns for change in stream.changes] == [0, 1, 1, 2]


def at(start: int, end: int, event: Event) -> Event:
    """Return an event with its times."""
    return replace(event, start_time_ns=start, end_time_ns=end)


class TestThreads:
    """On a card backward runs in a thread of its own: its trees stand beside that of the run."""

    RUN = at(
        10,
        100,
        op(
            "stepwall::run 1",
            at(20, 30, op("aten::mm", at(25, 25, take(1, 8)), number=1)),
            at(80, 90, op("Optimizer.step#SGD.step", at(85, 85, take(3, 8)))),
        ),
    )
    BACKWARD = at(50, 60, node("MmBackward0", at(55, 55, take(2, 8))))

    def test_by_their_times_they_are_one(self) -> None:
        """Backward lies between forward and the update, though the run's tree holds both."""
        changes = read(self.RUN, self.BACKWARD).changes

        assert [change.address for change in changes] == [1, 2, 3]
        assert [change.part for change in changes] == [Part.FORWARD, Part.BACKWARD, Part.UPDATE]

    def test_what_happens_within_a_run_is_of_it(self) -> None:
        """Also in the other thread; what comes after it is not."""
        after = at(120, 130, node("MmBackward0", at(125, 125, take(4, 8))))

        assert [change.run for change in read(self.RUN, self.BACKWARD, after).changes] == [
            *(1, 1, 1),
            0,
        ]

    def test_marks_and_calls_stand_where_they_happened(self) -> None:
        """By the changes that came before, in whichever thread."""
        mark = at(70, 71, op("stepwall::gradients 0"))
        stream = read(self.RUN, self.BACKWARD, mark)

        assert stream.marks == {"gradients 0": 2}
        assert [(call.op, call.at) for call in stream.calls] == [("MmBackward0", 1)]

    def test_of_a_card_its_own_blocks_are_read(self) -> None:
        """After what is known of before."""
        mine = Event(ALLOCATION, Allocation(1, 512, 1024, Device("cuda")))
        known = read(take(7, 8)).changes
        stream = Reader(OPERATION, ALLOCATION, "cuda", known).read([take(2, 8), mine])

        assert [change.address for change in stream.changes] == [7, 1]


class TestOthers:
    """What the profiler tells, or leaves out, of memory that is not the allocator's alone."""

    def test_shared_memory_is_left_out(self) -> None:
        """It is told with a sum of 0, when it is taken and when it is given back."""
        stream = read(take(1, 8), take(2, 64, 0), take(2, -64, 0), take(3, -32, 0), take(1, -8))

        assert [(change.address, change.taken) for change in stream.changes] == [
            (1, True),
            (1, False),
        ]

    def test_a_block_that_was_not_seen_to_be_taken_is_not_given_back(self) -> None:
        """Another thread took 64 bytes, as the sum tells; this one gives them back."""
        held = HELD + 8
        stream = read(take(1, 8), take(2, 16, held + 64 + 16), take(9, -64, held + 16))

        assert [change.address for change in stream.changes] == [1, 2]
        assert stream.unseen_bytes == 64

    def test_what_an_update_computes_again_is_forward(self) -> None:
        """L-BFGS runs the loss within its step: autograd records that, and no update."""
        loss, history = op("aten::mul", take(1, 8), number=3), op("aten::sub", take(2, 8))

        assert parts(op("Optimizer.step#LBFGS.step", loss, history)) == [Part.FORWARD, Part.UPDATE]

    def test_an_older_block_is_given_back(self) -> None:
        """The sum holds it from the beginning."""
        stream = read(take(1, 8), take(9, -64))

        assert [change.address for change in stream.changes] == [1, 9]
        assert stream.unseen_bytes == 0


class TestTrace:
    """The same as what a prediction continues."""

    def test_a_release_names_the_block_at_its_address(self) -> None:
        """An address may be used again; what was there before the recording is left out."""
        stream = read(take(9, -4), take(1, 8), take(1, -8), take(1, 16))

        assert trace(stream.changes).events == [(0, 8), (0, 0), (1, 16)]

    def test_the_last_run_is_the_last_mark_s(self) -> None:
        """Two of the three blocks are its."""
        stream = read(
            op("stepwall::run 1", take(1, 8)), op("stepwall::run 2", take(2, 8), take(3, 8))
        )

        assert trace(stream.changes, more_runs=4).last_run == 2
        assert trace(stream.changes, more_runs=4).more_runs == 4

    def test_labels_name_the_node(self) -> None:
        """One operation may serve several nodes."""
        stream = read(op("aten::mm", take(1, 8)), node("MmBackward0", op("aten::mm", take(2, 8))))

        assert trace(stream.changes).labels == ["mm", "MmBackward0/mm"]
