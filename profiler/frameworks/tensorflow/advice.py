"""What would remove much of what a TensorFlow step holds; each piece was measured.

``tests/integration/test_remedies.py`` measures it again, docs/tensorflow.md has the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.facts import Advice, Explanation, Holding, Role

_MEASURED = "tests/integration/test_remedies.py"
# More partial gradients than a loop's running sum and the summand that comes to it.
_MANY = 3


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """What to do about a role that holds much of a peak, where it applies."""

    role: Role
    applies: Callable[[Explanation, Sequence[Holding]], bool]
    remedy: str


def _unrolled(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether the role's largest term has at least a tensor per step."""
    return holdings[0].tensors >= max(_MANY, explained.steps)


def _loss_gradient(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    """Whether the role's largest term is a gradient of a mean of squares."""
    del explained
    return re.match(r"gradients/(.*/)?(Mean|Square)(_\d+)?_grad/", holdings[0].op) is not None


def _always(explained: Explanation, holdings: Sequence[Holding]) -> bool:
    del explained, holdings
    return True


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        role=Role.WEIGHT_GRADIENTS,
        applies=_unrolled,
        remedy=(
            "A loop (dynamic_rnn) adds them up as it goes and holds none; so does an unrolled "
            "graph in which each step's gradient waits for the sum so far: both peaked below 60 % "
            "where these gradients were most of it. A smaller batch, EXPERIMENTAL_TREE and "
            "EXPERIMENTAL_ACCUMULATE_N left them as they were."
        ),
    ),
    Remedy(
        role=Role.FORWARD,
        applies=_always,
        remedy=(
            "Half the batch halves it; running segments of 10 steps again in backward kept less "
            "than 30 % of it, and the peak fell below 65 %. swap_memory changed nothing."
        ),
    ),
    Remedy(
        role=Role.ACTIVATION_GRADIENTS,
        applies=_always,
        remedy=(
            "Half the batch halves it. time_major=True took one copy of the outputs from it and "
            "put another in its place: the peak stayed, unless the loss had a fed target."
        ),
    ),
    Remedy(
        role=Role.CONSTANTS,
        applies=_loss_gradient,
        remedy=(
            "TensorFlow computed this gradient of the loss in advance and keeps it: tf.nn.l2_loss "
            "in place of reduce_mean(square(...)) leaves nothing to compute in advance, and the "
            "peak fell by all of it. Constants of more than 10 MiB are not kept."
        ),
    ),
)


def of(explained: Explanation) -> list[Advice]:
    """Return a piece of advice for each role of which one is known, where it applies."""
    by_role: dict[str, list[Holding]] = {}
    for holding in explained.holdings:
        by_role.setdefault(holding.role, []).append(holding)
    return [
        Advice(role=rule.role.value, text=rule.remedy, measured=_MEASURED)
        for rule in REMEDIES
        if rule.role.value in by_role and rule.applies(explained, by_role[rule.role.value])
    ]
