"""What one more time step adds: exact differences of real lengths, or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from explain_samples import (
    BACKWARD,
    FORWARD,
    GRADIENT,
    KEPT,
    STEADY,
    WEIGHTS,
    Tape,
    started,
    training,
    write_step,
)
from hypothesis import given
from hypothesis import strategies as st

from profiler.explain.account import PeakAccount, Recorded
from profiler.explain.growth import explain, graph_growth, growth
from profiler.facts import replace
from profiler.facts.explanation import GraphGrowth

Record = Callable[[int], Recorded]
KEPT_ROLE, GRADIENT_ROLE = "forward tensors kept for backward", "activation gradients"


def _recording(record: Record) -> tuple[Record, list[int]]:
    """Return ``record`` with the lengths that it was asked for."""
    asked: list[int] = []

    def keeping(steps: int) -> Recorded:
        asked.append(steps)
        return record(steps)

    return keeping, asked


@pytest.mark.parametrize(
    ("steps", "expected"), [(8, [8, 6, 4]), (4, [4, 3, 2]), (3, [3, 2]), (2, [2, 1]), (1, [1])]
)
def test_the_length_that_is_explained_is_recorded_first(steps: int, expected: list[int]) -> None:
    """Then shorter ones, each once."""
    record, asked = _recording(training)
    facts = explain(record, steps)

    assert asked == expected
    assert facts.steps == steps
    assert facts.peak_bytes == WEIGHTS + steps * KEPT + GRADIENT


def test_alone_records_once_and_leaves_growth_unknown() -> None:
    """There is nothing to compare with; the account itself is the same."""
    record, asked = _recording(training)
    alone = explain(record, 8, alone=True)

    assert asked == [8]
    assert alone.growth is None
    assert alone.graph_growth is None
    compared = explain(training, 8)
    holdings = [replace(holding, per_step_bytes=None) for holding in compared.holdings]
    assert alone == replace(compared, holdings=holdings, growth=None, graph_growth=None)


def test_a_single_step_has_no_growth() -> None:
    """Nothing is shorter."""
    facts = explain(training, 1)

    assert facts.growth is None
    assert facts.graph_growth is None


def test_two_steps_grow_without_a_third_length_to_tell_a_line() -> None:
    """The difference is known, its shape is not."""
    found = explain(training, 2).growth

    assert found is not None
    assert found.between == [1, 2]
    assert found.bytes == KEPT
    assert found.linear == []


@given(st.integers(4, 1000), st.integers(0, 1 << 30))
def test_linear_growth_is_found_exactly(steps: int, slope: int) -> None:
    """What grows is at its own rate, what stays at none; both are linear."""
    found = explain(lambda length: training(length, lambda n: 7 + slope * n), steps).growth

    assert found is not None
    assert found.between == [round(0.75 * steps), steps]
    assert found.bytes == slope
    assert found.by_role == {KEPT_ROLE: slope, "weights": 0, "temporaries": 0}
    assert next(iter(found.by_role)) == KEPT_ROLE or slope == 0
    assert sorted(found.linear) == sorted(found.by_role)


def test_other_growth_is_not_linear() -> None:
    """The rate is that of the last two lengths; what stays beside it is linear still."""
    found = explain(lambda length: training(length, lambda n: n**2), 8).growth

    assert found is not None
    assert found.bytes == (8**2 - 6**2) / 2
    assert found.linear == ["weights", "temporaries"]


@pytest.mark.parametrize(("off", "linear"), [(9, True), (11, False)])
def test_linear_allows_a_hundredth_of_all_growth(off: int, linear: bool) -> None:  # noqa: FBT001
    """As the allocator's chunks are nearly, not exactly, of the size that was asked for."""
    sizes = {4: 2 * off, 6: 2000, 8: 4000}
    found = growth([PeakAccount(training(steps, sizes.__getitem__)) for steps in sizes])

    assert found is not None
    assert found.bytes == 1000
    assert (KEPT_ROLE in found.linear) is linear


