"""The tables of a run, defined once as columns, for the terminal and for HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from profiler.analysis.metrics import part_nodes, stage_nodes
from profiler.analysis.results import RunResults
from profiler.facts import (
    Certificate,
    Measurement,
    Outcome,
    PhaseRole,
    Status,
    WallStatus,
)
from profiler.lengths import STEPS
from profiler.parameters import value_text
from reports.texts.certificate import error_text, predicted_text
from reports.texts.numbers import (
    DASH,
    bytes_text,
    count_text,
    outcome_text,
    phase_text,
    seconds_text,
    shortage_text,
    size_text,
    steps_text,
    times_text,
)

__all__ = [
    "Grid",
    "GridRow",
    "frontier_grid",
    "measurement_grid",
    "node_columns",
    "outcome_sentence",
    "wall_grid",
]


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """One row of finished texts; failed ones stand out, quiet ones step back."""

    cells: tuple[str, ...]
    failed: bool = False
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table as plain data.

    Attributes:
        headings: of the columns.
        numeric: which columns hold numbers.
        rows: finished texts.
        least: headings of the columns that matter least, the least one first: a narrow terminal
            does without them. Of the others those further right matter less.
    """

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[GridRow, ...]
    least: tuple[str, ...] = ()


# A label, a fact, and whether its row is a failed or a quiet one.
_Row = tuple[str, Any, bool, bool]


@dataclass(frozen=True)
class _Column:
    """A heading, how to get the value from a fact, and how to print it."""

    heading: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] | None = None

    def cell(self, fact: object) -> str:
        """Return the text of this column for one fact; a dash for None."""
        value = self.value(fact)
        return DASH if value is None else (self.text or str)(value)


def _field(path: str) -> Callable[[Any], Any]:
    def get(fact: Any) -> Any:
        for name in path.split("."):
            fact = getattr(fact, name) if fact is not None else None
        return fact

    return get


def outcome_sentence(outcome: Outcome) -> str:
    """Return how something ended, in which phase, by which signal, and what ran out or why."""
    if outcome.status is Status.OK:
        return "ok"
    phase = f" during {phase_text(outcome.phase)}" if outcome.phase else ""
    ending = outcome.signal or (f"exit code {outcome.exit_code}" if outcome.exit_code else "")
    reason = shortage_text(outcome.shortage) if outcome.shortage else outcome.reason
    details = [part for part in (ending, reason) if part]
    return f"{outcome_text(outcome.status)}{phase}" + "".join(f": {d}" for d in details)


def _figure(text: str) -> str:
    """Return a text that is a number already, as one of a column of numbers."""
    return text


_MEASURED = (
    _Column("build", _field("build_s"), seconds_text),
    _Column("first step", lambda m: m.seconds_of(PhaseRole.FIRST_STEP), seconds_text),
    _Column("step", _field("step.median_s"), seconds_text),
    _Column("backprop memory", _field("device.backprop_bytes"), bytes_text),
    _Column("device peak", _field("device.peak_bytes"), bytes_text),
    _Column("host peak", _field("host_peak_bytes"), bytes_text),
    _Column("outcome", _field("outcome"), outcome_sentence),
)


def _axis_column(axes: Sequence[str]) -> _Column:
    """Return the column of the length; of several axes each number says what it counts."""
    if len(axes) == 1:
        return _Column(axes[0], _field("point.steps"), count_text)
    return _Column("at", lambda m: steps_text(m.point.steps, m.point.axis), _figure)


def _end_columns(axes: Sequence[str]) -> tuple[_Column, ...]:
    """Return the columns of a wall's ends, which say what they count if these are no steps."""
    ends = (("survives", "last_ok"), ("runs out", "first_oom"))
    if list(axes) == [STEPS]:
        return tuple(_Column(heading, _field(name), count_text) for heading, name in ends)
    return tuple(_Column(heading, _end(name), _figure) for heading, name in ends)


def _end(name: str) -> Callable[[Any], str | None]:
    def text(wall: Certificate) -> str | None:
        steps = getattr(wall, name)
        return None if steps is None else steps_text(steps, wall.axis)

    return text


