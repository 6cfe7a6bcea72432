"""What holds a training step's memory: the account of its peak as tables and a few facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from profiler.explain.facts import Explanation, Holding, Role, Theory
from profiler.frames import LoadedRun
from profiler.registry import describe_parameters
from profiler.results import GraphSize, HostMemory, Measurement, Point
from reports.advice import story
from reports.certificate import limit_text
from reports.series import labelled_walls
from reports.table import Grid, GridRow
from reports.text import (
    DASH,
    bytes_text,
    count_text,
    list_text,
    name_text,
    rate_text,
    steps_text,
    times_text,
)

__all__ = [
    "Account",
    "Subject",
    "account",
    "account_lines",
    "graph_grid",
    "held_grid",
    "host_grid",
    "node_scope_grid",
    "resident_grid",
    "role_grid",
    "scope_grid",
    "subjects",
]

_PARTS = {"forward": "the forward part", "backward": "the backward part", "update": "the update"}
_PHASES = (
    ("build", "forward graph", "the scenario's Python objects and the framework's graph"),
    ("gradients", "gradients and update", "the same for what backprop adds"),
    ("initialize", "session and variables", "the session's copy of the graph, the weights"),
    ("first_step", "first step", "the graph optimizer's work, the executor, the step's tensors"),
    ("steady", "steady steps", "the step's tensors"),
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One training step that is explained.

    Attributes:
        name: for files.
        title: for people.
        explained: the account of its peak.
        measurement: what else is known of the same training step, if it was measured, too.
        shorter: the accounts of the same series at other lengths, in any order.
    """

    name: str
    title: str
    explained: Explanation
    measurement: Measurement | None = None
    shorter: tuple[Explanation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Account:
    """One explained training step as texts and tables; ``tables`` are pairs of title and grid."""

    name: str
    title: str
    story: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    tables: tuple[tuple[str, Grid], ...]


def subjects(loaded: LoadedRun) -> list[Subject]:
    """Return what a run explains: the longest point of each series, and each wall."""
    series: dict[str, list[Measurement]] = {}
    for label, m in zip(loaded.measurements["label"], loaded.run.measurements, strict=True):
        if m.trace is not None:
            series.setdefault(str(label), []).append(m)
    found = [_longest(label, members) for label, members in series.items()]
    for label, wall in labelled_walls(loaded):
        if wall.explanation is not None:
            title = f"{label} at its wall: {_steps(wall.explanation)} under {limit_text(wall)}"
            name = f"{_slug(label)}_wall_{wall.limit_bytes}"
            found.append(Subject(name=name, title=title, explained=wall.explanation))
    return found


def account(subject: Subject, *, most: int = 40) -> Account:
    """Return an explanation as texts.

    Args:
        subject: the training step.
        most: rows of a table; what is left out is summed up in one more.
    """
    explained, measured = subject.explained, subject.measurement
    graph = measured.graph if measured else None
    tables = [
        ("by role", role_grid(explained)),
        ("held at the peak, by operation", held_grid(explained, most)),
        ("by scope of the graph", scope_grid(explained, most)),
        ("resident before the step", resident_grid(explained, most)),
        ("nodes of the graph, by op type", graph_grid(explained, graph, most)),
        ("nodes of the graph as built, by scope", node_scope_grid(explained, most)),
    ]
    if measured is not None and measured.host is not None:
        tables.append(("host memory by phase", host_grid(measured.host)))
    return Account(
        name=subject.name,
        title=subject.title,
        story=story(explained),
        facts=tuple(_facts(explained, graph)),
        tables=tuple((title, grid) for title, grid in tables if grid.rows),
    )


def account_lines(given: Account, point: Point) -> list[str]:
    """Return the words of an account for a terminal: its conditions, its story, its facts."""
    conditions = (describe_parameters(point.parameters), point.device, point.schedule.value)
    width = max(len(name) for name, _ in given.facts)
    return [
        f"{given.title}   {' · '.join(filter(None, conditions))}",
        *(f"  {sentence}" for sentence in given.story),
        *(f"  {name:{width}}   {text}" for name, text in given.facts),
    ]


def _longest(label: str, members: Sequence[Measurement]) -> Subject:
    """Return the longest of a series; of its repeats, the last one."""
    *others, longest = sorted(members, key=lambda m: m.point.steps)
    explained = longest.trace
    assert explained is not None  # noqa: S101 (only such members were chosen)
    lengths = {m.trace.steps: m.trace for m in others if m.trace is not None}
    lengths.pop(explained.steps, None)
    return Subject(
        name=_slug(label),
        title=f"{label} at {_steps(explained)}",
        explained=explained,
        measurement=longest,
        shorter=tuple(lengths.values()),
    )


def _steps(explained: Explanation) -> str:
    return steps_text(explained.steps)


def _slug(label: str) -> str:
    return re.sub(r"[^\w.-]+", "_", label)


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
    return _grid(("role", "bytes", "share", *(("per step",) if grown else ())), rows, texts=1)


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
            *((_rate(holding.per_step_bytes or 0),) if grows else ()),
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
    headings = (first, "type", "role", "bytes", "share", "each", *(("per step",) if grows else ()))
    return _grid(headings, rows, texts=3)


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


def graph_grid(explained: Explanation, graph: GraphSize | None, most: int) -> Grid:
    """Return the nodes by op type: as built, what a step adds, what the optimizer made of it."""
    parts, grown = explained.graph, explained.graph_growth
    executed = Counter((graph.executed_by_op or {}) if graph else {})
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
        columns.append(("one more step adds", lambda kind: _signed(added[kind])))
    if executed:
        columns.append(("executed", lambda kind: count_text(executed[kind])))
        columns.append(("by the optimizer", lambda kind: _signed(executed[kind] - built[kind])))
    rows = [[cell(kind) for _, cell in columns] for kind in kinds[:most]]
    return _grid([heading for heading, _ in columns], rows, texts=1)


def node_scope_grid(explained: Explanation, most: int) -> Grid:
    """Return the nodes of the graph as built by scope, unrolled copies counted together."""
    nodes = Counter(explained.graph.by_scope).most_common(most)
    rows = [(name_text(scope), count_text(count)) for scope, count in nodes]
    return _grid(("scope", "nodes"), rows, texts=1)


def host_grid(host: HostMemory) -> Grid:
    """Return where host memory goes by phase: its peak, and what stays, over the baseline."""
    rows = [
        (
            title,
            bytes_text(getattr(host, f"{phase}_peak_bytes")),
            bytes_text(getattr(host, f"{phase}_kept_bytes")),
            what,
        )
        for phase, title, what in _PHASES
    ]
    grid = _grid(("phase", "peak", "kept after it", "what takes it"), rows, texts=1)
    return Grid(headings=grid.headings, numeric=(False, True, True, False), rows=grid.rows)


def _facts(explained: Explanation, graph: GraphSize | None) -> Iterable[tuple[str, str]]:
    yield "peak", _peak_text(explained)
    yield "two accounts", _accounts_text(explained)
    if explained.theory is not None:
        yield "theory", _theory_text(explained, explained.theory)
    if explained.growth is not None or explained.graph_growth is not None:
        yield "one more step", _growth_text(explained)
    if graph is not None and graph.executed_nodes is not None:
        built = count_text(graph.total_nodes + (graph.library_nodes or 0))
        executed = count_text(graph.executed_nodes)
        yield "graph optimizer", f"{built} nodes built (library included), {executed} executed"
    if graph is not None and graph.graph_bytes is not None:
        yield "serialized graph", bytes_text(graph.graph_bytes)
    if explained.custom_gradients:
        yield "gradients", "the scenario's own, not the framework's plain backprop"


def _peak_text(explained: Explanation) -> str:
    curve = explained.curve
    place = 100 * curve.peak / max(1, curve.event[-1])
    return (
        f"{bytes_text(explained.peak_bytes)} in {_PARTS[explained.part]} of a {explained.step} "
        f"step, after {place:.0f} % of its allocations and releases; "
        f"{bytes_text(explained.step_bytes)} more than before the step"
    )


def _theory_text(explained: Explanation, theory: Theory) -> str:
    times = times_text(explained.step_bytes / theory.least_bytes)
    return (
        f"backprop through time must keep {bytes_text(theory.least_bytes)} (hidden states), every "
        f"activation is {bytes_text(theory.all_bytes)}; the step holds "
        f"{bytes_text(explained.step_bytes)}, {times} the least"
    )


def _growth_text(explained: Explanation) -> str:
    parts = []
    if explained.growth is not None:
        parts.append(f"{bytes_text(explained.growth.bytes)} at the peak")
    if explained.graph_growth is not None:
        grown = explained.graph_growth
        forward, backward = sum(grown.forward.values()), sum(grown.backward.values())
        nodes = f"{rate_text(forward)} forward and {rate_text(backward)} backward nodes"
        parts.append(nodes if forward or backward else "no node")
    between = (explained.growth or explained.graph_growth).between  # type: ignore[union-attr]
    ends = f"{count_text(between[0])} and {steps_text(between[1])}"
    return f"adds {list_text(parts)} (difference of {ends})"


def _accounts_text(explained: Explanation) -> str:
    resident = explained.resident_bytes
    replayed = f"{resident:,} B resident + {explained.step_bytes:,} B replayed"
    if explained.unexplained_bytes is None:
        return f"{replayed}; the allocator's own account is not known"
    off = explained.unexplained_bytes
    verdict = "equal to the byte" if off == 0 else f"a difference of {off:+,} B"
    return f"{replayed} against {explained.allocator_peak_bytes:,} B by the allocator: {verdict}"


def _is_weight(holding: Holding) -> bool:
    return holding.role == Role.WEIGHTS.value


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else DASH


def _rate(value: float) -> str:
    return bytes_text(value) if value else "0"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{rate_text(value)}" if value else ""


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> Grid:
    return Grid(
        headings=tuple(headings),
        numeric=tuple(position >= texts for position in range(len(headings))),
        rows=tuple(GridRow(cells=tuple(row), failed=False) for row in rows),
    )
