"""What removed much of what a PyTorch step holds, measured elsewhere.

A piece of advice is given only where the explanation shows what it acts upon.
``tests/integration/torch/test_remedies_torch.py`` measures it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiler.explain.advice import MOST, MUCH, Remedy, advice
from profiler.facts import Advice, Explanation, Holding, Role

_MEASURED = "tests/integration/torch/test_remedies_torch.py"
# Of the peak, what the scores of all pairs hold by the softmax alone.
_SCORES = 0.1
# Plain backward has operations of its own for these: it runs forward again.
_ACTIVATIONS = {"tanh", "sigmoid", "relu", "gelu", "silu", "addmm", "_softmax", "lstm_cell"}
_SOFTMAX = "_softmax"
# What backward runs of a loss that takes powers of its inputs, or their mean.
_OF_THE_LOSS = re.compile(r"(Mean|Pow)Backward\d+/")


def _kept_step_by_step(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether each time step adds tensors of its own to most of the role, none computed again."""
    per_step = [one.bytes for one in holdings if (one.per_step_tensors or 0) > 0]
    role = explained.by_role[holdings[0].role]
    return sum(per_step) > MOST * role and not _ACTIVATIONS & explained.graph.backward.keys()


def _kept_scores(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether the softmax over all pairs of steps is kept, which grows with their square."""
    scores = sum(one.bytes for one in holdings if one.op_type == _SOFTMAX)
    return scores >= _SCORES * explained.peak_bytes


def _gradients_of_the_loss(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether much of the peak are gradients within a loss of several operations."""
    found = sum(one.bytes for one in holdings if _OF_THE_LOSS.match(one.op))
    return found >= MUCH * explained.peak_bytes


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        role=Role.FORWARD,
        applies=_kept_step_by_step,
        remedy=(
            "Measured elsewhere (torch_checkpointed against torch_loop, LSTM cells of 128 units, "
            "64 and 128 steps): with segments of 8 steps run again in backward "
            "(torch.utils.checkpoint), less than 20 % of these tensors were kept, and the peak "
            "fell below 50 %."
        ),
    ),
    Remedy(
        role=Role.FORWARD,
        applies=_kept_scores,
        remedy=(
            "Measured elsewhere (torch_flash_attention against torch_attention, 128 and 256 "
            "steps): with nn.functional.scaled_dot_product_attention, which holds a block of the "
            "scores at a time, the peak fell below 65 %."
        ),
    ),
    Remedy(
        role=Role.ACTIVATION_GRADIENTS,
        applies=_gradients_of_the_loss,
        remedy=(
            "The loss takes several operations, and backward holds the gradient of each. Measured "
            "elsewhere (torch_loop, 64 and 128 steps): with nn.functional.mse_loss in place of "
            "square().mean() none of these were held, and the peak fell below 75 %."
        ),
    ),
)


def of(explained: Explanation) -> list[Advice]:
    """Return a piece of advice for each role that holds much, where one is known to apply."""
    return advice(REMEDIES, explained, measured=_MEASURED)
