"""What a run answers, before everything else: a title in words and at most three sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from profiler.analysis.crossover.costs import common_length
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries, kinds_of_nodes
from profiler.facts import FrameworkFacts, Run, Status, WallStatus
from profiler.facts.codec import Record
from profiler.lengths import STEPS, counted, one_of
from reports.texts.numbers import (
    UNIT_TEXTS,
    axes_text,
    bytes_text,
    count_text,
    list_text,
    rate_text,
    size_text,
    steps_text,
)
from reports.texts.slopes import Slope, slope
from reports.texts.story import biggest_text
from reports.texts.walls import LabelledWall, wall_clause, wall_groups

__all__ = ["Answer", "Environment", "about_run", "answer", "environment"]

# A sentence names at most so many things; more are a table.
_MOST_NAMED = 3
_PAIR = 2
_COSTS = {"peak": " at its peak", "step_time": " per step"}


class Environment(Record, frozen=True, kw_only=True):
    """Where one run was made, and by which command; ``name``: of the run, where there are two."""

    name: str
    rows: list[list[str]]
    command: str


class Answer(Record, frozen=True, kw_only=True):
    """What stands on the first screen.

    ``about``: when and on what it was measured. ``family``: whose builds the sentences compare.
    """

    title: str
    about: list[str]
    sentences: list[str]
    family: str | None
    environments: list[Environment]


def answer(results: RunResults) -> Answer:
    """Return what a run answers."""
    proven = _proven(results)
    walls = [proven[0], proven[-1]] if len(proven) > 1 else proven
    family, members = _compared(results, walls)
    grown = {one.label for name in ("backprop", "nodes") for one in _slopes(members, name)}
    pair = [label for label, _ in walls if label in grown] or _steepest(members)
    said = [*_walls(walls, len(proven)), *_growth(members, pair), *_held(walls)]
    if not walls:
        said += _costs(members, pair)
    return Answer(
        title=_title(results),
        about=about_run(results.run),
        sentences=said or _nothing(results),
        family=family,
        environments=[environment(results.run)],
    )


def _proven(results: RunResults) -> list[LabelledWall]:
    """Return the proven walls of the largest group under one limit, the first to end first."""
    groups = [
        [item for item in group if item[1].status is not WallStatus.UNPROVEN]
        for group in reversed(wall_groups(results))
    ]
    groups.sort(key=len)
    return sorted(groups[-1] if groups else [], key=lambda item: item[1].last_ok or 0)


def _compared(
    results: RunResults, walls: Sequence[LabelledWall]
) -> tuple[str | None, Sequence[MetricSeries]]:
    """Return the family that the walls are of, else the one whose memory grows most, and it."""
    found = results.comparable_series
    if walls:
        wall = walls[0][1]
        facet = results.labels.facet(wall)
        mine = [
            members
            for family, members in found
            if family == facet and members[0].conditions.axis == wall.axis
        ]
        if mine:
            return facet, mine[0]
    if not found:
        return None, []
    return max(
        found, key=lambda item: max((float(s.per_step) for s in _slopes(item[1])), default=0)
    )


def _slopes(members: Iterable[MetricSeries], metric: str = "backprop") -> list[Slope]:
    grown = (slope(one) for one in members if one.metric.name == metric)
    return [one for one in grown if one is not None]


def _steepest(members: Sequence[MetricSeries]) -> list[str]:
    """Return the build whose memory grows most, and the one whose memory grows least."""
    grown = _slopes(members) or _slopes(members, "nodes")
    ordered = [one.label for one in sorted(grown, key=lambda one: -one.per_step)]
    labels = ordered or list(dict.fromkeys(one.label for one in members))
    return [labels[0], labels[-1]] if len(labels) > 1 else labels


def _walls(walls: Sequence[LabelledWall], count: int) -> list[str]:
    """Return which of so many builds ends first, and which last."""
    if not walls:
        return []
    wall = walls[0][1]
    places = ["", ""] if count <= _PAIR else [f", the first of {count}", ", the last"]
    clauses = [wall_clause(*item) + place for item, place in zip(walls, places, strict=False)]
    return [f"Under {size_text(wall.limit_bytes)} of {wall.kind} memory, {'; '.join(clauses)}."]


def _growth(members: Sequence[MetricSeries], labels: Sequence[str]) -> list[str]:
    """Return what one more step costs these builds in memory and in nodes."""
    memory = {one.label: one for one in _slopes(members)}
    nodes = {one.label: one for one in _slopes(members, "nodes")}
    kinds = kinds_of_nodes(one for one in members if one.label in labels)
    kind_of = {label: kind for kind, of in kinds.items() for label in of} if len(kinds) > 1 else {}
    clauses: list[str] = []
    for label in labels:
        costs = []
        if label in memory:
            costs.append(_memory_text(memory[label], "memory" if clauses else "backprop memory"))
        if label in nodes:
            kind = f": {kind_of[label]}" if label in kind_of else ""
            costs.append(f"{_nodes_text(nodes[label])}{kind}")
        if costs:
            clauses.append(f"{label} {list_text(costs)}")
    if not clauses:
        return []
    axis = members[0].conditions.axis
    one = "time step" if axis == STEPS else one_of(axis)
    return [f"One more {one} costs {'; '.join(clauses)}."]


def _about_text(one: Slope) -> str:
    return "" if one.exact else "about "


def _memory_text(one: Slope, what: str) -> str:
    value = float(one.per_step)
    if round(value) == 0:
        return f"no {what}" if one.is_constant else f"no clear amount of {what}"
    amount = f"{_about_text(one)}{'-' if value < 0 else ''}{bytes_text(abs(value))}"
    return amount if what == "memory" else f"{amount} of {what}"


def _nodes_text(one: Slope) -> str:
    rate = rate_text(float(one.per_step))
    if rate in {"0", "-0"}:
        return "no node" if one.is_constant else "no clear number of nodes"
    return f"{_about_text(one)}{rate} node{'' if rate == '1' else 's'}"


def _held(walls: Sequence[LabelledWall]) -> list[str]:
    """Return what fills the memory at these walls."""
    held = [
        f"of {label}'s peak, {biggest.replace(' of it ', ' is ', 1)}"
        for label, wall in walls
        if wall.explanation is not None and (biggest := biggest_text(wall.explanation))
    ]
    return [f"At the last length that fits: {'; '.join(held)}."] if held else []


def _costs(members: Sequence[MetricSeries], labels: Sequence[str]) -> list[str]:
    """Return what one training step costs these builds at the longest length of all of them."""
    compared = [one for one in members if one.label in labels and one.metric.name in _COSTS]
    steps = common_length(compared)
    if steps is None:
        return []
    clauses: list[str] = []
    for label in labels:
        mine = {one.metric.name: one for one in compared if one.label == label}
        values = [
            UNIT_TEXTS[mine[name].metric.unit](median(mine[name].values_at(steps)))
            + ("" if clauses else words)
            for name, words in _COSTS.items()
            if name in mine
        ]
        clauses.append(f"{label}{'' if clauses else ' needs'} {list_text(values)}")
    at = steps_text(steps, compared[0].conditions.axis)
    return [f"At {at}, {'; '.join(clauses)}."]


def _nothing(results: RunResults) -> list[str]:
    failed = sum(m.outcome.status.is_failure for _, m in results.measurements)
    total = len(results.measurements)
    if total and failed == total:
        return [f"Every point failed: {count_text(failed)} of {count_text(total)}."]
    return [] if total or results.walls else ["Nothing was measured in this run."]


def _title(results: RunResults) -> str:
    walls = [wall for _, wall in results.walls]
    names = list(
        dict.fromkeys(
            [*(m.point.scenario for _, m in results.measurements), *(w.scenario for w in walls)]
        )
    )
    if not names:
        return "An empty run"
    what = list_text(names) if len(names) <= _MOST_NAMED else f"{len(names)} scenarios"
    limits = list(dict.fromkeys(size_text(wall.limit_bytes) for wall in walls))
    under = f" under {limits[0]}" if len(limits) == 1 else f" under {len(limits)} limits"
    if not results.measurements:
        return f"{'Walls' if len(walls) > 1 else 'The wall'} of {what}{under}"
    ends = f"{'their walls' if len(walls) > 1 else 'the wall'}{under}"
    lengths = {m.point.steps for _, m in results.measurements}
    span = dict.fromkeys(map(count_text, (min(lengths), max(lengths))))
    over = counted(" to ".join(span), axes_text(results.axes))
    return f"{what} over {over}{f', and {ends}' if walls else ''}"


def about_run(run: Run) -> list[str]:
    """Return when and on what a run was measured, and how much of it there is."""
    machine = run.environment
    schedules = dict.fromkeys(
        [
            *(m.point.schedule.value for m in run.measurements),
            *(w.schedule.value for w in run.walls),
        ]
    )
    parts = [
        f"measured {_date(run.created_at)}",
        f"{machine.cpu}, {machine.cpu_count} cores, {bytes_text(machine.memory_bytes)}",
        *(_version(one) for one in machine.frameworks.values()),
        *(f"{' and '.join(schedules)} schedule" for _ in [0] if schedules),
        f"run {run.name}",
    ]
    skipped = sum(m.outcome.status is Status.SKIPPED for m in run.measurements)
    count = len(run.measurements) - skipped
    parts.append(f"{count_text(count)} measurement{'' if count == 1 else 's'}")
    if run.walls:
        parts.append(f"{len(run.walls)} wall{'' if len(run.walls) == 1 else 's'}")
    if skipped:
        parts.append(f"{count_text(skipped)} skipped")
    if not run.finished:
        parts.append("interrupted: some points are not measured yet")
    return parts


def _version(one: FrameworkFacts) -> str:
    version = one.versions.get(one.name)
    return f"{one.title} {version}" if version else one.title


def _date(stamp: str) -> str:
    zone = " UTC" if stamp.endswith(("+00:00", "Z")) else ""
    return stamp[:16].replace("T", " ") + zone


def environment(run: Run, name: str = "") -> Environment:
    """Return where a run was made."""
    machine = run.environment
    frameworks = machine.frameworks.values()
    rows = [
        ("stepwall", machine.stepwall),
        *((one.title, one.versions_text) for one in frameworks),
        ("Python", machine.python),
        ("platform", machine.platform),
        ("processor", f"{machine.cpu} · {machine.cpu_count} cores"),
        ("memory", bytes_text(machine.memory_bytes)),
        ("devices", ", ".join(dict.fromkeys(name for one in frameworks for name in one.devices))),
        ("source", machine.source or ""),
    ]
    known = [[title, value] for title, value in rows if value]
    return Environment(name=name, rows=known, command=run.command)
