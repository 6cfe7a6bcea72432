"""The account of a peak adds up to the byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from explain_samples import (
    BACKWARD,
    FIRST,
    FORWARD,
    GRADIENT,
    INITIALIZER,
    KEPT,
    STEADY,
    UPDATE,
    WEIGHTS,
    Tape,
    recordings,
    started,
    training,
    write_step,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.errors import StepwallError
from profiler.explain.account import PeakAccount, Recorded, folded
from profiler.explain.roles import Op
from profiler.facts.explanation import GraphParts, Holding, Theory

Record = Callable[[int], Recorded]
KEPT_ROLE, GRADIENT_ROLE = "forward tensors kept for backward", "activation gradients"


def copy_of(op: Op, number: int) -> Op:
    """Return one of the op's unrolled copies."""
    return replace(op, name=f"{op.name}_{number}")


@settings(max_examples=30)
@given(recordings())
def test_every_account_adds_up(recorded: Recorded) -> None:
    """By role, by holding and along the curve; what is resident has its own holdings."""
    account = PeakAccount(recorded)
    facts = account.explanation()

    in_use = account.ledger.in_use(account.ledger.chunk).tolist()
    start, _ = account.ledger.span(account.run)
    rounding = facts.by_role.get("allocator rounding", 0)
    assert facts.peak_bytes == sum(facts.by_role.values()) == in_use[account.position]
    assert facts.resident_bytes == (in_use[start - 1] if start else 0)
    assert sum(holding.bytes for holding in facts.holdings) == facts.peak_bytes - rounding
    assert sum(holding.tensors for holding in facts.holdings) == account.held.sum()
    assert [sum(sizes) for sizes in zip(*facts.over_step.bytes.values(), strict=True)] == [
        in_use[start + event] for event in facts.over_step.event if facts.over_step.bytes
    ]


@settings(max_examples=30)
@given(recordings())
def test_no_recorded_step_needs_more_than_the_peak(recorded: Recorded) -> None:
    """The peak is the most of the steps, and something is allocated there."""
    account = PeakAccount(recorded)

    ledger = account.ledger
    in_use = ledger.in_use(ledger.chunk)
    spans = [ledger.span(run) for run in ledger.runs()[-2:]]
    assert account.peak_bytes == max(in_use[start:end].max() for start, end in spans)
    assert account.position in ledger.began
    assert account.highest(account.place) == account.position


def test_the_peak_is_explained_by_what_is_held_there() -> None:
    """Weights from before the step, what backward needs, and the gradient that it makes."""
    account = PeakAccount(training(8))

    facts = account.explanation()
    assert account.place == BACKWARD.name
    assert facts.steps == 8
    assert facts.events == 1 + 2 * 4
    assert facts.part == "backward"
    assert facts.by_role == {"weights": WEIGHTS, KEPT_ROLE: 8 * KEPT, "temporaries": GRADIENT}
    assert facts.peak_bytes == WEIGHTS + 8 * KEPT + GRADIENT
    assert facts.step_bytes == 8 * KEPT + GRADIENT
    assert facts.resident_bytes == WEIGHTS


def test_holdings_name_what_is_held_with_the_largest_first() -> None:
    """The same at the peak and before the step."""
    facts = PeakAccount(training(32)).explanation()

    weights = Holding(
        role="weights",
        op="w/Assign",
        op_type=None,
        tensors=1,
        bytes=WEIGHTS,
        each_bytes=WEIGHTS,
        variable="w",
    )
    assert facts.resident == [weights]
    assert facts.holdings[1] == weights
    assert [(holding.op, holding.bytes) for holding in facts.holdings] == [
        (FORWARD.name, 32 * KEPT),
        ("w/Assign", WEIGHTS),
        (BACKWARD.name, GRADIENT),
    ]


def test_unrolled_copies_are_held_together() -> None:
    """Their bytes are summed up; one has the same bytes as the other, or none is named."""
    tape = started()
    for number in (1, 2, 3):
        tape.take(copy_of(FORWARD, number), KEPT)
        tape.take(copy_of(replace(FORWARD, name="rnn/concat"), number), number)
    tape.take(BACKWARD)
    facts = PeakAccount(tape.recorded()).explanation()

    kept = [holding for holding in facts.holdings if holding.role == KEPT_ROLE]
    assert [(kind.op, kind.tensors, kind.bytes, kind.each_bytes) for kind in kept] == [
        ("rnn/MatMul", 3, 3 * KEPT, KEPT),
        ("rnn/concat", 3, 1 + 2 + 3, None),
    ]


def test_summands_of_two_gradients_are_held_apart() -> None:
    """They name their variable, not what their op gives a value to."""
    tape = started()
    held = [
        tape.take(replace(copy_of(BACKWARD, number), gradient_of=of, variable="other"), GRADIENT)
        for number, of in enumerate("vwv")
    ]
    tape.free(*held)
    facts = PeakAccount(tape.recorded()).explanation()

    gradients = [holding for holding in facts.holdings if holding.role == "weight gradients"]
    assert [(kind.variable, kind.tensors) for kind in gradients] == [("v", 2), ("w", 1)]