def node_columns(results: RunResults) -> list[_Column]:
    """Return the columns of nodes: all, the parts of the graph as built, and what really ran."""
    graphs = [m.graph for _, m in results.measurements if m.graph is not None]
    parts = dict.fromkeys(part for one in graphs if one.built for part in one.built.parts)
    beside = dict.fromkeys(stage.name for one in graphs for stage in one.beside if stage.nodes)
    frameworks = results.run.environment.frameworks.values()
    known = {stage.name for one in graphs for stage in one.stages}
    last: dict[str, str] = {}
    for one in frameworks:
        later = [stage for stage in one.stages[1:] if stage.name in known] or one.stages[1:]
        last |= {stage.name: stage.title for stage in later[-1:]}
    titles = {stage.name: stage.title for one in frameworks for stage in one.stages}
    return [
        *([_Column("nodes", _field("graph.nodes"), count_text)] if beside else []),
        *(_Column(f"{part} nodes", _part_nodes(part), count_text) for part in parts),
        *(
            _Column(f"nodes {titles.get(name, name)}", _stage_nodes(name), count_text)
            for name in beside
        ),
        *(
            _Column(f"{title} nodes", _stage_nodes(name), count_text)
            for name, title in last.items()
            if name not in beside
        ),
    ]


def _part_nodes(part: str) -> Callable[[Measurement], float | None]:
    return part_nodes(part).value


def _stage_nodes(name: str) -> Callable[[Measurement], float | None]:
    return stage_nodes(name, name).value


_LEAST = (
    "executed nodes",
    "nodes in functions",
    "backward nodes",
    "step",
    "host peak",
    "build",
    "forward nodes",
    "first step",
    "nodes",
    "backprop memory",
)
_STATUS = _Column("status", lambda wall: wall.status.value.replace("_", " "))
_WALL_CONDITIONS = (
    _Column("limit", _field("limit_bytes"), size_text),
    _Column("of", lambda wall: wall.kind + (f" ({wall.limit_by})" if wall.limit_by else "")),
    _STATUS,
)
_WALL = (
    _Column("predicted", predicted_text, _figure),
    _Column("error", error_text, _figure),
    _Column("price", _field("price"), times_text),
    _Column("peak", _field("survivor.peak_bytes"), bytes_text),
    _Column("during", _field("failure.outcome.phase"), phase_text),
    _Column("what ran out", _field("failure.outcome.shortage"), shortage_text),
)
_LEAST_OF_WALLS = (
    *("peak", "price", "of", "error", "limit", "during", "status", "predicted", "what ran out"),
)


def measurement_grid(results: RunResults) -> Grid:
    """Return every measurement of a run as texts, in the order of the run."""
    columns = (_axis_column(results.axes), *node_columns(results), *_MEASURED)
    return _labelled_grid(
        columns,
        [
            (label, m, m.outcome.status.is_failure, m.outcome.status is Status.SKIPPED)
            for label, m in results.measurements
        ],
        least=_LEAST,
    )


def wall_grid(results: RunResults) -> Grid:
    """Return every wall certificate of a run as texts."""
    return _labelled_grid(
        (*_WALL_CONDITIONS, *_end_columns(results.axes), *_WALL),
        [(label, wall, wall.status is WallStatus.UNPROVEN, False) for label, wall in results.walls],
        least=_LEAST_OF_WALLS,
    )


def frontier_grid(results: RunResults) -> Grid:
    """Return the walls of a grid of parameters: a row for each combination of their values."""
    varied = [results.labels.varied(wall) for _, wall in results.walls]
    names = dict.fromkeys(name for one in varied for name in one)
    columns = (*map(_parameter_column, names), *_end_columns(results.axes), _STATUS, *_WALL)
    grid = _grid(
        columns,
        [(label, wall, wall.status is WallStatus.UNPROVEN, False) for label, wall in results.walls],
    )
    return replace(grid, least=_LEAST_OF_WALLS)


def _parameter_column(name: str) -> _Column:
    def text(wall: Certificate) -> str:
        return value_text(wall.parameters[name])

    return _Column(name, text, _figure)


def _labelled_grid(
    columns: Sequence[_Column], rows: Sequence[_Row], *, least: tuple[str, ...]
) -> Grid:
    """Return the rows with their labels in a first column."""
    grid = _grid(columns, rows)
    labelled = zip((row[0] for row in rows), grid.rows, strict=True)
    return Grid(
        headings=("scenario", *grid.headings),
        numeric=(False, *grid.numeric),
        rows=tuple(replace(row, cells=(label, *row.cells)) for label, row in labelled),
        least=least,
    )


def _grid(columns: Sequence[_Column], rows: Iterable[_Row]) -> Grid:
    numbers = {bytes_text, count_text, seconds_text, size_text, times_text, _figure}
    return Grid(
        headings=tuple(column.heading for column in columns),
        numeric=tuple(column.text in numbers for column in columns),
        rows=tuple(
            GridRow(
                cells=tuple(column.cell(fact) for column in columns), failed=failed, quiet=quiet
            )
            for _, fact, failed, quiet in rows
        ),
    )
