"""What holds a training step's memory: its peak as sentences, a few facts and tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from profiler.analysis.results import RunResults
from profiler.analysis.size_wall import SizeWall
from profiler.facts import (
    Explanation,
    FrameworkFacts,
    GraphSize,
    GraphStage,
    Measurement,
    Point,
    Theory,
)
from profiler.lengths import counted, one_of
from profiler.parameters import describe_parameters
from reports.tables.explanation import (
    graph_grid,
    held_grid,
    host_grid,
    node_scope_grid,
    remedy_grid,
    resident_grid,
    role_grid,
    scope_grid,
)
from reports.tables.grid import Grid, GridRow
from reports.texts.certificate import limit_text
from reports.texts.graph_size import size_wall_text
from reports.texts.numbers import (
    bytes_text,
    count_text,
    list_text,
    rate_text,
    steps_text,
    times_text,
)
from reports.texts.schedules import schedules_text
from reports.texts.story import story

__all__ = [
    "ExplainedStep",
    "ExplanationSection",
    "explained_steps",
    "explanation_section",
    "explanation_words",
    "section_lines",
]

T = TypeVar("T")

_OWN_GRADIENTS = "the scenario's own, not the framework's plain backprop"
_OWN_UPDATE = "the scenario's own, with their update"
_PARTS = {"forward": "the forward part", "backward": "the backward part", "update": "the update"}


@dataclass(frozen=True, kw_only=True)
class ExplainedStep:
    """One training step that is explained.

    Attributes:
        name: for files.
        title: for people.
        series: the label of its series.
        explained: what holds its peak.
        framework: that ran it.
        measurement: what else is known of the same training step, if it was measured, too.
        shorter: the explanations of the same series at other lengths, in any order.
        is_wall: whether it is the last one that fits under a limit.
        size_walls: where the series' serialized graph reaches a limit of the framework.
    """

    name: str
    title: str
    series: str
    explained: Explanation
    framework: FrameworkFacts
    measurement: Measurement | None = None
    shorter: tuple[Explanation, ...] = ()
    is_wall: bool = False
    size_walls: tuple[SizeWall, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExplanationSection:
    """One explained training step as texts and tables; ``tables`` are pairs of title and grid."""

    name: str
    title: str
    story: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    tables: tuple[tuple[str, Grid], ...]


def explained_steps(results: RunResults) -> list[ExplainedStep]:
    """Return what a run explains: the longest point of each series, and each wall."""
    series: dict[str, list[Measurement]] = {}
    for label, m in results.measurements:
        if m.trace is not None:
            series.setdefault(label, []).append(m)
    found = [_longest(results, label, members) for label, members in series.items()]
    for label, wall in results.walls:
        if wall.explanation is not None:
            title = f"{label} at its wall: {_steps(wall.explanation)} under {limit_text(wall)}"
            name = f"{_slug(label)}_wall_{wall.limit_bytes}"
            found.append(
                ExplainedStep(
                    name=name,
                    title=title,
                    series=label,
                    is_wall=True,
                    explained=wall.explanation,
                    framework=results.run.framework(wall.framework),
                )
            )
    return found


def explanation_section(step: ExplainedStep, *, most: int = 40) -> ExplanationSection:
    """Return an explanation as texts.

    Args:
        step: the training step.
        most: rows of a table; what is left out is summed up in one more.
    """
    explained, measured = step.explained, step.measurement
    last = _last_stage(measured.graph) if measured and measured.graph else None
    title = step.framework.stage_title(last.name) if last else ""
    phases = measured.phases if measured is not None and measured.host is not None else []
    tables: dict[str, Callable[[], Grid]] = {
        "by role": lambda: role_grid(explained),
        "held at the peak, by operation": lambda: held_grid(explained, most),
        "tried on this step, to lower its peak": lambda: remedy_grid(explained),
        "by scope of the graph": lambda: scope_grid(explained, most),
        "resident before the step": lambda: resident_grid(explained, most),
        "nodes of the graph, by op type": lambda: graph_grid(explained, last, title, most),
        "nodes of the graph as built, by scope": lambda: node_scope_grid(explained, most),
        "host memory by phase": lambda: host_grid(phases, step.framework),
    }
    grids = [(name, _stands(make, _grid_of_one)) for name, make in tables.items()]
    said, facts = explanation_words(step)
    return ExplanationSection(
        name=step.name,
        title=step.title,
        story=said,
        facts=facts,
        tables=tuple((title, grid) for title, grid in grids if grid.rows),
    )


def explanation_words(step: ExplainedStep) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return what an explanation says: its sentences, and its facts by their names."""
    return _stands(lambda: story(step.explained), lambda reason: (reason,)), tuple(_facts(step))


def _last_stage(graph: GraphSize) -> GraphStage | None:
    """Return what became of the graph as built, where that is known."""
    later = [stage for stage in graph.stages[1:] if stage not in graph.beside]
    return later[-1] if later else None


def _stands(make: Callable[[], T], instead: Callable[[str], T]) -> T:
    """Return a section, or, where it cannot be made, why: the rest stands without it."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 (whatever a section meets, it is the only one lost)
        return instead(f"this part could not be made: {type(error).__name__}: {error}")


def _grid_of_one(text: str) -> Grid:
    return Grid(headings=("",), numeric=(False,), rows=(GridRow(cells=(text,)),))


def section_lines(section: ExplanationSection, point: Point) -> list[str]:
    """Return an explanation's words for a terminal: its conditions, its story, its facts."""
    conditions = (describe_parameters(point.parameters), point.device, point.schedule.value)
    width = max(len(name) for name, _ in section.facts)
    return [
        f"{section.title}   {' · '.join(filter(None, conditions))}",
        *(f"  {sentence}" for sentence in section.story),
        *(f"  {name:{width}}   {text}" for name, text in section.facts),
    ]


