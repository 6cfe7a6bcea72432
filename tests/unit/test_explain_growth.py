"""What one more time step adds: exact differences of real lengths, or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from explain_samples import (
    BACKWARD,
    FIRST,
    FORWARD,
    GRADIENT,
    INITIALIZER,
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
from profiler.explain.roles import Op, Part
from profiler.facts import replace
from profiler.facts.explanation import GraphGrowth
from profiler.lengths import Lengths

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


def test_shorter_lengths_are_those_that_the_author_allows() -> None:
    """Three quarters and a half of it, moved to the nearest multiple that is shorter."""
    record, asked = _recording(training)
    explain(record, 80, lengths=Lengths(multiple_of=20))
    explain(record, 60, lengths=Lengths(multiple_of=20, at_least=40))
    explain(record, 40, lengths=Lengths(multiple_of=20, at_least=40))

    assert asked == [80, 60, 40, 60, 40, 40]


def test_alone_records_once_and_leaves_growth_unknown() -> None:
    """There is nothing to compare with; the account itself is the same."""
    record, asked = _recording(training)
    alone = explain(record, 8, alone=True)

    assert asked == [8]
    assert alone.growth is None
    assert alone.graph_growth is None
    compared = explain(training, 8)
    holdings = [
        replace(holding, per_step_bytes=None, per_step_tensors=None)
        for holding in compared.holdings
    ]
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


def test_nodes_in_functions_grow_apart() -> None:
    """A Python loop in a function adds its steps to the library alone."""
    graphs = [
        dataclasses.replace(training(steps), library=["MatMul"] * (2 * steps)) for steps in (4, 8)
    ]

    assert graph_growth(graphs) == GraphGrowth(
        between=[4, 8], forward={}, backward={}, library={"MatMul": 2}
    )


def test_of_a_graph_that_grows_a_much_shorter_one_is_measured_too() -> None:
    """A sixteenth: its numbers have fewer digits, which four lengths can tell."""

    def record(steps: int) -> Recorded:
        return dataclasses.replace(_with_graph(steps), graph_bytes=100 * steps)

    assert explain(record, 16).graph_bytes == {str(n): 100 * n for n in (1, 8, 12, 16)}


def test_of_a_graph_that_stays_no_other_is_built() -> None:
    """And one that cannot be serialized has no size."""
    built = []

    def record(steps: int) -> Recorded:
        built.append(steps)
        return dataclasses.replace(training(steps), graph_bytes=None if steps == 16 else 7)

    assert explain(record, 16).graph_bytes == {"8": 7, "12": 7}
    assert built == [16, 12, 8]


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


LAYERS = 3


def _numbered(steps: int) -> Recorded:
    """Return a step of a framework that numbers its layers, on and on over several builds.

    The layers of the build over 8 steps are ``cell``, ``cell_1``, ``cell_2``; those of the one
    over 6 are ``cell_3`` and on.
    """
    first = {8: 0, 6: LAYERS, 4: 2 * LAYERS}[steps]
    names = [f"cell_{number}" if number else "cell" for number in range(first, first + LAYERS)]
    tape = Tape(run=INITIALIZER)
    for number, name in enumerate(names):
        tape.take(Op(name=f"{name}/Assign", variable=f"{name}/kernel"), (number + 1) * WEIGHTS)
    for tape.run in (FIRST, STEADY):
        kept = [tape.take(Op(name=f"{name}/MatMul", part=Part.FORWARD), KEPT) for name in names]
        kept += [
            tape.take(Op(name=f"{names[0]}/Mul_{step}", part=Part.FORWARD), KEPT)
            for step in range(steps)
        ]
        kept.append(tape.take(BACKWARD, GRADIENT))
        tape.free(*kept)
    return tape.recorded(steps)


def test_names_that_are_numbered_over_all_builds_are_the_same_thing() -> None:
    """The weights of each layer stay, whatever its number; what comes with a step is told so."""
    facts = explain(_numbered, 8)

    weights = [one for one in facts.holdings if one.role == "weights"]
    assert [one.bytes for one in weights] == [3 * WEIGHTS, 2 * WEIGHTS, WEIGHTS]
    assert [one.per_step_bytes for one in weights] == [0, 0, 0]
    kept = {one.op: one for one in facts.holdings if one.role == KEPT_ROLE}
    assert (kept["cell/MatMul"].per_step_bytes, kept["cell/MatMul"].per_step_tensors) == (0, 0)
    assert (kept["cell/Mul"].per_step_bytes, kept["cell/Mul"].per_step_tensors) == (KEPT, 1)


def test_tensors_that_grow_in_place_of_more_of_them_add_none() -> None:
    """Their number is the same at both lengths."""

    def record(steps: int) -> Recorded:
        tape = started()
        kept = [tape.take(Op(name=f"out_{n}", part=Part.FORWARD), steps) for n in range(16)]
        tape.free(tape.take(BACKWARD, 8 * GRADIENT), *kept)
        return tape.recorded(steps)

    facts = explain(record, 8)
    (grown,) = [one for one in facts.holdings if one.tensors == 16]
    assert (grown.per_step_bytes, grown.per_step_tensors) == (16, 0)


def test_what_is_there_at_one_length_only_has_no_rate() -> None:
    """All of its bytes divided by the distance would say that it comes with every step."""

    def record(steps: int) -> Recorded:
        tape = started()
        names = ["kept"] + (["other"] if steps == 8 else [])
        taken = [tape.take(Op(name=name, part=Part.FORWARD), KEPT) for name in names]
        tape.free(tape.take(BACKWARD, GRADIENT), *taken)
        return tape.recorded(steps)

    rates = {one.op: one.per_step_bytes for one in explain(record, 8).holdings}
    assert (rates["kept"], rates["other"]) == (0, None)


def test_of_more_numbered_things_than_before_the_new_ones_have_no_rate() -> None:
    """A name of its own for every step: those of the shorter length are known by their names."""

    def record(steps: int) -> Recorded:
        tape = started()
        ops = [Op(name=f"step{n}/out", part=Part.FORWARD) for n in range(steps)]
        kept = [tape.take(op, KEPT) for op in ops]
        tape.free(tape.take(BACKWARD, GRADIENT), *kept)
        return tape.recorded(steps)

    rates = {one.op: one.per_step_bytes for one in explain(record, 8).holdings}
    assert [rates[f"step{n}/out"] for n in range(8)] == [0] * 6 + [None] * 2


def test_a_shorter_length_that_fails_leaves_the_explanation() -> None:
    """It says what the growth is not known for; a length that ran still tells it."""

    def record(steps: int) -> Recorded:
        if steps < limit:
            raise ValueError(f"{steps} is no multiple")
        return training(steps)

    limit = 8
    alone = explain(record, 8)
    limit = 6
    compared = explain(record, 8)

    assert alone.peak_bytes == WEIGHTS + 8 * KEPT + GRADIENT
    assert alone.growth is None
    assert alone.missing == {
        "growth": "recording 4 steps failed: ValueError: 4 is no multiple",
    }
    assert compared.growth is not None
    assert compared.growth.bytes == KEPT
