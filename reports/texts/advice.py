"""What holds most of a training step's peak, in words, and what would remove it.

Each rule's remedy is one that was measured (``tests/integration/test_remedies.py`` measures it
again, docs/explain.md has the numbers); where none was found, that is what is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.facts.explanation import Explanation, Holding, Role
from reports.texts.numbers import bytes_text, count_text, list_text, name_text

__all__ = ["RULES", "Rule", "biggest_text", "formula", "story"]

# A role that holds this much of the peak is worth a sentence of its own.
_NOTABLE = 0.25
_MOST_TERMS = 2
# More partial gradients than a loop's running sum and the summand that comes to it.
_MANY = 3
_NAME = 40


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What to do about a role that holds most of a peak, where it applies."""

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


RULES: tuple[Rule, ...] = (
    Rule(
        role=Role.WEIGHT_GRADIENTS,
        applies=_unrolled,
        remedy=(
            "A loop (dynamic_rnn) adds them up as it goes and holds none; so does an unrolled "
            "graph in which each step's gradient waits for the sum so far: both peaked below 60 % "
            "where these gradients were most of it. A smaller batch, EXPERIMENTAL_TREE and "
            "EXPERIMENTAL_ACCUMULATE_N left them as they were."
        ),
    ),
    Rule(
        role=Role.FORWARD,
        applies=_always,
        remedy=(
            "Half the batch halves it; running segments of 10 steps again in backward kept less "
            "than 30 % of it, and the peak fell below 65 %. swap_memory changed nothing."
        ),
    ),
    Rule(
        role=Role.ACTIVATION_GRADIENTS,
        applies=_always,
        remedy=(
            "Half the batch halves it. time_major=True took one copy of the outputs from it and "
            "put another in its place: the peak stayed, unless the loss had a fed target."
        ),
    ),
    Rule(
        role=Role.CONSTANTS,
        applies=_loss_gradient,
        remedy=(
            "TensorFlow computed this gradient of the loss in advance and keeps it: tf.nn.l2_loss "
            "in place of reduce_mean(square(...)) leaves nothing to compute in advance, and the "
            "peak fell by all of it. Constants of more than 10 MiB are not kept."
        ),
    ),
)


def story(explained: Explanation) -> tuple[str, ...]:
    """Return one to three sentences: the biggest term, what would remove it, the next one."""
    terms = _terms(explained)
    if not terms:
        return ()
    role, holdings = terms[0]
    sentences = [_sentence(explained, role, holdings)]
    remedy = next(
        (rule.remedy for rule in RULES if rule.role is role and rule.applies(explained, holdings)),
        None,
    )
    if remedy:
        sentences.append(remedy)
    sentences += [
        _sentence(explained, role, holdings)
        for role, holdings in terms[1:]
        if explained.by_role[role.value] >= _NOTABLE * explained.peak_bytes
    ]
    return tuple(sentences[:3])


def biggest_text(explained: Explanation) -> str | None:
    """Return ``71 % of it forward tensors kept for backward``: the biggest term in short."""
    terms = _terms(explained)
    if not terms:
        return None
    role, _ = terms[0]
    return f"{100 * explained.by_role[role.value] / explained.peak_bytes:.0f} % of it {role.value}"


def formula(holding: Holding, steps: int) -> str:
    """Return ``200 steps x 98,304 B`` where a shorter length proves it, else what is there."""
    times = "\N{MULTIPLICATION SIGN}"
    tensors, each = holding.tensors, holding.each_bytes
    follows = steps > 1 and holding.per_step_bytes is not None
    if follows and holding.per_step_bytes * steps == holding.bytes:  # type: ignore[operator]
        rate = f"{steps:,} steps {times} {holding.per_step_bytes:,.0f} B"
        if tensors == 1:
            return f"one tensor of {rate}"
        if each is None or tensors == steps or tensors % steps:
            return rate
        return f"{steps:,} steps {times} {tensors // steps} {times} {each:,} B"
    if each is None:
        return f"{tensors:,} tensors, {holding.bytes:,} B"
    return (
        f"one tensor of {each:,} B" if tensors == 1 else f"{tensors:,} tensors {times} {each:,} B"
    )


def _terms(explained: Explanation) -> list[tuple[Role, list[Holding]]]:
    """Return the roles with what they hold, the largest first; what is rounding is no term."""
    by_role: dict[str, list[Holding]] = {}
    for holding in explained.holdings:
        by_role.setdefault(holding.role, []).append(holding)
    ordered = sorted(by_role.items(), key=lambda item: -explained.by_role.get(item[0], 0))
    return [(Role(role), holdings) for role, holdings in ordered]


def _sentence(explained: Explanation, role: Role, holdings: Sequence[Holding]) -> str:
    size = explained.by_role[role.value]
    share = f"{100 * size / explained.peak_bytes:.0f} % of the peak ({bytes_text(size)})"
    largest = holdings[0]
    if role is Role.WEIGHT_GRADIENTS and largest.tensors >= _MANY:
        return (
            f"{share}: {count_text(largest.tensors)} partial gradients of {largest.variable} wait "
            f"to be summed, {formula(largest, explained.steps)}."
        )
    told = [one for one in holdings[:_MOST_TERMS] if one.bytes >= size / 10]
    terms = [f"{name_text(one.op, _NAME)} ({formula(one, explained.steps)})" for one in told]
    return f"{share}: {role.value}, most of it {list_text(terms)}."
