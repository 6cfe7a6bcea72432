"""What the blocks of a recorded step hold, by where known tensors lay and how values flowed."""

from __future__ import annotations

import pytest
from test_torch_events import Event, node, op, read, take

from profiler.explain.account import PeakAccount, Recorded
from profiler.explain.ledger import Events
from profiler.explain.roles import Op, Part
from profiler.frameworks.torch.tensors import Names, described

WEIGHT, STATE, INPUT, HIDDEN, PARTIAL, TOTAL, FLEETING = range(100, 800, 100)
NAMES = Names(
    weights={WEIGHT: "cell.weight"},
    state={STATE: "cell.weight/momentum"},
    gradients={f"gradients {number}": {TOTAL: "cell.weight"} for number in range(3)},
)


def step(number: int, *, state: tuple[Event, ...] = ()) -> Event:
    """Return a step in which two partial gradients of a weight are added up."""
    return op(
        f"stepwall::run {number}",
        op("stepwall::inputs", op("aten::clone", take(INPUT, 40))),
        op("aten::mm", take(FLEETING, 24), number=1),
        op("aten::tanh", take(HIDDEN, 80), take(FLEETING, -24), number=2),
        node("MmBackward0", op("aten::mm", take(TOTAL, 64))),
        op(
            "autograd::engine::evaluate_function: MmBackward0",
            op("MmBackward0", op("aten::mm", take(PARTIAL, 64))),
            op("aten::add_", given=(TOTAL, PARTIAL)),
            take(PARTIAL, -64),
        ),
        take(HIDDEN, -80),
        node("torch::autograd::AccumulateGrad", given=(TOTAL,)),
        op("Optimizer.step#SGD.step", op(f"stepwall::gradients {number}"), *state),
        take(TOTAL, -64),
        take(INPUT, -40),
    )


def found() -> tuple[list[Op], PeakAccount]:
    """Return the ops of a first and a steady step, and the account of their peak."""
    state = (op("aten::clone", take(STATE, 64)),)
    stream = read(op("aten::uniform_", take(WEIGHT, 64)), step(1, state=state), step(2))
    ops, events = described(stream, NAMES)
    return ops, PeakAccount(_recorded(ops, events))


def _recorded(ops: list[Op], events: Events) -> Recorded:
    return Recorded(
        steps=1,
        ops=ops,
        events=events,
        peaks=[None, None],
        residents=[None, None],
        forward=[],
        backward=[],
        library=[],
        theory=None,
        custom_gradients=False,
    )


def test_each_byte_of_the_peak_has_its_role() -> None:
    """Weight and state are resident; input, kept tensor and two partial gradients are the step's.

    The peak is that of the steady step, within the second node.
    """
    _, account = found()

    assert account.by_role() == {
        "weight gradients": 128,
        "forward tensors kept for backward": 80,
        "weights": 64,
        "optimizer state": 64,
        "fed inputs": 40,
    }


def test_a_summand_of_a_gradient_names_the_parameter() -> None:
    """By the sum that it goes into, not by its size."""
    ops, _ = found()

    assert {one.gradient_of for one in ops if one.type == "mm" and one.part == 2} == {"cell.weight"}


def test_what_forward_gives_back_itself_is_not_kept() -> None:
    """Only what outlives the begin of a node's evaluation is."""
    ops, _ = found()
    kept = {one.type: one.read_by_backward for one in ops if one.part == 1}

    assert kept == {"clone": True, "mm": False, "tanh": True}


def test_weights_and_state_are_called_by_their_names() -> None:
    """And not by the operation that made them."""
    ops, _ = found()

    assert {one.name: one.slots for one in ops if one.variable} == {
        "cell.weight": (),
        "cell.weight/momentum": ("cell.weight/momentum",),
    }


def test_what_is_computed_of_a_gradient_is_one() -> None:
    """Scaled by hand, in a block of its own, before the update."""
    stream = read(
        op(
            "stepwall::run 1",
            node("torch::autograd::AccumulateGrad", op("aten::clone", take(TOTAL, 64))),
            op("stepwall::gradients 0"),
            op("aten::mul", take(PARTIAL, 64), given=(TOTAL,)),
            op("aten::mul", take(FLEETING, 32), given=(TOTAL,)),
        )
    )

    ops, _ = described(stream, NAMES)

    assert [(one.type, one.gradient_of) for one in ops] == [
        ("clone", "cell.weight"),
        ("mul", "cell.weight"),
        ("mul", None),
    ]


def test_a_gradient_that_an_earlier_step_left_is_one() -> None:
    """Until the next step takes its place: it is no constant."""
    stream = read(
        op("aten::uniform_", take(WEIGHT, 64)),
        op(
            "stepwall::run 1",
            node("torch::autograd::AccumulateGrad", op("aten::clone", take(TOTAL, 64))),
            op("stepwall::gradients 1"),
        ),
        op("stepwall::run 2", op("aten::mm", take(HIDDEN, 80), number=1)),
    )
    ops, events = described(stream, NAMES)

    assert PeakAccount(_recorded(ops, events)).by_role() == {
        "temporaries": 80,
        "weights": 64,
        "weight gradients": 64,
    }


@pytest.mark.parametrize("onward", ["mm", "mul"])
def test_a_gradient_that_others_are_computed_of_is_of_an_activation(onward: str) -> None:
    """A learned first state of a residual network sums it up, but it is not of that state alone."""
    stream = read(
        op(
            "stepwall::run 1",
            op("aten::tanh", take(HIDDEN, 80), number=1),
            node("MulBackward0", op("aten::mul", take(INPUT, 64))),
            node(
                "OnwardBackward0",
                op(f"aten::{onward}", take(PARTIAL, 64), given=(INPUT,)),
                op("aten::add", take(TOTAL, 64), given=(INPUT, PARTIAL)),
            ),
            node("torch::autograd::AccumulateGrad", given=(TOTAL,)),
            op("stepwall::gradients 0"),
        )
    )

    ops, _ = described(stream, NAMES)

    assert [(one.type, one.gradient_of) for one in ops if one.part is Part.BACKWARD] == [
        ("mul", None),
        (onward, "cell.weight"),
        ("add", "cell.weight"),
    ]


def test_a_gradient_of_no_parameter_is_of_an_activation() -> None:
    """A fed input that requires one gets it in the same way."""
    stream = read(
        op(
            "stepwall::run 1",
            node("MulBackward0", op("aten::mul", take(PARTIAL, 64))),
            node("torch::autograd::AccumulateGrad", given=(PARTIAL,)),
        )
    )

    ops, _ = described(stream, NAMES)

    assert [one.gradient_of for one in ops] == [None]
