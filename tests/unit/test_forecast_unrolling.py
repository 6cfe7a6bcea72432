"""Two short traces of a loop tell every longer one, event by event; other ones tell nothing."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling

GAP = 2
SMALL = 4096
# Growing allocations of one label could have the same bytes at other steps: they have their own.
GROWING = "vwxyz"


@dataclass(frozen=True, kw_only=True)
class Op:
    """What an operation allocates, and until when it is held.

    Attributes:
        size: bytes, at no steps.
        rate: bytes more for each step of the whole loop.
        until: the end of its step (``step``), the same operation in the next step (``next``), or
            in the end: of a forward one when its step is undone, of a backward one after all
            (``end``).
    """

    size: int
    rate: int
    until: str


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A loop forward, and a loop backward that undoes it."""

    forward: list[Op]
    backward: list[Op]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A made-up training step: layers forward, layers backward, and a sum of what they left.

    Attributes:
        resident: bytes that are held from the beginning on, and never released.
        buffers: what is allocated once before the loops, and released after them.
        letters: tell the operations of a step apart; some may have equal ones.
        unrolled: every step has operations of its own, with a number in their labels.
    """

    resident: list[int]
    buffers: list[Op]
    layers: list[Layer]
    letters: str
    unrolled: bool

    def trace(self, steps: int) -> Trace:
        """Return what it asks of the allocator for so many steps."""
        tape = Tape(steps=steps)
        for size in self.resident:
            tape.allocate("resident", Op(size=size, rate=0, until="end"))
        buffers = [
            tape.allocate(f"buffer {name}", op)
            for name, op in zip(GROWING, self.buffers, strict=False)
        ]
        kept = [
            [self._step(tape, layer.forward, f"forward {name}", t) for t in range(steps)]
            for name, layer in zip("xy", self.layers, strict=False)
        ]
        partial: list[int] = []
        for name, layer, held in reversed([*zip("xy", self.layers, kept, strict=False)]):
            for t in reversed(range(steps)):
                partial += self._step(tape, layer.backward, f"backward {name}", t)
                tape.release(*reversed(held[t]))
        tape.allocate("sum", Op(size=5000, rate=0, until="end"))
        tape.release(*partial, *buffers)
        return Trace(labels=tape.labels, events=tape.events)

    def _step(self, tape: Tape, ops: list[Op], scope: str, t: int) -> list[int]:
        """Run one step and return what it leaves behind."""
        held: dict[str, list[int]] = {"step": [], "end": []}
        for place, op in enumerate(ops):
            number = f"_{t}" if self.unrolled else ""
            letter = (GROWING if op.rate else self.letters)[place]
            allocation = tape.allocate(f"{scope}{number}/{letter}", op)
            if op.until == "next":
                tape.carry((scope, place), allocation)
            else:
                held[op.until].append(allocation)
        tape.release(*held["step"])
        return held["end"]


@dataclass(kw_only=True)
class Tape:
    """A trace that is being written."""

    steps: int
    labels: list[str] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    carried: dict[tuple[str, int], int] = field(default_factory=dict)

    def allocate(self, label: str, op: Op) -> int:
        """Write an allocation and return its number."""
        self.labels.append(label)
        self.events.append((len(self.labels) - 1, op.size + op.rate * self.steps))
        return len(self.labels) - 1

    def release(self, *allocations: int) -> None:
        """Write releases."""
        self.events += [(allocation, 0) for allocation in allocations]

    def carry(self, place: tuple[str, int], allocation: int) -> None:
        """Hold an allocation in the place of the one that was held there before."""
        if place in self.carried:
            self.release(self.carried[place])
        self.carried[place] = allocation


sizes = st.sampled_from([100, 8000]) | st.integers(1, 20_000)
until = st.sampled_from(["step", "next", "end"])
# What is small and fleeting at few steps is left out, though it may be large at many.
growing = st.builds(Op, size=st.integers(SMALL, 20_000), rate=st.integers(1, 2000), until=until)
ops = st.lists(
    st.builds(Op, size=sizes, rate=st.just(0), until=until) | growing, min_size=1, max_size=5
)
few_examples = settings(max_examples=50)  # each makes up two traces
networks = st.builds(
    Network,
    resident=st.lists(sizes, max_size=3),
    buffers=st.lists(st.builds(Op, size=sizes, rate=sizes, until=st.just("end")), max_size=3),
    layers=st.lists(st.builds(Layer, forward=ops, backward=ops), min_size=1, max_size=2),
    letters=st.sampled_from(["abcdefgh", "abababab", "aaaaaaaa"]),
    unrolled=st.booleans(),
)


def unrolled(network: Network, last: int) -> Unrolling:
    """Return the unrolling of two traces, the longer one of ``last`` steps."""
    first = last - GAP
    return Unrolling(network.trace(first), network.trace(last), (first, last))


def facts(trace: Trace) -> tuple[list[str], list[tuple[int, int]]]:
    """Return a trace in its tidy form, without the numbers in its labels."""
    tidied = trace.tidied()
    return [re.sub(r"\d+", "", label) for label in tidied.labels], tidied.events


@few_examples
@given(networks, st.integers(6, 12), st.integers(0, 60))
def test_a_longer_trace_is_predicted_event_by_event(net: Network, last: int, more: int) -> None:
    """From any two traces that differ by two steps, at any larger number of them."""
    steps = last - GAP + more
    predicted = unrolled(net, last).at(steps)

    assert facts(predicted) == facts(net.trace(steps))


@st.composite
def arbitrary(draw: st.DrawFn) -> Trace:
    """Return any trace of few kinds, so that two of them often begin in the same way."""
    tape = Tape(steps=0)
    held: list[int] = []
    for release in draw(st.lists(st.none() | st.integers(0, 3), max_size=30)):
        if release is None:
            size = draw(st.sampled_from([100, 8000, 9000]))
            op = Op(size=size, rate=0, until="end")
            held.append(tape.allocate(draw(st.sampled_from("ab")), op))
        elif held:
            tape.release(held.pop(-1 - release % len(held)))
    return Trace(labels=tape.labels, events=tape.events)


@few_examples
@given(arbitrary(), arbitrary(), st.integers(0, 30))
def test_any_two_traces_give_a_sound_one_or_no_pattern(a: Trace, b: Trace, more: int) -> None:
    """Never another error, nor a trace that cannot be replayed."""
    with contextlib.suppress(NoPatternError):
        predicted = Unrolling(a, b, (8, 10)).at(8 + more)

        assert is_sound(predicted)


def flawed(trace: Trace, flaw: str, place: int) -> Trace:
    """Return a trace with one event of it changed."""
    place %= len(trace.events)
    allocation, size = trace.events[place]
    before, after = trace.events[:place], trace.events[place + 1 :]
    another = len(trace.labels)
    if flaw == "another":
        middle, after = [(another, 100), (allocation, size)], [*after, (another, 0)]
    elif flaw == "absent":
        middle = []
        after = [event for event in after if event[0] != allocation or not size]
    else:
        middle = [(allocation, size and size + 50)]
    return Trace(labels=[*trace.labels, "another"], events=[*before, *middle, *after]).tidied()


@few_examples
@given(
    networks,
    st.integers(6, 10),
    st.sampled_from(["another", "absent", "larger"]),
    st.integers(0, 500),
    st.integers(0, 30),
)
def test_a_flaw_gives_a_sound_trace_or_no_pattern(
    net: Network, last: int, flaw: str, place: int, more: int
) -> None:
    """Wherever it is in the longer one of two regular traces."""
    first, second = net.trace(last - GAP), flawed(net.trace(last), flaw, place)
    with contextlib.suppress(NoPatternError):
        predicted = Unrolling(first, second, (last - GAP, last)).at(last - GAP + more)

        assert is_sound(predicted)


def is_sound(trace: Trace) -> bool:
    """Whether each allocation takes bytes, in order, and is released once at most, while held."""
    held: set[int] = set()
    for allocation, size in trace.events:
        if size < 0 or (allocation in held) == bool(size):
            return False
        held ^= {allocation}
    numbers = [allocation for allocation, size in trace.events if size]
    return numbers == list(range(len(trace.labels)))


def traced(*sizes: int) -> Trace:
    """Return a trace of allocations that are never released."""
    return Trace(labels=["a"] * len(sizes), events=list(enumerate(sizes)))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (traced(8000), traced(8001), "grows by a fraction of a byte"),
        (traced(8000, 8000), traced(8000, 8000, 8000), "grows by a fraction"),
        (traced(8000, 8000, 8000), traced(8000), "differ from"),
        (traced(9), traced(*range(10, 13)), "irregular"),
        (traced(*[9] * 4), traced(*[9] * 4, 8, 7), "differ from|irregular"),
    ],
)
def test_irregular_growth_is_no_pattern(first: Trace, second: Trace, why: str) -> None:
    """The two traces may differ by two steps' worth of events and bytes, nothing else."""
    with pytest.raises(NoPatternError, match=why):
        Unrolling(first, second, (8, 8 + GAP))


