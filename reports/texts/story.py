"""What holds most of a training step's peak, in words, and what would remove it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.facts import Explanation, Holding, Role
from reports.texts.numbers import bytes_text, count_text, list_text, name_text

__all__ = ["biggest_text", "formula", "story"]

# A role that holds this much of the peak is worth a sentence of its own.
_NOTABLE = 0.25
_MOST_TERMS = 2
# More partial gradients than a loop's running sum and the summand that comes to it.
_MANY = 3
_NAME = 40


def story(explained: Explanation) -> tuple[str, ...]:
    """Return one to three sentences: the biggest term, what would remove it, the next one."""
    terms = _terms(explained)
    if not terms:
        return ()
    role, holdings = terms[0]
    sentences = [_sentence(explained, role, holdings)]
    sentences += [one.text for one in explained.advice if one.role == role.value][:1]
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
    """Return the roles with what they hold, the largest first; rounding is no term."""
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
    largest_terms = [one for one in holdings[:_MOST_TERMS] if one.bytes >= size / 10]
    terms = [
        f"{name_text(one.op, _NAME)} ({formula(one, explained.steps)})" for one in largest_terms
    ]
    return f"{share}: {role.value}, most of it {list_text(terms)}."
