"""What removed much of what a TensorFlow step holds, measured elsewhere; and what can be tried.

A piece of advice is given only where the explanation shows what it acts upon.
``tests/integration/test_remedies.py`` measures it again, docs/tensorflow.md has the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiler.explain.advice import MOST, MUCH, Remedy, advice
from profiler.facts import Advice, Explanation, Holding, Role

TREE = "aggregation_method=EXPERIMENTAL_TREE"
ACCUMULATE_N = "aggregation_method=EXPERIMENTAL_ACCUMULATE_N"
_MEASURED = "tests/integration/test_remedies.py"
# More partial gradients than a loop's running sum and the summand that comes to it.
_MANY = 3
# Ops that plain gradients never add, their own gradient ops do: backward runs forward again.
_ACTIVATIONS = {"Tanh": "TanhGrad", "Sigmoid": "SigmoidGrad", "Relu": "ReluGrad", "Elu": "EluGrad"}

_LOSS_GRADIENT = re.compile(r"gradients/(.*/)?(Mean|Square)(_\d+)?_grad/")


def _built_per_step(explained: Explanation, largest: Holding) -> bool:
    """Whether each time step brings tensors of the holding, by nodes of its own in the graph."""
    grown, tensors = explained.graph_growth, largest.per_step_tensors
    if grown is None or tensors is None or tensors <= 0:
        return False
    kind = largest.op_type or ""
    return sum(part.get(kind, 0) for part in (grown.forward, grown.backward, grown.library)) > 0


def _partials_of_an_unrolled_graph(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether most of the role are partial gradients that an unrolled graph makes step by step.

    A loop has no nodes per step, and needs not become one.
    """
    partials = [
        one.bytes
        for one in holdings
        if one.variable is not None and _built_per_step(explained, one)
    ]
    return sum(partials) > MOST * explained.by_role[holdings[0].role]


def _kept_by_unrolled_cells(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether most of the role comes step by step, from recurrent cells in an unrolled graph.

    Not where backward runs parts of forward again already.
    """
    has_cells = explained.theory is not None and bool(explained.theory.cells)
    per_step = [one.bytes for one in holdings if _built_per_step(explained, one)]
    role = explained.by_role[holdings[0].role]
    return has_cells and sum(per_step) > MOST * role and not _runs_again(explained)


def _runs_again(explained: Explanation) -> bool:
    graph = explained.graph
    again = any(graph.backward.get(kind) for kind in _ACTIVATIONS)
    in_functions = any(
        graph.library.get(kind, 0) > graph.library.get(gradient, 0)
        for kind, gradient in _ACTIVATIONS.items()
    )
    return explained.custom_gradients or again or in_functions


def _loss_gradient(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether gradients of a mean of squares hold much of the peak, not only their role."""
    found = [one.bytes for one in holdings if _LOSS_GRADIENT.match(one.op)]
    return sum(found) >= MUCH * explained.peak_bytes


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        role=Role.WEIGHT_GRADIENTS,
        applies=_partials_of_an_unrolled_graph,
        remedy=(
            "Measured elsewhere (static_rnn against dynamic_rnn, 256 units, 40 and 80 steps): a "
            "loop adds them up as it goes and held none; so did an unrolled graph in which each "
            "step's gradient waits for the sum so far. Both peaked below 60 %."
        ),
    ),
    Remedy(
        role=Role.FORWARD,
        applies=_kept_by_unrolled_cells,
        remedy=(
            "Measured elsewhere (a basic cell of 128 units, unrolled over 40 and 80 steps): with "
            "segments of 10 steps run again in backward, less than 30 % of these tensors were "
            "kept, and the peak fell below 65 %."
        ),
    ),
    Remedy(
        role=Role.CONSTANTS,
        applies=_loss_gradient,
        remedy=(
            "TensorFlow computed this gradient of the loss in advance and keeps it. Measured "
            "elsewhere (dynamic_rnn, 200 and 400 steps): with tf.nn.l2_loss in place of "
            "reduce_mean(square(...)) there was none, and the peak fell by all of it. Constants "
            "of more than 10 MiB are not kept."
        ),
    ),
)


def of(explained: Explanation) -> list[Advice]:
    """Return a piece of advice for each role that holds much, where one is known to apply."""
    return advice(REMEDIES, explained, measured=_MEASURED)


def variants(explained: Explanation) -> list[str]:
    """Return other ways to add up gradients, where many wait for one sum and hold much.

    In a loop they are added up as it goes, whatever the method. Gradients that the scenario made
    itself are added up as it says.
    """
    if explained.custom_gradients or explained.trains_itself:
        return []
    role = Role.WEIGHT_GRADIENTS.value
    partials = [
        one.bytes
        for one in explained.holdings
        if one.role == role
        and one.variable is not None
        and one.tensors >= _MANY
        and _built_per_step(explained, one)
    ]
    much = sum(partials) >= MUCH * explained.peak_bytes
    return [TREE, ACCUMULATE_N] if much else []
