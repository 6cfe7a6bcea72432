"""What one more time step adds to a training step's peak and graph, from several lengths."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

from profiler.explain.account import PeakAccount, Recorded
from profiler.facts.codec import replace
from profiler.facts.explanation import Explanation, GraphGrowth, Holding, PeakGrowth

# Of the steps: close enough for peaks in the same place, far enough to tell a line from a curve.
_SHORTER = (0.75, 0.5)
_LINEAR = 0.01


def explain(record: Callable[[int], Recorded], steps: int, *, alone: bool = False) -> Explanation:
    """Explain the peak of a training step over ``steps``.

    Args:
        record: runs a training step of some length and records it.
        steps: the length that is explained.
        alone: record no shorter lengths: what a time step adds stays unknown.
    """
    # The length that is explained comes first: in an allocator that nothing has used before.
    longest = PeakAccount(record(steps))
    facts = longest.explanation()
    if alone:
        return facts
    shorter = {max(1, round(steps * share)): None for share in _SHORTER}
    accounts = [longest, *(PeakAccount(record(length)) for length in shorter if length != steps)]
    accounts.sort(key=lambda account: account.recorded.steps)
    return replace(
        facts,
        holdings=with_rates(facts.holdings, accounts),
        growth=growth(accounts),
        graph_growth=graph_growth([account.recorded for account in accounts[-2:]]),
    )


def graph_growth(recorded: list[Recorded]) -> GraphGrowth | None:
    """Return what a step adds to the last graph, by its difference to the first; None if alone."""
    first, last = recorded[0], recorded[-1]
    gap = last.steps - first.steps
    if gap == 0:
        return None
    return GraphGrowth(
        between=[first.steps, last.steps],
        forward=_difference(first.forward, last.forward, gap),
        backward=_difference(first.backward, last.backward, gap),
    )


def _difference(
    first: list[tuple[str, str]], last: list[tuple[str, str]], gap: int
) -> dict[str, float]:
    before, after = (Counter(kind for _, kind in nodes) for nodes in (first, last))
    more = {kind: (after[kind] - before[kind]) / gap for kind in after | before}
    ordered = sorted(more.items(), key=lambda item: (-item[1], item[0]))
    return {kind: rate for kind, rate in ordered if rate}


def growth(accounts: list[PeakAccount]) -> PeakGrowth | None:
    """Return what a time step adds to the peak, from accounts of increasing steps.

    Shorter steps may peak elsewhere: all are looked at where the longest one peaks. None if
    there is nothing to compare it with.
    """
    sizes = [
        (account.recorded.steps, account.by_role(position))
        for account, position in _at_the_same_place(accounts)
    ]
    rates = [_rates(*pair) for pair in itertools.pairwise(sizes)]
    if not rates:
        return None
    before, last = (rates[-2] if len(rates) > 1 else {}), rates[-1]
    total = sum(last.values())
    return PeakGrowth(
        between=[steps for steps, _ in sizes[-2:]],
        bytes=total,
        by_role=dict(sorted(last.items(), key=lambda item: -abs(item[1]))),
        linear=[
            role
            for role, rate in last.items()
            if before and abs(rate - before.get(role, 0)) <= _LINEAR * abs(total)
        ],
    )


def _rates(short: tuple[int, dict[str, int]], long: tuple[int, dict[str, int]]) -> dict[str, float]:
    gap = long[0] - short[0]
    return {
        role: (long[1].get(role, 0) - short[1].get(role, 0)) / gap for role in long[1] | short[1]
    }


def with_rates(holdings: list[Holding], accounts: list[PeakAccount]) -> list[Holding]:
    """Return the holdings of the longest account with what a time step adds to each.

    None of them gets a rate if there is nothing to compare it with.
    """
    compared = _at_the_same_place(accounts)[-2:]
    if len(compared) < 2:  # noqa: PLR2004 (a difference takes two)
        return holdings
    (short, position), (long, _) = compared
    gap = long.recorded.steps - short.recorded.steps
    before = {_identity(holding): holding.bytes for holding in short.holdings(position)}
    return [
        replace(
            holding,
            per_step_bytes=(holding.bytes - before.get(_identity(holding), 0)) / gap,
        )
        for holding in holdings
    ]


def _identity(holding: Holding) -> tuple[str | None, ...]:
    return holding.role, holding.op, holding.op_type, holding.variable


def _at_the_same_place(accounts: list[PeakAccount]) -> list[tuple[PeakAccount, int]]:
    """Return the accounts that reach the place where the longest one peaks, and their positions."""
    longest = accounts[-1]
    positions = [account.highest(longest.place) for account in accounts[:-1]]
    pairs = zip(accounts, [*positions, longest.position], strict=True)
    return [(account, position) for account, position in pairs if position is not None]