@pytest.mark.parametrize(
    ("sizes", "step", "allocator"),
    [
        ((50, 40), "first", (2001, None)),
        ((40, 50), "steady", (2002, 1002)),
        ((50, 50), "steady", (2002, 1002)),
    ],
)
def test_the_step_that_needs_most_is_explained(
    sizes: tuple[int, int], step: str, allocator: tuple[int, int | None]
) -> None:
    """Of equal ones the steady one; with the allocator's own account of the same step."""
    tape = started()
    for tape.run, size in zip((FIRST, STEADY), sizes, strict=True):
        write_step(tape, size)
    facts = PeakAccount(tape.recorded()).explanation()

    assert facts.step == step
    assert facts.peak_bytes == WEIGHTS + 50 + GRADIENT
    assert (facts.allocator_peak_bytes, facts.allocator_resident_bytes) == allocator
    assert facts.unexplained_bytes == allocator[0] - (WEIGHTS + 50 + GRADIENT)


def test_an_allocator_without_an_account_leaves_nothing_unexplained() -> None:
    """Its peak is unknown, not zero."""
    recorded = replace(training(8), peaks=[None, None], residents=[None, None])
    facts = PeakAccount(recorded).explanation()

    assert facts.allocator_peak_bytes is None
    assert facts.unexplained_bytes is None


def test_giving_the_variables_their_values_is_no_step() -> None:
    """Whatever that needs, a training step is explained."""
    tape = Tape(run=INITIALIZER)
    tape.free(tape.take(Op(name="w/random_uniform"), 100 * WEIGHTS))
    for tape.run in (FIRST, STEADY):
        write_step(tape)

    assert PeakAccount(tape.recorded()).peak_bytes == KEPT + GRADIENT


@pytest.mark.parametrize(
    ("op", "part"), [(FORWARD, "forward"), (BACKWARD, "backward"), (UPDATE, "update")]
)
def test_the_part_is_that_of_the_peak(op: Op, part: str) -> None:
    """An update may come at any time; otherwise it is told by when backward begins."""
    tape = started()
    for present in (FORWARD, BACKWARD, UPDATE):
        address = tape.take(present, 100 if present is op else 1)
        tape.free(address)
    facts = PeakAccount(tape.recorded()).explanation()

    assert facts.part == part


def test_the_first_event_may_be_that_of_the_step() -> None:
    """Then nothing is resident."""
    tape = Tape(run=FIRST)
    write_step(tape)
    facts = PeakAccount(tape.recorded()).explanation()

    assert facts.resident_bytes == 0
    assert facts.resident == []
    assert facts.peak_bytes == facts.step_bytes == KEPT + GRADIENT


def test_one_recorded_run_is_enough() -> None:
    """It counts as the last one."""
    tape = Tape(run=STEADY)
    write_step(tape)
    facts = PeakAccount(tape.recorded()).explanation()

    assert facts.step == "steady"
    assert facts.allocator_peak_bytes == 2002


@pytest.mark.parametrize("outside", [0, 1])
def test_a_step_that_allocates_nothing_has_no_account(outside: int) -> None:
    """Whatever was allocated outside of any run; the message says so."""
    tape = Tape()
    for _ in range(outside):
        tape.take(FORWARD)

    with pytest.raises(StepwallError, match="no allocation of a training step was recorded"):
        PeakAccount(tape.recorded())


def test_the_curve_follows_every_event_of_a_short_step() -> None:
    """A role that never holds a byte is left out; rounding has a line of its own."""
    tape = started()
    forward = tape.take(FORWARD, 60, chunk=64)
    backward = tape.take(BACKWARD, 30, chunk=32)
    tape.free(forward)
    tape.take(UPDATE, 8)
    tape.free(backward)
    curve = PeakAccount(tape.recorded()).explanation().over_step

    assert curve.event == [0, 1, 2, 3, 4]
    assert curve.bytes == {
        "weights": [WEIGHTS] * 5,
        KEPT_ROLE: [60, 60, 0, 0, 0],
        GRADIENT_ROLE: [0, 30, 30, 30, 0],
        "temporaries": [0, 0, 0, 8, 8],
        "allocator rounding": [4, 4 + 2, 2, 2, 0],
    }
    assert (curve.backward, curve.peak) == (1, 1)


@settings(max_examples=20)
@given(st.integers(1, 2000))
def test_the_curve_of_a_long_step_has_few_points_and_its_peak(count: int) -> None:
    """And its first and last event."""
    tape = Tape(run=STEADY)
    addresses = [tape.take(FORWARD) for _ in range(count)]
    tape.free(*addresses)
    curve = PeakAccount(tape.recorded()).explanation().over_step

    assert curve.event == sorted(set(curve.event))
    assert len(curve.event) <= 401
    assert {0, curve.peak, 2 * count - 1} <= set(curve.event)
    assert curve.peak == count - 1
    assert curve.bytes["temporaries"][curve.event.index(curve.peak)] == count


