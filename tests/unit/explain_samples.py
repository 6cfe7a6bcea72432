"""Made-up recordings of training steps, event by event, for the tests of the explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from profiler.explain.account import Recorded
from profiler.explain.ledger import Events, Ledger
from profiler.explain.roles import Op, Part
from profiler.facts import Theory

WEIGHTS, KEPT, GRADIENT = 1000, 64, 32
# The runs of a session: one that gives the variables their values, and two training steps.
INITIALIZER, FIRST, STEADY = 1, 2, 3
ASSIGN = Op(name="w/Assign", variable="w")
FORWARD = Op(name="rnn/MatMul", type="MatMul", part=Part.FORWARD)
BACKWARD = Op(name="gradients/MatMul_grad/MatMul", type="MatMul", part=Part.BACKWARD)
UPDATE = Op(name="update_w/Mul", type="Mul", part=Part.UPDATE)


class Event(NamedTuple):
    """An allocation or a release."""

    is_allocation: bool
    address: int
    op: int = 0
    requested: int = 0
    chunk: int = 0
    run: int = 0
    is_float: bool = False


def columns(events: Iterable[Event]) -> Events:
    """Return the events as the columns that a ledger takes."""
    rows = list(events)
    return Events(
        is_allocation=np.array([event.is_allocation for event in rows], np.bool_),
        address=np.array([event.address for event in rows], np.int64),
        op=np.array([event.op for event in rows], np.int64),
        requested=np.array([event.requested for event in rows], np.int64),
        chunk=np.array([event.chunk for event in rows], np.int64),
        run=np.array([event.run for event in rows], np.int64),
        is_float=np.array([event.is_float for event in rows], np.bool_),
    )


@dataclass(kw_only=True)
class Tape:
    """Writes down what an allocator does in one run after the other; ``run`` is the present one."""

    run: int = 0
    ops: list[Op] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def take(
        self, op: Op, size: int = 1, *, chunk: int | None = None, is_float: bool = True
    ) -> int:
        """Allocate and return the address, one that was never used before."""
        if op not in self.ops:
            self.ops.append(op)
        event = Event(
            is_allocation=True,
            address=len(self.events),
            op=self.ops.index(op),
            requested=size,
            chunk=size if chunk is None else chunk,
            run=self.run,
            is_float=is_float,
        )
        self.events.append(event)
        return event.address

    def free(self, *addresses: int) -> None:
        """Release, one after the other."""
        self.events += [Event(is_allocation=False, address=address) for address in addresses]

    def ledger(self) -> Ledger:
        """Return the ledger of what was written down."""
        return Ledger(columns(self.events))

    def recorded(
        self,
        steps: int = 8,
        *,
        forward: Iterable[tuple[str, str]] = (),
        backward: Iterable[tuple[str, str]] = (),
        library: Iterable[str] = (),
        theory: Theory | None = None,
    ) -> Recorded:
        """Return what was written down with what else is recorded of a training step."""
        return Recorded(
            steps=steps,
            ops=self.ops,
            events=columns(self.events),
            peaks=[2001, 2002],
            residents=[1001, 1002],
            forward=list(forward),
            backward=list(backward),
            library=list(library),
            theory=theory,
            custom_gradients=False,
        )


def started() -> Tape:
    """Return a tape on which the variables have their values and the first step begins."""
    tape = Tape(run=INITIALIZER)
    tape.take(ASSIGN, WEIGHTS)
    tape.run = FIRST
    return tape


def write_step(tape: Tape, kept: int = KEPT, gradient: int = GRADIENT) -> None:
    """Write down a step that keeps a tensor for backward and then makes a gradient of it."""
    forward = tape.take(FORWARD, kept)
    backward = tape.take(BACKWARD, gradient)
    tape.free(forward, backward)


def training(steps: int, kept: Callable[[int], int] = lambda steps: KEPT * steps) -> Recorded:
    """Return a recorded training step that keeps ``kept(steps)`` bytes for backward."""
    tape = started()
    for tape.run in (FIRST, STEADY):
        write_step(tape, kept(steps))
    return tape.recorded(steps)


_events = st.builds(
    Event,
    is_allocation=st.booleans(),
    address=st.integers(0, 4),
    op=st.integers(0, 3),
    requested=st.integers(0, 40),
    run=st.integers(0, 3),
    is_float=st.booleans(),
)


@st.composite
def event_lists(draw: st.DrawFn) -> list[Event]:
    """Return events at few addresses: some are released twice, some reused without a release."""
    events = draw(st.lists(_events, max_size=30))
    # As of an allocator whose chunks are multiples of 8 bytes.
    return [event._replace(chunk=-(-event.requested // 8) * 8) for event in events]


op_lists = st.lists(
    st.builds(
        Op,
        name=st.sampled_from(["a", "a_1", "b/c_2", "b/c_3"]),
        part=st.sampled_from(Part),
        variable=st.sampled_from([None, "v", "w"]),
        is_input=st.booleans(),
        gradient_of=st.sampled_from([None, "w"]),
        in_loop=st.booleans(),
    ),
    min_size=4,
    max_size=4,
)


@st.composite
def recordings(draw: st.DrawFn) -> Recorded:
    """Return a recording in which anything may happen, but at least one allocation in a run."""
    own = Event(is_allocation=True, address=0, requested=8, chunk=8, run=1)
    events = [*draw(event_lists()), own, *draw(event_lists())]
    return Tape(ops=draw(op_lists), events=events).recorded()
