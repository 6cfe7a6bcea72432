"""Advice is given only where the explanation shows what it acts upon."""

from __future__ import annotations

import pytest
from report_samples import EXPLANATION, KIB

from profiler.facts import Explanation, GraphGrowth, GraphParts, Holding, Role, replace
from profiler.frameworks.tensorflow import advice

STEPS = EXPLANATION.steps
UNROLLED = GraphGrowth(between=[150, 200], forward={"MatMul": 1}, backward={"MatMul": 2})


def held(role: Role, op_type: str, *, rate: float | None = 1, op: str = "rnn/x") -> Holding:
    """Return a tensor of 1 KiB per step, of a variable; ``rate``: tensors that a step adds."""
    return Holding(
        role=role.value,
        op=op,
        op_type=op_type,
        tensors=STEPS,
        bytes=STEPS * KIB,
        each_bytes=KIB,
        variable="rnn/kernel",
        per_step_bytes=KIB,
        per_step_tensors=rate,
    )


def explained(holding: Holding, growth: GraphGrowth | None = UNROLLED) -> Explanation:
    """Return the explanation of a peak that holds just that."""
    return replace(
        EXPLANATION,
        holdings=[holding],
        by_role={holding.role: holding.bytes},
        peak_bytes=holding.bytes,
        graph_growth=growth,
    )


def roles(found: Explanation) -> list[str]:
    """Return what there is advice for."""
    return [one.role for one in advice.of(found)]


PARTIALS = held(Role.WEIGHT_GRADIENTS, "MatMul")
KEPT = held(Role.FORWARD, "MatMul")


@pytest.mark.parametrize("holding", [PARTIALS, KEPT])
def test_an_unrolled_graph_is_told_what_helped_elsewhere(holding: Holding) -> None:
    """Its nodes come with the steps, and the tensors with them; the text says where from."""
    (found,) = advice.of(explained(holding))

    assert found.role == holding.role
    assert found.text.startswith("Measured elsewhere (")
    assert found.measured == "tests/integration/test_remedies.py"


@pytest.mark.parametrize("holding", [PARTIALS, KEPT])
@pytest.mark.parametrize(
    "growth",
    [
        GraphGrowth(between=[150, 200], forward={}, backward={}),  # a loop, or attention
        GraphGrowth(between=[150, 200], forward={"Const": 1}, backward={}),  # of other ops
        None,  # no shorter length
    ],
)
def test_a_loop_is_not_told_to_become_a_loop(holding: Holding, growth: GraphGrowth | None) -> None:
    """Nor is a graph without any cell told to run cells again."""
    assert roles(explained(holding, growth)) == []


@pytest.mark.parametrize("holding", [PARTIALS, KEPT])
@pytest.mark.parametrize("rate", [0, None])
def test_a_fixed_number_of_tensors_is_no_tensor_per_step(
    holding: Holding, rate: float | None
) -> None:
    """As many as there are steps, by chance."""
    assert roles(explained(replace(holding, per_step_tensors=rate))) == []


def test_without_a_known_cell_no_cell_is_run_again() -> None:
    """What an unrolled graph keeps may be of anything."""
    assert roles(replace(explained(KEPT), theory=None)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_gradients": True},
        {"graph": GraphParts(by_scope={}, forward={"Tanh": 9}, backward={"Tanh": 8})},
        {"graph": GraphParts(by_scope={}, forward={}, backward={}, library={"Sigmoid": 1})},
    ],
)
def test_what_runs_forward_again_already_is_not_told_to(changes: dict[str, object]) -> None:
    """Plain gradients have no activation of their own."""
    assert roles(replace(explained(KEPT), **changes)) == []


def test_a_role_that_holds_little_gets_no_advice() -> None:
    """A fifth of the peak is not worth a change."""
    assert roles(replace(explained(PARTIALS), peak_bytes=5 * PARTIALS.bytes)) == []


@pytest.mark.parametrize(
    ("op", "applies"),
    [("gradients/loss/Mean_grad/truediv", True), ("positions/table", False)],
)
def test_a_constant_is_the_losss_only_by_its_gradient(op: str, applies: bool) -> None:  # noqa: FBT001
    """Other constants are the scenario's own."""
    found = explained(held(Role.CONSTANTS, "Const", op=op))

    assert bool(roles(found)) is applies


def test_a_small_gradient_of_the_loss_among_other_constants_is_not_the_one_to_remove() -> None:
    """What it acts upon must itself hold much of the peak."""
    own = held(Role.CONSTANTS, "Const", op="gradients/loss/Mean_grad/truediv")
    found = explained(own)
    among = replace(found, by_role={own.role: 5 * own.bytes}, peak_bytes=5 * own.bytes)

    assert roles(found) == [own.role]
    assert roles(among) == []


@pytest.mark.parametrize(
    ("holding", "count"),
    [
        (PARTIALS, 2),
        (replace(PARTIALS, tensors=2), 0),  # a sum and its summand
        (replace(PARTIALS, variable=None), 0),
        (replace(PARTIALS, per_step_tensors=0), 0),  # a loop's, in flight
        (KEPT, 0),
    ],
)
def test_other_aggregation_is_tried_only_where_partial_gradients_wait(
    holding: Holding, count: int
) -> None:
    """And never in place of a scenario's own gradients, or of its own update."""
    found = explained(holding)

    assert len(advice.variants(found)) == count
    assert advice.variants(replace(found, custom_gradients=True)) == []
    assert advice.variants(replace(found, trains_itself=True)) == []
