"""Advice on a PyTorch step is given only where the explanation shows what it acts upon."""

from __future__ import annotations

from typing import Any

import pytest
from report_samples import EXPLANATION, KIB

from profiler.facts import Explanation, GraphParts, Holding, Role, replace
from profiler.frameworks.torch import advice

STEPS = EXPLANATION.steps


def held(role: Role, op: str, **facts: Any) -> Holding:
    """Return a tensor of 1 KiB for each step."""
    op_type = op.rpartition("/")[2]
    made = Holding(role=role.value, op=op, op_type=op_type, tensors=STEPS, bytes=STEPS * KIB)
    return replace(made, **facts)


def given(*holdings: Holding, backward: dict[str, int] | None = None) -> list[str]:
    """Return the roles that there is advice for, of a peak that holds just these."""
    by_role: dict[str, int] = {}
    for one in holdings:
        by_role[one.role] = by_role.get(one.role, 0) + one.bytes
    explained: Explanation = replace(
        EXPLANATION,
        holdings=list(holdings),
        by_role=by_role,
        peak_bytes=sum(by_role.values()),
        graph=GraphParts(forward={"addmm": 1}, backward=backward or {"mm": 2}, by_scope={}),
    )
    return [one.role for one in advice.of(explained)]


PER_STEP = held(Role.FORWARD, "addmm", per_step_tensors=1)
SCORES = held(Role.FORWARD, "_softmax")
OF_LOSS = held(Role.ACTIVATION_GRADIENTS, "MeanBackward0/div")
OTHER = held(Role.TEMPORARY, "mm", bytes=9 * STEPS * KIB)


@pytest.mark.parametrize("holding", [PER_STEP, SCORES, OF_LOSS])
def test_what_holds_much_is_told_what_helped_elsewhere(holding: Holding) -> None:
    """It says what it was measured with."""
    assert given(holding) == [holding.role]


@pytest.mark.parametrize("holding", [PER_STEP, SCORES, OF_LOSS])
def test_what_holds_little_is_not(holding: Holding) -> None:
    """A change would gain nothing."""
    assert given(holding, replace(OTHER, bytes=40 * STEPS * KIB)) == []


@pytest.mark.parametrize(
    ("holding", "backward"),
    [
        (PER_STEP, {"mm": 2, "tanh": 1}),  # it runs again already
        (replace(PER_STEP, per_step_tensors=0), None),
        (replace(PER_STEP, per_step_tensors=None), None),
        (held(Role.ACTIVATION_GRADIENTS, "TanhBackward0/tanh_backward"), None),
        (held(Role.TEMPORARY, "_softmax"), None),
    ],
)
def test_what_it_would_not_act_upon_is_not(
    holding: Holding, backward: dict[str, int] | None
) -> None:
    """Whatever it holds."""
    assert given(holding, backward=backward) == []
