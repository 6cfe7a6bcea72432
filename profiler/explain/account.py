"""From a recorded training step to the account of its peak."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from profiler.errors import StepwallError
from profiler.explain.ledger import Events, Ledger, Mask
from profiler.explain.roles import Op, Part, Roles, bytes_by_role, classify
from profiler.facts.explanation import (
    Explanation,
    GraphParts,
    HoldersOverStep,
    Holding,
    MemoryOverStep,
    Role,
    Theory,
)

STEADY, FIRST = "steady", "first"
_CURVE_POINTS = 240
# Who holds most at each of them.
_LARGEST = 5
# The numbers at the end of a name's part tell unrolled copies apart; a part that is all number
# belongs to the name.
_COPY = re.compile(r"(?<=[^/])(_\d+)+(?=/|_grad|_on_device|$)|/_\d+__cf__\d+$")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One training step over ``steps``, recorded from the session's begin.

    Attributes:
        ops: what the graph says of the ops; ``events.op`` are positions in it.
        peaks: the allocator's own peak in the last runs, the first step's and a steady one's.
        residents: the allocator's own bytes in use before each of them.
        forward, backward: name and type of each node that was built.
        library: type of each node in the graph's functions.
        theory: what the equations of the graph's cells say; None where they are not known.
        custom_gradients: the scenario brings gradients of its own.
        trains_itself: the scenario brings the whole update.
        graph_bytes: of the serialized graph; None where it cannot be serialized.
    """

    steps: int
    ops: list[Op]
    events: Events
    peaks: list[int | None]
    residents: list[int | None]
    forward: list[tuple[str, str]]
    backward: list[tuple[str, str]]
    library: list[str]
    theory: Theory | None
    custom_gradients: bool
    trains_itself: bool = False
    graph_bytes: int | None = None