def _longest(results: RunResults, label: str, members: Sequence[Measurement]) -> ExplainedStep:
    """Return the longest of a series; of its repeats, the last one."""
    *others, longest = sorted(members, key=lambda m: m.point.steps)
    explained = longest.trace
    assert explained is not None  # noqa: S101 (only such members were chosen)
    lengths = {m.trace.steps: m.trace for m in others if m.trace is not None}
    lengths.pop(explained.steps, None)
    return ExplainedStep(
        name=_slug(label),
        title=f"{label} at {_steps(explained)}",
        series=label,
        explained=explained,
        framework=results.run.framework(longest.point.framework),
        measurement=longest,
        shorter=tuple(lengths.values()),
        size_walls=results.size_walls[label],
    )


def _steps(explained: Explanation) -> str:
    return steps_text(explained.steps, explained.axis)


def _slug(label: str) -> str:
    return re.sub(r"[^\w.-]+", "_", label)


def _facts(step: ExplainedStep) -> Iterable[tuple[str, str]]:
    explained = step.explained
    graph = step.measurement.graph if step.measurement else None
    makers: dict[str, Callable[[], str | None]] = {
        "peak": lambda: _peak_text(explained),
        "two accounts": lambda: _accounts_text(explained),
        "theory": lambda: _theory_text(explained),
        f"one more {one_of(explained.axis)}": lambda: _growth_text(explained),
        "nodes": lambda: _nodes_text(graph, step.framework),
        "serialized graph": lambda: _serialized_text(graph),
        "schedules": lambda: schedules_text(
            explained.schedules, step.framework, axis=explained.axis
        ),
        "its limits": lambda: "; ".join(map(size_wall_text, step.size_walls)) or None,
        "gradients": lambda: _gradients_text(explained),
        "noted": lambda: "; ".join(step.measurement.notes if step.measurement else []) or None,
        "not known": lambda: "; ".join(map(": ".join, explained.missing.items())) or None,
    }
    for name, make in makers.items():
        text = _stands(make, str)
        if text is not None:
            yield name, text


def _gradients_text(explained: Explanation) -> str | None:
    if explained.trains_itself:
        return _OWN_UPDATE
    return _OWN_GRADIENTS if explained.custom_gradients else None


def _nodes_text(graph: GraphSize | None, framework: FrameworkFacts) -> str | None:
    if graph is None or not graph.stages:
        return None
    return list_text(
        [f"{count_text(stage.nodes)} {framework.stage_title(stage.name)}" for stage in graph.stages]
    )


def _serialized_text(graph: GraphSize | None) -> str | None:
    if graph is None or graph.serialized_bytes is None:
        return None
    return bytes_text(graph.serialized_bytes)


def _peak_text(explained: Explanation) -> str:
    over = explained.over_step
    place = 100 * over.peak / max(1, over.event[-1])
    return (
        f"{bytes_text(explained.peak_bytes)} in {_PARTS[explained.part]} of a {explained.step} "
        f"step, after {place:.0f} % of its allocations and releases; "
        f"{bytes_text(explained.step_bytes)} more than before the step"
    )


def _theory_text(explained: Explanation) -> str | None:
    theory = explained.theory
    if theory is None:
        return None
    times = times_text(explained.step_bytes / theory.least_bytes)
    return (
        f"by the equations of {_cells_text(theory)}: "
        f"backprop through time must keep {bytes_text(theory.least_bytes)} (hidden states), every "
        f"activation is {bytes_text(theory.all_bytes)}; the step holds "
        f"{bytes_text(explained.step_bytes)}, {times} the least"
    )


def _cells_text(theory: Theory) -> str:
    """Return the cells, and what is taken for granted of them."""
    cells = [
        f"{count_text(count)} {kind} cell{'' if count == 1 else 's'}"
        for kind, count in Counter(theory.cells).items()
    ]
    rows = "" if theory.batch is None else f" on {count_text(theory.batch)} rows"
    once = "each run once" if len(theory.cells) > 1 else "run once"
    return (
        f"{list_text(cells)} ({once} per time step{rows}, in 32-bit floats; nothing else counted)"
    )


def _growth_text(explained: Explanation) -> str | None:
    if explained.growth is None and explained.graph_growth is None:
        return None
    parts = []
    if explained.growth is not None:
        parts.append(f"{bytes_text(explained.growth.bytes)} at the peak")
    if explained.graph_growth is not None:
        grown = explained.graph_growth
        forward, backward = sum(grown.forward.values()), sum(grown.backward.values())
        nodes = f"{rate_text(forward)} forward and {rate_text(backward)} backward nodes"
        library = sum(grown.library.values())
        if forward or backward or not library:
            parts.append(nodes if forward or backward else "no node")
        if library:
            parts.append(f"{rate_text(library)} nodes in functions")
    between = (explained.growth or explained.graph_growth).between  # type: ignore[union-attr]
    ends = counted(" and ".join(map(count_text, between)), explained.axis)
    return f"adds {list_text(parts)} (difference of {ends})"


def _accounts_text(explained: Explanation) -> str:
    resident = explained.resident_bytes
    replayed = f"{resident:,} B resident + {explained.step_bytes:,} B replayed"
    if explained.unexplained_bytes is None:
        return f"{replayed}; the allocator's own account is not known"
    off = explained.unexplained_bytes
    verdict = "equal to the byte" if off == 0 else f"a difference of {off:+,} B"
    return f"{replayed} against {explained.allocator_peak_bytes:,} B by the allocator: {verdict}"