def test_what_shrinks_has_an_end() -> None:
    """There are bytes to allocate up to it, and no pattern from there on."""
    unrolling = Unrolling(traced(8000), traced(7000), (8, 8 + GAP))
    rate = 1000 // GAP

    assert unrolling.at(8 + 8000 // rate - 1) == traced(rate)
    with pytest.raises(NoPatternError, match="shrink to nothing"):
        unrolling.at(8 + 8000 // rate)


def test_growing_returns_the_marked_allocations_that_grow() -> None:
    """By their bytes at any steps."""
    net = Network(
        resident=[100],
        buffers=[Op(size=700, rate=30, until="end"), Op(size=500, rate=0, until="end")],
        layers=[
            Layer(
                forward=[Op(size=5000, rate=7, until="step")],
                backward=[Op(size=100, rate=0, until="end")],
            )
        ],
        letters="abc",
        unrolled=True,
    )
    unrolling = unrolled(net, 10)
    first = 10 - GAP

    (buffer,) = unrolling.growing("buffer")
    assert [buffer(first), buffer(50)] == [700 + 30 * first, 700 + 30 * 50]
    assert {size(50) for size in unrolling.growing("forward")} == {5000 + 7 * 50}
    assert unrolling.growing("resident") == []
    assert unrolling.growing("nowhere") == []


def causal(steps: int) -> Trace:
    """Return attention by hand: step t asks for t rows, all are held, then all squares of them."""
    tape = Tape(steps=steps)
    rows = [
        tape.allocate(f"scores_{t}", Op(size=5000 * (t + 1), rate=0, until="end"))
        for t in range(steps)
    ]
    tape.allocate("square", Op(size=64 * steps * steps, rate=0, until="end"))
    for row in reversed(rows):
        tape.release(row)
    return Trace(labels=tape.labels, events=tape.events)


@pytest.mark.parametrize("steps", [20, 33, 200])
def test_squares_and_growing_copies_are_polynomials_through_a_third_trace(steps: int) -> None:
    """Bytes in closed form, at lengths that were not learned from."""
    unrolling = Unrolling(causal(8), causal(10), (8, 10), further={16: causal(16)})

    assert facts(unrolling.at(steps)) == facts(causal(steps))
    assert unrolling.count(steps) == len(causal(steps).events)


@pytest.mark.parametrize("power", [3, 4])
def test_what_follows_no_parabola_is_no_pattern(power: int) -> None:
    """Four lengths refute it."""
    traces = {n: traced(n**power * 5000) for n in (8, 10, 16, 20)}

    with pytest.raises(NoPatternError, match="no polynomial"):
        Unrolling(traces[8], traces[10], (8, 10), further={n: traces[n] for n in (16, 20)})


def segmented(steps: int, period: int) -> Trace:
    """Return a trace in which each step holds 5,000 bytes, each full period 8,000 more."""
    sizes = [
        size for t in range(1, steps + 1) for size in ((5000,) if t % period else (5000, 8000))
    ]
    labels = ["step" if size == 5000 else "segment" for size in sizes]
    return Trace(labels=labels, events=list(enumerate(sizes)))


@given(st.integers(2, 12), st.integers(0, 9))
def test_growth_by_a_period_is_continued_by_whole_periods(period: int, more: int) -> None:
    """Two periods apart two traces show what a period adds."""
    first, second = 2 * period, 4 * period
    traces = segmented(first, period), segmented(second, period)
    unrolling = Unrolling(*traces, (first, second), unit=period)
    steps = first + more * period

    assert unrolling.at(steps) == segmented(steps, period)


@pytest.mark.parametrize("is_unrolled", [True, False])
def test_a_loop_is_told_from_unrolled_steps(is_unrolled: bool) -> None:  # noqa: FBT001
    """Its copies have one label."""
    op = Op(size=5000, rate=0, until="end")
    net = Network(
        resident=[],
        buffers=[],
        layers=[Layer(forward=[op], backward=[op])],
        letters="abc",
        unrolled=is_unrolled,
    )

    assert unrolled(net, 10).loops is not is_unrolled


def test_one_operation_with_an_output_for_every_step_is_no_loop() -> None:
    """It repeats alone; what comes after it is copied for every step."""

    def trace(steps: int) -> Trace:
        labels = ["unstack output"] * steps + [f"cell_{t} output" for t in range(steps)]
        return Trace(labels=labels, events=[(at, 5000) for at in range(len(labels))])

    assert not Unrolling(trace(8), trace(10), (8, 10)).loops


@given(st.integers(0, 5), st.integers(1, 5), st.integers(10, 40))
def test_the_last_run_is_continued(fixed: int, per_step: int, steps: int) -> None:
    """It makes so many allocations for every time step, and others once."""

    def trace(number: int) -> Trace:
        last_run = fixed + per_step * number
        labels = ["weights", *["run"] * last_run]
        events = [(at, 5000) for at in range(len(labels))]
        return Trace(labels, events, last_run, more_runs=4)

    assert Unrolling(trace(8), trace(10), (8, 10)).at(steps) == trace(steps)


def test_a_last_run_on_no_line_is_not_continued() -> None:
    """It is not known which allocations it makes."""
    label, size = ["step"], 5000
    short, long = (
        Trace(label * n, [(at, size) for at in range(n)], last_run, more_runs=4)
        for n, last_run in ((8, 5), (10, 6))
    )

    assert Unrolling(short, long, (8, 10)).at(11).last_run == 0
    assert Unrolling(short, long, (8, 10)).at(11).more_runs == 0