class PeakAccount:
    """The account of the one of the recorded training steps that needs the most memory."""

    def __init__(self, recorded: Recorded) -> None:
        """Replay the allocations.

        Raises:
            StepwallError: if there is none that a training step made.
        """
        self.recorded = recorded
        self.ledger = Ledger(recorded.events)
        self._names = [folded(op.name) for op in recorded.ops]
        runs = self.ledger.runs()[-len(recorded.peaks) :]
        if not runs:
            raise StepwallError("no allocation of a training step was recorded")
        self._in_use = self.ledger.in_use(self.ledger.chunk)
        peaks = [self._peak(run) for run in runs]
        # Of equal ones the last: a steady step.
        at = max(range(len(runs)), key=lambda number: (self._in_use[peaks[number]], number))
        self.number = at - len(runs)
        self.run, self.position = runs[at], peaks[at]
        self.roles: Roles = classify(self.ledger, recorded.ops, self.run)

    @property
    def peak_bytes(self) -> int:
        """The most bytes that were handed out at once."""
        return int(self._in_use[self.position])

    @property
    def held(self) -> Mask:
        """Which allocations are held at the peak."""
        return self.ledger.held(self.position)

    @property
    def place(self) -> str:
        """The op, without its number, that allocates at the peak."""
        return self._names[self._op_at_peak()]

    def highest(self, place: str) -> int | None:
        """Return where most is in use of all positions at which ``place`` allocates."""
        start, end = self.ledger.span(self.run)
        there = np.array([name == place for name in self._names], np.bool_)
        began = self.ledger.began[there[self.ledger.op]]
        began = began[(began >= start) & (began < end)]
        return int(began[np.argmax(self._in_use[began])]) if len(began) else None

    def by_role(self, position: int | None = None) -> dict[str, int]:
        """Return the bytes of each role at the peak, or at ``position``, the largest first."""
        held = self.held if position is None else self.ledger.held(position)
        sizes = bytes_by_role(self.ledger, self.roles, held)
        ordered = sorted(sizes.items(), key=lambda item: -item[1])
        return {role.value: size for role, size in ordered}

    def explanation(self) -> Explanation:
        """Return the account as facts."""
        start, _ = self.ledger.span(self.run)
        recorded = self.recorded
        is_steady = self.number == -1
        return Explanation(
            steps=recorded.steps,
            step=STEADY if is_steady else FIRST,
            part=self._part(),
            events=self.ledger.count,
            peak_bytes=self.peak_bytes,
            resident_bytes=int(self._in_use[start - 1]) if start else 0,
            allocator_peak_bytes=recorded.peaks[self.number],
            # Before its first step the session makes constants, after the allocator was asked.
            allocator_resident_bytes=recorded.residents[self.number] if is_steady else None,
            by_role=self.by_role(),
            holdings=self.holdings(),
            resident=self.holdings(start - 1) if start else [],
            over_step=self._over_step(),
            graph=_graph_parts(recorded),
            custom_gradients=recorded.custom_gradients,
            trains_itself=recorded.trains_itself,
            theory=recorded.theory,
        )

    def _peak(self, run: int) -> int:
        start, end = self.ledger.span(run)
        return start + int(np.argmax(self._in_use[start:end]))

    def _op_at_peak(self) -> int:
        newest = int(np.searchsorted(self.ledger.began, self.position, side="right")) - 1
        return int(self.ledger.op[newest])

    def _part(self) -> str:
        if self.recorded.ops[self._op_at_peak()].part is Part.UPDATE:
            return "update"
        return "forward" if self.position < self.roles.backward else "backward"

    def holdings(self, position: int | None = None) -> list[Holding]:
        """Return what is held at the peak, or at ``position``, by role and op, largest first."""
        held = self.held if position is None else self.ledger.held(position)
        roles, kinds = list(Role), self._kinds
        at = np.flatnonzero(held)
        groups, group_of = np.unique(self._keys(at), return_inverse=True)
        sizes: NDArray[np.int64] = self.ledger.requested[at]
        holdings = []
        for group, key in enumerate(groups):
            mine = sizes[group_of == group]
            op, op_type, variable = kinds[key % len(kinds)]
            holdings.append(
                Holding(
                    role=roles[key // len(kinds)].value,
                    op=op,
                    op_type=op_type,
                    variable=variable,
                    tensors=len(mine),
                    bytes=int(mine.sum()),
                    each_bytes=int(mine[0]) if (mine == mine[0]).all() else None,
                )
            )
        return sorted(holdings, key=lambda holding: -holding.bytes)

    @cached_property
    def _kinds(self) -> list[tuple[str, str | None, str | None]]:
        return list(dict.fromkeys(map(self._kind, range(len(self._names)))))

    @cached_property
    def _kind_of(self) -> NDArray[np.int64]:
        number = {kind: position for position, kind in enumerate(self._kinds)}
        return np.array([number[self._kind(op)] for op in range(len(self._names))], np.int64)

    def _keys(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return one number for each of these allocations: of its role and its kind together."""
        codes: NDArray[np.int64] = self.roles.codes[at].astype(np.int64)
        return codes * len(self._kinds) + self._kind_of[self.ledger.op[at]]

    def _kind(self, op: int) -> tuple[str, str | None, str | None]:
        facts = self.recorded.ops[op]
        return self._names[op], facts.type, facts.gradient_of or facts.variable

    def _over_step(self) -> MemoryOverStep:
        start, end = self.ledger.span(self.run)
        chosen = np.unique(
            np.append(np.linspace(start, end - 1, _CURVE_POINTS).astype(np.int64), self.position)
        )
        asked = {
            role.value: self.ledger.in_use(self.ledger.requested, self.roles.mask(role))[chosen]
            for role in Role
        }
        asked[Role.ROUNDING.value] = self._in_use[chosen] - sum(asked.values())
        return MemoryOverStep(
            event=[int(at) for at in chosen - start],
            bytes={role: list(map(int, size)) for role, size in asked.items() if size.any()},
            backward=self.roles.backward - start,
            peak=self.position - start,
            holders=self._holders(chosen),
        )

    def _holders(self, moments: NDArray[np.int64]) -> HoldersOverStep:
        """Return who holds most after each of these events."""
        groups, group_of = np.unique(
            self._keys(np.arange(len(self.ledger.op))), return_inverse=True
        )
        # An allocation is held from the first moment that is not before it until its release.
        change = np.zeros((len(groups), len(moments) + 1), np.int64)
        begins = np.searchsorted(moments, self.ledger.began)
        ends = np.searchsorted(moments, self.ledger.ended)
        np.add.at(change, (group_of, begins), self.ledger.requested)
        np.subtract.at(change, (group_of, ends), self.ledger.requested)
        held = np.cumsum(change, axis=1)[:, :-1]
        largest = np.argsort(-held, axis=0, kind="stable")[:_LARGEST].T
        found = [
            [(int(group), int(held[group, moment])) for group in row if held[group, moment]]
            for moment, row in enumerate(largest)
        ]
        shown = {
            group: number
            for number, group in enumerate(sorted({g for row in found for g, _ in row}))
        }
        keys = [int(groups[group]) for group in shown]
        return HoldersOverStep(
            ops=[self._kinds[key % len(self._kinds)][0] for key in keys],
            roles=[list(Role)[key // len(self._kinds)].value for key in keys],
            largest=[[n for group, size in row for n in (shown[group], size)] for row in found],
        )


def folded(name: str) -> str:
    """Return an op's name without the numbers that distinguish its copies."""
    return _COPY.sub("", name)


def _graph_parts(recorded: Recorded) -> GraphParts:
    nodes = [*recorded.forward, *recorded.backward]
    scopes = Counter(folded(name.rpartition("/")[0]) for name, _ in nodes)
    return GraphParts(
        by_scope=dict(scopes.most_common()),
        forward=dict(Counter(kind for _, kind in recorded.forward).most_common()),
        backward=dict(Counter(kind for _, kind in recorded.backward).most_common()),
        library=dict(Counter(recorded.library).most_common()),
    )