@settings(max_examples=30)
@given(recordings())
def test_the_largest_holders_are_known_at_every_moment_of_the_curve(recorded: Recorded) -> None:
    """The same as are held at that event, and no larger one is left out."""
    account = PeakAccount(recorded)
    over = account.explanation().over_step
    start, _ = account.ledger.span(account.run)

    assert over.holders is not None
    for event, row in zip(over.event, over.holders.largest, strict=True):
        held = account.holdings(start + event)
        named = {(one.op, one.role) for one in held}
        assert row[1::2] == [one.bytes for one in held if one.bytes][: len(row[1::2])]
        assert len(row[1::2]) == min(5, sum(one.bytes > 0 for one in held))
        assert {(over.holders.ops[n], over.holders.roles[n]) for n in row[::2]} <= named


def test_highest_looks_only_where_the_op_allocates_in_the_step() -> None:
    """By its folded name; an op that the step never runs is nowhere."""
    tape = started()
    tape.take(FORWARD, 10)
    tape.free(tape.take(BACKWARD, 100))
    expected = tape.take(copy_of(FORWARD, 1), 10)
    account = PeakAccount(tape.recorded())

    assert account.place == BACKWARD.name
    assert account.highest(FORWARD.name) == expected
    assert account.highest("w/Assign") is None


def test_the_roles_elsewhere_in_the_step_can_be_asked_for() -> None:
    """The largest first."""
    account = PeakAccount(training(32))
    start, end = account.ledger.span(account.run)

    assert list(account.by_role(start).items()) == [(KEPT_ROLE, 32 * KEPT), ("weights", WEIGHTS)]
    assert account.by_role(end - 1) == {"weights": WEIGHTS}


def test_the_graph_is_counted_by_scope_and_type() -> None:
    """Numbered copies of a scope are one; the most frequent come first."""
    recorded = Tape(run=STEADY, ops=[FORWARD])
    recorded.take(FORWARD)
    facts = PeakAccount(
        recorded.recorded(
            forward=[("x", "Placeholder"), ("rnn/cell/MatMul", "MatMul")],
            backward=[("rnn/cell_1/MatMul", "MatMul"), ("rnn/cell_2/Tanh", "TanhGrad")],
            library=["Tanh", "MatMul", "Tanh"],
        )
    ).explanation()

    assert list(facts.graph.by_scope.items()) == [("rnn/cell", 3), ("", 1)]
    assert facts.graph == GraphParts(
        by_scope={"rnn/cell": 3, "": 1},
        forward={"Placeholder": 1, "MatMul": 1},
        backward={"MatMul": 1, "TanhGrad": 1},
        library={"Tanh": 2, "MatMul": 1},
    )


def test_the_theory_is_that_of_the_recorded_step() -> None:
    """Where the framework knows none, there is none."""
    theory = Theory(cells=["basic"], least_bytes=5, all_bytes=18)

    assert PeakAccount(replace(training(8), theory=theory)).explanation().theory == theory
    assert PeakAccount(training(8)).explanation().theory is None


@pytest.mark.parametrize("own", [False, True])
def test_gradients_of_the_scenarios_own_are_named(*, own: bool) -> None:
    """They may hold what backpropagation would not."""
    recorded = replace(training(8), custom_gradients=own)

    assert PeakAccount(recorded).explanation().custom_gradients is own


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MatMul", "MatMul"),
        ("MatMul_7", "MatMul"),
        ("MatMul_7_1", "MatMul"),
        ("rnn/cell_12/MatMul_7", "rnn/cell/MatMul"),
        ("gradients/rnn/MatMul_7_grad/MatMul_1", "gradients/rnn/MatMul_grad/MatMul"),
        ("gradients_1/Add_10_grad/Sum", "gradients/Add_grad/Sum"),
        ("x_3_on_device", "x_on_device"),
        ("rnn/concat/_5__cf__7", "rnn/concat"),
        ("while/body/_1/x", "while/body/_1/x"),
        ("while/body/_1/x_2", "while/body/_1/x"),
        ("layer2/conv2d", "layer2/conv2d"),
        ("lstm_cell_of_4_gates", "lstm_cell_of_4_gates"),
        ("", ""),
    ],
)
def test_folding_takes_the_numbers_of_copies_off(name: str, expected: str) -> None:
    """At the end of a name's parts; a part that is all number, and other numbers, stay."""
    assert folded(name) == expected


_parts = st.lists(
    st.sampled_from(["a", "/", "_1", "_23", "_grad", "_on_device", "__cf__4", "_", "5"]), max_size=9
)


@given(_parts.map("".join))
def test_a_folded_name_is_folded(name: str) -> None:
    """Folding it again changes nothing."""
    assert folded(folded(name)) == folded(name)
