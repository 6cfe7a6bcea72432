"""What holds most of a training step's peak, in words, and what would remove it."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.facts import Explanation, Holding, Role
from profiler.lengths import STEPS, counted
from reports.texts.numbers import bytes_text, count_text, list_text, name_text, share_text

__all__ = ["biggest_text", "formula", "story"]

# A role that holds this much of the peak is worth a sentence of its own.
_NOTABLE = 0.25
_MOST_TERMS = 2
# More partial gradients than a loop's running sum and the summand that comes to it.
_MANY = 3
_NAME = 40
_MOST_SENTENCES = 3
_MOST_REMEDIES = 3
# Of the peak: less is no gain.
_GAIN = 0.01
_WHY = {
    Role.SCRATCH: (
        " The operation's own kernel asks for it while it runs, in addition to its outputs."
    )
}


def story(explained: Explanation) -> tuple[str, ...]:
    """Return the biggest term, what lowered the peak, advice measured elsewhere, the next one."""
    terms = _terms(explained)
    if not terms:
        return ()
    role, holdings = terms[0]
    sentences = [_sentence(explained, role, holdings)]
    sentences += _tried(explained)
    sentences += [one.text for one in explained.advice if one.role == role.value][:1]
    sentences += [
        _sentence(explained, role, holdings)
        for role, holdings in terms[1:]
        if explained.by_role[role.value] >= _NOTABLE * explained.peak_bytes
    ]
    return tuple(sentences[: _MOST_SENTENCES + bool(explained.remedies)])


def biggest_text(explained: Explanation) -> str | None:
    """Return ``71 % of it forward tensors kept for backward``: the biggest term in short."""
    terms = _terms(explained)
    if not terms:
        return None
    role, _ = terms[0]
    return f"{100 * explained.by_role[role.value] / explained.peak_bytes:.0f} % of it {role.value}"


def formula(holding: Holding, steps: int, axis: str = STEPS) -> str:
    """Return ``200 steps x 98,304 B`` where a shorter length proves it, else what is there."""
    all_steps = counted(f"{steps:,}", axis)
    times = "\N{MULTIPLICATION SIGN}"
    tensors, each, rate = holding.tensors, holding.each_bytes, holding.per_step_bytes
    follows = steps > 1 and rate is not None and rate * steps == holding.bytes
    if follows and holding.bytes % steps == 0:
        added = holding.per_step_tensors
        if tensors == 1:
            return f"one tensor of {all_steps} {times} {rate:,.0f} B"
        if added == 0 and each is not None and each % steps == 0:
            return f"{tensors:,} tensors of {all_steps} {times} {each // steps:,} B"
        several = added is not None and added > 1 and added * steps == tensors
        if several and each is not None and tensors % steps == 0:
            return f"{all_steps} {times} {tensors // steps:,} {times} {each:,} B"
        return f"{all_steps} {times} {rate:,.0f} B"
    if each is None:
        return f"{tensors:,} tensors, {holding.bytes:,} B"
    return (
        f"one tensor of {each:,} B" if tensors == 1 else f"{tensors:,} tensors {times} {each:,} B"
    )


def _tried(explained: Explanation) -> list[str]:
    """Return what lowered the peak of this very step, the most first; or that nothing did."""
    known = [one for one in explained.remedies if one.share is not None]
    lower = [one for one in known if (one.share or 0) < -_GAIN and not one.is_contradicted]
    lower.sort(key=lambda one: one.share or 0)
    if lower:
        results = [
            f"{one.name}{f' ({one.changes})' if one.changes else ''} takes the peak to "
            f"{bytes_text(one.peak_bytes)} ({share_text(one.share)})"
            for one in lower[:_MOST_REMEDIES]
        ]
        return [f"Tried on this step: {list_text(results)}."]
    if not known:
        return []
    names = [f"{one.name} ({share_text(one.share)})" for one in known[:_MOST_REMEDIES]]
    rest = len(known) - len(names)
    tried = list_text([*names, f"{rest} more"] if rest else names)
    return [f"Tried on this step, and the peak is not lower, or not in every schedule: {tried}."]


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
    is_partial = role is Role.WEIGHT_GRADIENTS and largest.variable is not None
    if is_partial and largest.tensors >= _MANY:
        copies = f"{count_text(largest.tensors)} partial gradients of {largest.variable}"
        product = formula(largest, explained.steps, explained.axis)
        # More with every step wait for one sum; as many at any length are a loop's, in flight.
        waits = (largest.per_step_tensors or 0) > 0
        if 2 * largest.bytes > size:
            verb = "wait to be summed" if waits else "are held at once"
            return f"{share}: {copies} {verb}, {product}."
        part = f"the largest part, {100 * largest.bytes / size:.0f} %"
        what = " that wait to be summed" if waits else ""
        return f"{share}: {role.value}, {part}, {copies}{what}, {product}."
    # The largest in any case: of very many terms none may hold a tenth.
    shown = [one for one in holdings[:_MOST_TERMS] if one is largest or one.bytes >= size / 10]
    over = explained.steps, explained.axis
    terms = [f"{name_text(one.op, _NAME)} ({formula(one, *over)})" for one in shown]
    told = sum(one.bytes for one in shown) / size if size else 0
    lesser = f"the largest part{'s' if shown[1:] else ''}, {100 * told:.0f} %, "
    which = "most of it " if told > 1 / 2 else lesser
    return f"{share}: {role.value}, {which}{list_text(terms)}.{_WHY.get(role, '')}"
