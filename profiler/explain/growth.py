"""What one more time step adds to a training step's peak and graph, from several lengths."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable

from profiler.errors import error_text
from profiler.explain.account import PeakAccount, Recorded
from profiler.facts.codec import replace
from profiler.facts.explanation import Explanation, GraphGrowth, Holding, PeakGrowth
from profiler.lengths import ANY, Lengths

# Of the steps: close enough for peaks in the same place, far enough to tell a line from a curve.
_SHORTER = (0.75, 0.5)
# Of the steps: so few that their numbers have fewer digits, which names in a graph hold.
_SHORTEST = 1 / 16
_LINEAR = 0.01
_NUMBER = re.compile(r"_?\d+")


def explain(
    record: Callable[[int], Recorded], steps: int, *, alone: bool = False, lengths: Lengths = ANY
) -> Explanation:
    """Explain the peak of a training step over ``steps``.

    Args:
        record: runs a training step of some length and records it.
        steps: the length that is explained.
        alone: record no shorter lengths: what a time step adds stays unknown.
        lengths: those that may be recorded.
    """
    # The length that is explained comes first: in an allocator that nothing has used before.
    longest = PeakAccount(record(steps))
    facts = longest.explanation()
    if alone:
        return facts
    accounts, missing = [longest], {}
    for length in dict.fromkeys(lengths.nearest(round(steps * share)) for share in _SHORTER):
        if length >= steps:
            continue
        try:
            accounts.append(PeakAccount(record(length)))
        except Exception as error:  # noqa: BLE001 (the length that was asked for is explained)
            at = lengths.text(f"{length:,}")
            missing["growth"] = f"recording {at} failed: {error_text(error)}"
    accounts.sort(key=lambda account: account.recorded.steps)
    return replace(
        facts,
        missing=missing,
        holdings=with_rates(facts.holdings, accounts),
        growth=growth(accounts),
        graph_growth=graph_growth([account.recorded for account in accounts[-2:]]),
        graph_bytes=_graph_bytes(record, [account.recorded for account in accounts], lengths),
    )


def _graph_bytes(
    record: Callable[[int], Recorded], recorded: list[Recorded], lengths: Lengths
) -> dict[str, int]:
    """Return the sizes of the serialized graphs; of one that grows, of a much shorter one, too."""
    found = {one.steps: one.graph_bytes for one in recorded if one.graph_bytes is not None}
    shortest = lengths.nearest(recorded[-1].steps * _SHORTEST)
    if _grows(graph_growth(recorded[-2:])) and shortest not in found:
        with contextlib.suppress(Exception):  # the lengths that were recorded stand
            size = record(shortest).graph_bytes
            found |= {} if size is None else {shortest: size}
    return {str(steps): size for steps, size in sorted(found.items())}


def _grows(grown: GraphGrowth | None) -> bool:
    return grown is not None and bool(grown.forward or grown.backward or grown.library)


def graph_growth(recorded: list[Recorded]) -> GraphGrowth | None:
    """Return what a step adds to the last graph, by its difference to the first; None if alone."""
    first, last = recorded[0], recorded[-1]
    gap = last.steps - first.steps
    if gap == 0:
        return None
    return GraphGrowth(
        between=[first.steps, last.steps],
        forward=_difference(_kinds(first.forward), _kinds(last.forward), gap),
        backward=_difference(_kinds(first.backward), _kinds(last.backward), gap),
        library=_difference(first.library, last.library, gap),
    )


def _kinds(nodes: list[tuple[str, str]]) -> list[str]:
    return [kind for _, kind in nodes]


def _difference(first: list[str], last: list[str], gap: int) -> dict[str, float]:
    before, after = Counter(first), Counter(last)
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

    None of them gets a rate if there is nothing to compare it with; nor does one without a
    partner at the shorter length.
    """
    compared = _at_the_same_place(accounts)[-2:]
    if len(compared) < 2:  # noqa: PLR2004 (a difference takes two)
        return holdings
    (short, position), (long, _) = compared
    gap = long.recorded.steps - short.recorded.steps
    partners = _partners(holdings, short.holdings(position))
    return [
        holding
        if partner is None
        else replace(
            holding,
            per_step_bytes=(holding.bytes - partner.bytes) / gap,
            per_step_tensors=(holding.tensors - partner.tensors) / gap,
        )
        for holding, partner in zip(holdings, partners, strict=True)
    ]


def _partners(holdings: list[Holding], others: list[Holding]) -> list[Holding | None]:
    """Return for each holding the one of the other length that is the same thing.

    A framework may number what it builds, on and on over several builds: names are compared
    without their numbers. Where several are then alike, and equally many at both lengths, they
    are paired in the order of their numbers, which is that of their creation; else by full name.
    """
    mine, theirs = _alike(holdings), _alike(others)
    found: dict[tuple[str | None, ...], Holding | None] = {}
    for kind, members in mine.items():
        partners = theirs.get(kind, [])
        if len(partners) == len(members):
            found |= dict(zip(map(_identity, members), partners, strict=True))
        else:
            exact = {_identity(partner): partner for partner in partners}
            found |= {_identity(one): exact.get(_identity(one)) for one in members}
    return [found[_identity(holding)] for holding in holdings]


def _alike(holdings: list[Holding]) -> dict[tuple[str | None, ...], list[Holding]]:
    """Return the holdings that differ in the numbers of their names only, by these numbers."""
    groups: dict[tuple[str | None, ...], list[Holding]] = {}
    for holding in sorted(holdings, key=_numbers):
        role, op, op_type, variable = _identity(holding)
        kind = role, _unnumbered(op), op_type, _unnumbered(variable)
        groups.setdefault(kind, []).append(holding)
    return groups


def _identity(holding: Holding) -> tuple[str | None, ...]:
    return holding.role, holding.op, holding.op_type, holding.variable


def _unnumbered(name: str | None) -> str | None:
    return name and _NUMBER.sub("", name)


def _numbers(holding: Holding) -> list[list[int]]:
    """Return the numbers in each part of a holding's names; a part without one comes first."""
    parts = f"{holding.variable or ''}/{holding.op}".split("/")
    return [[int(number) for number in re.findall(r"\d+", part)] for part in parts]


def _at_the_same_place(accounts: list[PeakAccount]) -> list[tuple[PeakAccount, int]]:
    """Return the accounts that reach the place where the longest one peaks, and their positions."""
    longest = accounts[-1]
    positions = [account.highest(longest.place) for account in accounts[:-1]]
    pairs = zip(accounts, [*positions, longest.position], strict=True)
    return [(account, position) for account, position in pairs if position is not None]
