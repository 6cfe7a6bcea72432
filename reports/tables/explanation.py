"""The tables of an explanation: what is held, by what, and the graph and the phases next to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from profiler.facts import (
    Explanation,
    FrameworkFacts,
    GraphStage,
    Holding,
    Phase,
    PhaseRole,
    Remedy,
    Role,
)
from profiler.lengths import one_of
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import (
    DASH,
    bytes_text,
    count_text,
    name_text,
    rate_text,
    seconds_text,
    share_text,
)

__all__ = [
    "graph_grid",
    "held_grid",
    "host_grid",
    "node_scope_grid",
    "remedy_grid",
    "resident_grid",
    "role_grid",
    "scope_grid",
]

_LEAST = (
    *("type", "each", "what takes it", "in functions", "note", "in parallel", "time per step"),
    *("share", "tensors", "role", "kept after it"),
)
_IN_PARALLEL = {
    -1: "in the parallel schedule it is less",
    0: "in the parallel schedule no difference is clear",
    1: "in the parallel schedule it is more",
}


def role_grid(explained: Explanation) -> Grid:
    """Return the bytes of each role at the peak, and what one more time step adds."""
    grown = explained.growth
    rates = grown.by_role if grown else {}
    roles = [*explained.by_role, *(role for role in rates if role not in explained.by_role)]
    rows = [
        (
            role,
            bytes_text(explained.by_role.get(role, 0)),
            _share(explained.by_role.get(role, 0), explained.peak_bytes),
            *((_rate(rates.get(role, 0)),) if grown else ()),
        )
        for role in roles
    ]
    total = ("together", bytes_text(explained.peak_bytes), _share(1, 1))
    rows.append((*total, *((_rate(grown.bytes),) if grown else ())))
    per = (_per(explained),) if grown else ()
    return _grid(("role", "bytes", "share", *per), rows, texts=1)


def _per(explained: Explanation) -> str:
    return f"per {one_of(explained.axis)}"


def held_grid(explained: Explanation, most: int) -> Grid:
    """Return what is held at the peak by operation, unrolled copies counted together."""
    peak = explained.peak_bytes
    grows = any(holding.per_step_bytes is not None for holding in explained.holdings)

    def row(holding: Holding) -> tuple[str, ...]:
        return (
            f"{name_text(holding.op)} \N{MULTIPLICATION SIGN} {holding.tensors:,}",
            holding.op_type or DASH,
            holding.role,
            bytes_text(holding.bytes),
            _share(holding.bytes, peak),
            bytes_text(holding.each_bytes),
            *((_rate(holding.per_step_bytes),) if grows else ()),
        )

    def summed(name: str, role: str, size: int) -> tuple[str, ...]:
        return name, "", role, bytes_text(size), _share(size, peak), "", *(("",) if grows else ())

    rows = [row(holding) for holding in explained.holdings[:most]]
    rest = explained.holdings[most:]
    if rest:
        rows.append(summed(f"{len(rest)} more", "", sum(holding.bytes for holding in rest)))
    rounding = Role.ROUNDING.value
    if explained.by_role.get(rounding):
        rows.append(summed(rounding, rounding, explained.by_role[rounding]))
    first = "operation \N{MULTIPLICATION SIGN} tensors"
    per = (_per(explained),) if grows else ()
    headings = (first, "type", "role", "bytes", "share", "each", *per)
    return _grid(headings, rows, texts=3)


def remedy_grid(explained: Explanation) -> Grid:
    """Return what was tried to lower the peak, and what each thing measured."""
    remedies = explained.remedies
    has_parallel = any(remedy.parallel_bytes for remedy in remedies)

    def row(remedy: Remedy) -> tuple[str, ...]:
        parallel = _range_text(remedy.parallel_bytes)
        against = _against_text(remedy)
        notes = [remedy.changes, remedy.reason, against]
        return (
            remedy.name,
            bytes_text(remedy.peak_bytes),
            share_text(remedy.share),
            seconds_text(remedy.step_s),
            *((parallel,) if has_parallel else ()),
            "; ".join(filter(None, notes)),
        )

    rows = [row(remedy) for remedy in remedies]
    if rows:
        first = remedies[0]
        before = next((one.parallel_before_bytes for one in remedies if one.parallel_bytes), [])
        rows.insert(
            0,
            (
                "as it is",
                bytes_text(first.before_bytes),
                "",
                seconds_text(first.before_s),
                *((_range_text(before),) if has_parallel else ()),
                "",
            ),
        )
    parallel = ("in parallel",) if has_parallel else ()
    headings = ("tried", "peak", "difference", "time per step", *parallel, "note")
    grid = _grid(headings, rows, texts=1)
    return replace(grid, numeric=(*grid.numeric[:-1], False))


def _against_text(remedy: Remedy) -> str | None:
    """Return what the parallel schedule shows instead; None where it shows the same."""
    if not remedy.is_contradicted:
        return None
    if len(remedy.parallel_bytes) < len(remedy.parallel_before_bytes):
        return "in the parallel schedule not every run ended well"
    return None if remedy.parallel_sign is None else _IN_PARALLEL[remedy.parallel_sign]


def _range_text(sizes: Sequence[int]) -> str:
    if not sizes:
        return DASH
    ends = dict.fromkeys((bytes_text(min(sizes)), bytes_text(max(sizes))))
    return " to ".join(ends)


def scope_grid(explained: Explanation, most: int) -> Grid:
    """Return what is held at the peak by the scope of the operations that hold it."""
    sizes: Counter[str] = Counter()
    tensors: Counter[str] = Counter()
    for holding in explained.holdings:
        scope = holding.op.rpartition("/")[0]
        sizes[scope] += holding.bytes
        tensors[scope] += holding.tensors
    rows = [
        (
            name_text(scope),
            count_text(tensors[scope]),
            bytes_text(size),
            _share(size, explained.peak_bytes),
        )
        for scope, size in sizes.most_common(most)
    ]
    return _grid(("scope", "tensors", "bytes", "share"), rows, texts=1)


def resident_grid(explained: Explanation, most: int) -> Grid:
    """Return what was held before the step: variables by name, then constants and the rest."""
    resident = sorted(explained.resident, key=lambda one: (not _is_weight(one), -one.bytes))
    rows = [
        (
            holding.variable or name_text(holding.op)
            if _is_weight(holding)
            else name_text(holding.op),
            holding.role,
            count_text(holding.tensors),
            bytes_text(holding.bytes),
        )
        for holding in resident[:most]
    ]
    return _grid(("what", "role", "tensors", "bytes"), rows, texts=2)


def graph_grid(explained: Explanation, last: GraphStage | None, title: str, most: int) -> Grid:
    """Return the nodes by op type: as built, what a step adds, and what is left in the end.

    Args:
        explained: says how the graph was built.
        last: the graph's last stage, where its nodes are known.
        title: of that stage.
        most: rows of the table.
    """
    parts, grown = explained.graph, explained.graph_growth
    executed = Counter(last.by_op if last else {})
    built = Counter(parts.forward) + Counter(parts.backward) + Counter(parts.library)
    kinds = sorted(built | executed, key=lambda kind: (-max(built[kind], executed[kind]), kind))
    columns: list[tuple[str, Callable[[str], str]]] = [
        ("op type", str),
        ("forward", lambda kind: count_text(parts.forward.get(kind, 0))),
        ("backward", lambda kind: count_text(parts.backward.get(kind, 0))),
    ]
    if parts.library:
        columns.append(("in functions", lambda kind: count_text(parts.library.get(kind, 0))))
    if grown is not None:
        added = Counter(grown.forward)
        added.update(grown.backward)
        added.update(grown.library)
        columns.append((_per(explained), lambda kind: _signed(added[kind])))
    if executed:
        columns.append((title, lambda kind: count_text(executed[kind])))
        columns.append(("change", lambda kind: _signed(executed[kind] - built[kind])))
    rows = [[cell(kind) for _, cell in columns] for kind in kinds[:most]]
    return _grid([heading for heading, _ in columns], rows, texts=1)


def node_scope_grid(explained: Explanation, most: int) -> Grid:
    """Return the nodes of the graph as built by scope, unrolled copies counted together."""
    nodes = Counter(explained.graph.by_scope).most_common(most)
    rows = [(name_text(scope), count_text(count)) for scope, count in nodes]
    return _grid(("scope", "nodes"), rows, texts=1)


def host_grid(phases: Iterable[Phase], framework: FrameworkFacts) -> Grid:
    """Return where host memory goes by phase: its peak, and what stays, over the baseline."""
    details = {phase.name: phase.detail for phase in framework.phases}
    rows = [
        (
            framework.phase_title(phase.name),
            bytes_text(phase.host_peak_bytes),
            bytes_text(phase.host_kept_bytes),
            details.get(phase.name, ""),
        )
        for phase in phases
        if phase.role is not PhaseRole.OVERHEAD
    ]
    grid = _grid(("phase", "peak", "kept after it", "what takes it"), rows, texts=1)
    return replace(grid, numeric=(False, True, True, False))


def _is_weight(holding: Holding) -> bool:
    return holding.role == Role.WEIGHTS.value


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else DASH


def _rate(value: float | None) -> str:
    return "0" if value == 0 else bytes_text(value)


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{rate_text(value)}" if value else ""


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> Grid:
    return Grid(
        headings=tuple(headings),
        numeric=tuple(position >= texts for position in range(len(headings))),
        rows=tuple(GridRow(cells=tuple(row)) for row in rows),
        least=_LEAST,
    )
