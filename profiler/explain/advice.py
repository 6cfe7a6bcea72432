"""Advice: what removed much of what a step holds, measured elsewhere, where it applies.

Each framework lists its own remedies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from profiler.facts import Advice, Explanation, Holding, Role

__all__ = ["MOST", "MUCH", "Remedy", "advice"]

# Less of the peak is not worth a change.
MUCH = 0.25
# Most of what a role holds.
MOST = 0.5


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """What to do about a role that holds much of a peak, where it applies."""

    role: Role
    applies: Callable[[Explanation, Sequence[Holding]], bool]
    remedy: str


def advice(remedies: Iterable[Remedy], explained: Explanation, *, measured: str) -> list[Advice]:
    """Return a piece of advice for each role that holds much, where a remedy is known to apply.

    Args:
        remedies: what is known.
        explained: the step.
        measured: the file that measures the remedies again.
    """
    by_role: dict[str, list[Holding]] = {}
    for holding in explained.holdings:
        by_role.setdefault(holding.role, []).append(holding)
    return [
        Advice(role=rule.role.value, text=rule.remedy, measured=measured)
        for rule in remedies
        if explained.by_role.get(rule.role.value, 0) >= MUCH * explained.peak_bytes
        and rule.role.value in by_role
        and rule.applies(explained, by_role[rule.role.value])
    ]
