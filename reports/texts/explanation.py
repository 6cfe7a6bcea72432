"""What holds a training step's memory: its peak as sentences, a few facts and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from profiler.analysis.results import RunResults
from profiler.facts import Explanation, FrameworkFacts, Measurement, Point, Run, Theory
from profiler.scenario import describe_parameters
from reports.tables.explanation import (
    graph_grid,
    held_grid,
    host_grid,
    node_scope_grid,
    resident_grid,
    role_grid,
    scope_grid,
)
from reports.tables.grid import Grid
from reports.texts.certificate import limit_text
from reports.texts.numbers import (
    bytes_text,
    count_text,
    list_text,
    rate_text,
    steps_text,
    times_text,
)
from reports.texts.story import story

__all__ = [
    "ExplainedStep",
    "ExplanationSection",
    "explained_steps",
    "explanation_section",
    "section_lines",
]

_PARTS = {"forward": "the forward part", "backward": "the backward part", "update": "the update"}


@dataclass(frozen=True, kw_only=True)
class ExplainedStep:
    """One training step that is explained.

    Attributes:
        name: for files.
        title: for people.
        explained: what holds its peak.
        framework: that ran it.
        measurement: what else is known of the same training step, if it was measured, too.
        shorter: the explanations of the same series at other lengths, in any order.
    """

    name: str
    title: str
    explained: Explanation
    framework: FrameworkFacts
    measurement: Measurement | None = None
    shorter: tuple[Explanation, ...] = ()


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
    found = [_longest(results.run, label, members) for label, members in series.items()]
    for label, wall in results.walls:
        if wall.explanation is not None:
            title = f"{label} at its wall: {_steps(wall.explanation)} under {limit_text(wall)}"
            name = f"{_slug(label)}_wall_{wall.limit_bytes}"
            found.append(
                ExplainedStep(
                    name=name,
                    title=title,
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
    stages = measured.graph.stages if measured and measured.graph else []
    last = stages[-1] if stages[1:] else None
    title = step.framework.stage_title(last.name) if last else ""
    tables = [
        ("by role", role_grid(explained)),
        ("held at the peak, by operation", held_grid(explained, most)),
        ("by scope of the graph", scope_grid(explained, most)),
        ("resident before the step", resident_grid(explained, most)),
        ("nodes of the graph, by op type", graph_grid(explained, last, title, most)),
        ("nodes of the graph as built, by scope", node_scope_grid(explained, most)),
    ]
    if measured is not None and measured.host is not None:
        tables.append(("host memory by phase", host_grid(measured.phases, step.framework)))
    return ExplanationSection(
        name=step.name,
        title=step.title,
        story=story(explained),
        facts=tuple(_facts(step)),
        tables=tuple((title, grid) for title, grid in tables if grid.rows),
    )


def section_lines(section: ExplanationSection, point: Point) -> list[str]:
    """Return an explanation's words for a terminal: its conditions, its story, its facts."""
    conditions = (describe_parameters(point.parameters), point.device, point.schedule.value)
    width = max(len(name) for name, _ in section.facts)
    return [
        f"{section.title}   {' · '.join(filter(None, conditions))}",
        *(f"  {sentence}" for sentence in section.story),
        *(f"  {name:{width}}   {text}" for name, text in section.facts),
    ]


def _longest(run: Run, label: str, members: Sequence[Measurement]) -> ExplainedStep:
    """Return the longest of a series; of its repeats, the last one."""
    *others, longest = sorted(members, key=lambda m: m.point.steps)
    explained = longest.trace
    assert explained is not None  # noqa: S101 (only such members were chosen)
    lengths = {m.trace.steps: m.trace for m in others if m.trace is not None}
    lengths.pop(explained.steps, None)
    return ExplainedStep(
        name=_slug(label),
        title=f"{label} at {_steps(explained)}",
        explained=explained,
        framework=run.framework(longest.point.framework),
        measurement=longest,
        shorter=tuple(lengths.values()),
    )


def _steps(explained: Explanation) -> str:
    return steps_text(explained.steps)


def _slug(label: str) -> str:
    return re.sub(r"[^\w.-]+", "_", label)


def _facts(step: ExplainedStep) -> Iterable[tuple[str, str]]:
    explained = step.explained
    graph = step.measurement.graph if step.measurement else None
    yield "peak", _peak_text(explained)
    yield "two accounts", _accounts_text(explained)
    if explained.theory is not None:
        yield "theory", _theory_text(explained, explained.theory)
    if explained.growth is not None or explained.graph_growth is not None:
        yield "one more step", _growth_text(explained)
    if graph is not None and graph.stages:
        counts = [
            f"{count_text(stage.nodes)} {step.framework.stage_title(stage.name)}"
            for stage in graph.stages
        ]
        yield "nodes", list_text(counts)
    if graph is not None and graph.serialized_bytes is not None:
        yield "serialized graph", bytes_text(graph.serialized_bytes)
    if explained.custom_gradients:
        yield "gradients", "the scenario's own, not the framework's plain backprop"


def _peak_text(explained: Explanation) -> str:
    over = explained.over_step
    place = 100 * over.peak / max(1, over.event[-1])
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