def test_a_role_may_appear_or_vanish_with_length() -> None:
    """It grows from nothing, or shrinks to it; the fastest comes first, either way."""

    def record(steps: int) -> Recorded:
        tape = Tape(run=STEADY)
        kept = dataclasses.replace(FORWARD, name="kept")
        if steps < 8:
            tape.take(kept, 60)
        else:
            tape.take(dataclasses.replace(kept, in_loop=True), 90, is_float=False)
        write_step(tape)
        return tape.recorded(steps)

    found = explain(record, 8).growth

    assert found is not None
    assert found.bytes == (90 - 60) / 2
    assert list(found.by_role.items())[:2] == [("loop bookkeeping", 90 / 2), (KEPT_ROLE, -60 / 2)]
    assert found.linear == ["temporaries"]


def _moving(steps: int) -> Recorded:
    """Return a step whose forward part makes it peak where that is short."""
    tape = started()
    tape.free(tape.take(dataclasses.replace(FORWARD, name="short"), 7 * KEPT))
    write_step(tape, steps * KEPT)
    return tape.recorded(steps)


def test_growth_looks_at_all_lengths_where_the_longest_peaks() -> None:
    """A shorter step may peak elsewhere: that says nothing of this place."""
    places = [PeakAccount(_moving(steps)).place for steps in (4, 8)]
    found = explain(_moving, 8).growth

    assert places == ["short", BACKWARD.name]
    assert found is not None
    assert found.bytes == KEPT
    assert KEPT_ROLE in found.linear


def _appearing(only_from: int) -> Record:
    """Return steps that run their last op only from some length on."""

    def record(steps: int) -> Recorded:
        tape = started()
        tape.take(FORWARD, steps * KEPT)
        if steps >= only_from:
            tape.take(BACKWARD)
        return tape.recorded(steps)

    return record


def test_growth_leaves_out_lengths_that_never_come_to_the_place() -> None:
    """Two are enough for a rate, and one is not."""
    two, one = (explain(_appearing(only_from), 8).growth for only_from in (6, 8))

    assert two is not None
    assert two.between == [6, 8]
    assert two.bytes == KEPT
    assert two.linear == []
    assert one is None


def _with_graph(steps: int) -> Recorded:
    """Return a step whose graph has 3 + 2 n forward and n - 1 backward nodes, and one constant."""
    forward = [("c", "Const")] * (20 - steps) + [
        (f"MatMul_{n}", "MatMul") for n in range(2 * steps)
    ]
    backward = [(f"Sum_{n}", "Sum") for n in range(steps - 1)] + [("AddN", "AddN")]
    return dataclasses.replace(training(steps), forward=forward, backward=backward)


def test_graph_growth_is_the_exact_difference() -> None:
    """What a step takes away counts, what stays is left out, the most comes first."""
    found = explain(_with_graph, 8).graph_growth

    assert found == GraphGrowth(
        between=[6, 8], forward={"MatMul": 2, "Const": -1}, backward={"Sum": 1}
    )
    assert list(found.forward) == ["MatMul", "Const"]


def test_graph_growth_may_be_a_part_of_a_node() -> None:
    """Where a node comes with every second step."""
    graphs = [
        dataclasses.replace(training(steps), forward=[("a", "A")] * (steps // 2))
        for steps in (4, 8)
    ]

    assert graph_growth(graphs) == GraphGrowth(between=[4, 8], forward={"A": 0.5}, backward={})


def test_graphs_of_one_length_do_not_grow() -> None:
    """There is no distance to divide by."""
    assert graph_growth([training(8)]) is None
    assert graph_growth([training(8), training(8)]) is None


def test_each_holding_tells_what_a_step_adds_to_it() -> None:
    """A tensor per step, and what stays the same; their sum is what the roles add."""
    facts = explain(training, 8)

    rates = {holding.op: holding.per_step_bytes for holding in facts.holdings}
    assert facts.growth is not None
    assert rates[FORWARD.name] == KEPT
    assert sum(rate or 0 for rate in rates.values()) == sum(
        rate for role, rate in facts.growth.by_role.items() if role != "allocator rounding"
    )


def test_a_holding_without_a_shorter_length_has_no_rate() -> None:
    """Rather than a rate of 0."""
    facts = explain(training, 1)

    assert {holding.per_step_bytes for holding in facts.holdings} == {None}
