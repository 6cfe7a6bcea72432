"""The tables of a run, defined once as columns, for the terminal and for HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from profiler.facts import (
    Measurement,
    Outcome,
    Probe,
    Status,
    WallStatus,
)
from profiler.store.frames import LoadedRun
from reports.plots.panels import labelled_walls
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
    times_text,
)

__all__ = [
    "Grid",
    "GridRow",
    "grid_table",
    "measurement_grid",
    "measurement_table",
    "outcome_sentence",
    "probe_grid",
    "wall_grid",
    "wall_table",
]


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """One row of finished texts; ``failed`` rows are shown as such."""

    cells: tuple[str, ...]
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table as plain data: headings, which columns hold numbers, and rows."""

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[GridRow, ...]


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


def _build_s(measurement: Measurement) -> float | None:
    time = measurement.time
    if time is None or time.build_gradients_s is None:
        return None
    return time.build_forward_s + time.build_gradients_s


def outcome_sentence(outcome: Outcome) -> str:
    """Return how something ended, in which phase, by which signal, and what ran out or why."""
    if outcome.status is Status.OK:
        return "ok"
    phase = f" during {phase_text(outcome.phase)}" if outcome.phase else ""
    ending = outcome.signal or (f"exit code {outcome.exit_code}" if outcome.exit_code else "")
    reason = shortage_text(outcome.shortage) if outcome.shortage else outcome.reason
    details = [part for part in (ending, reason) if part]
    return f"{outcome_text(outcome.status.value)}{phase}" + "".join(f": {d}" for d in details)


def _figure(text: str) -> str:
    """Return a text that is a number already, as one of a column of numbers."""
    return text


def _probe_ending(probe: Probe) -> str:
    """Return how a run of a search ended, and whether it had its time to end so."""
    again = f" (repeat {probe.repeat})" if probe.repeat else ""
    if probe.outcome.cut_short:
        return f"waited for memory, and was cut short{again}"
    return outcome_sentence(probe.outcome) + again


_MEASUREMENT = (
    _Column("steps", _field("point.steps"), count_text),
    _Column("forward nodes", _field("graph.forward_nodes"), count_text),
    _Column("backward nodes", _field("graph.backward_nodes"), count_text),
    _Column("executed nodes", _field("graph.executed_nodes"), count_text),
    _Column("build", _build_s, seconds_text),
    _Column("first step", _field("time.first_step_s"), seconds_text),
    _Column("step", _field("time.step_s"), seconds_text),
    _Column("backprop memory", _field("device.backprop_bytes"), bytes_text),
    _Column("device peak", _field("device.peak_bytes"), bytes_text),
    _Column("host peak", _field("host.peak_bytes"), bytes_text),
    _Column("outcome", _field("outcome"), outcome_sentence),
)
# What a narrow terminal does without, in this order; the report and the files hold all.
_LESS_IMPORTANT = (
    "executed nodes",
    "backward nodes",
    "step",
    "host peak",
    "build",
    "forward nodes",
    "first step",
)
_GAP = 3
_SHORT = 12
_WALL = (
    _Column("limit", _field("limit_bytes"), size_text),
    _Column("of", lambda wall: wall.kind + (f" ({wall.limit_by})" if wall.limit_by else "")),
    _Column("status", lambda wall: wall.status.value.replace("_", " ")),
    _Column("survives", _field("last_ok"), count_text),
    _Column("runs out", _field("first_oom"), count_text),
    _Column("predicted", predicted_text, _figure),
    _Column("error", error_text, _figure),
    _Column("price", _field("price"), times_text),
    _Column("peak", _field("survivor.peak_bytes"), bytes_text),
    _Column("during", _field("failure.outcome.phase"), phase_text),
    _Column("what ran out", _field("failure.outcome.shortage"), shortage_text),
)
_LESS_IMPORTANT_OF_WALLS = ("peak", "price", "of", "error", "limit", "during", "status")
_PROBE = (
    _Column("steps", _field("steps"), count_text),
    _Column("peak", _field("peak_bytes"), bytes_text),
    _Column("took", _field("seconds"), seconds_text),
    _Column("outcome", lambda probe: probe, _probe_ending),
)


def measurement_grid(loaded: LoadedRun) -> Grid:
    """Return every measurement of a run as texts, in the order of the run."""
    facts = zip(loaded.measurements["label"], loaded.run.measurements, strict=True)
    return _labelled_grid(_MEASUREMENT, facts, failed=lambda m: m.outcome.status is not Status.OK)


def wall_grid(loaded: LoadedRun) -> Grid:
    """Return every wall certificate of a run as texts."""
    return _labelled_grid(
        _WALL,
        labelled_walls(loaded),
        failed=lambda wall: wall.status is WallStatus.UNPROVEN,
    )


def probe_grid(probes: Iterable[Probe]) -> Grid:
    """Return the runs of one wall search as texts, in the order in which they ran."""
    return _grid(_PROBE, [(p, p.outcome.status is not Status.OK, ()) for p in probes])


def measurement_table(loaded: LoadedRun, *, width: int | None = None) -> Table:
    """Return every measurement of a run as a terminal table.

    Args:
        loaded: the run.
        width: characters of the terminal; columns that matter less are left out until
            the rest fits. None for no bound.
    """
    return grid_table(_narrowed(measurement_grid(loaded), _LESS_IMPORTANT, width))


def wall_table(loaded: LoadedRun, *, width: int | None = None) -> Table:
    """Return every wall certificate of a run as a terminal table; ``width`` as above."""
    return grid_table(_narrowed(wall_grid(loaded), _LESS_IMPORTANT_OF_WALLS, width))


def _labelled_grid(
    columns: Sequence[_Column],
    facts: Iterable[tuple[str, Any]],
    *,
    failed: Callable[[Any], bool],
) -> Grid:
    grid = _grid(columns, [(fact, failed(fact), (str(label),)) for label, fact in facts])
    return Grid(
        headings=("scenario", *grid.headings), numeric=(False, *grid.numeric), rows=grid.rows
    )


def _grid(columns: Sequence[_Column], facts: Iterable[tuple[Any, bool, tuple[str, ...]]]) -> Grid:
    numbers = {bytes_text, count_text, seconds_text, size_text, times_text, _figure}
    return Grid(
        headings=tuple(column.heading for column in columns),
        numeric=tuple(column.text in numbers for column in columns),
        rows=tuple(
            GridRow(cells=(*leading, *(column.cell(fact) for column in columns)), failed=failed)
            for fact, failed, leading in facts
        ),
    )


def _narrowed(grid: Grid, less_important: Sequence[str], width: int | None) -> Grid:
    """Return the grid without as many of these columns as it takes to fit the width."""
    for heading in less_important if width is not None else ():
        if _width(grid) <= (width or 0):
            break
        if heading in grid.headings:
            grid = _without(grid, heading)
    return grid


def _width(grid: Grid) -> int:
    """Return the characters that a grid needs, the column that gives way wrapped to a short one."""
    columns = zip(grid.headings, *(row.cells for row in grid.rows), strict=True)
    widths = [max(len(heading), *map(len, cells), 0) for heading, *cells in columns]
    wraps = _giving_way(grid)
    widths[wraps] = min(widths[wraps], _SHORT)
    return sum(widths) + len(grid.headings) * _GAP


def _without(grid: Grid, heading: str) -> Grid:
    at = grid.headings.index(heading)

    def rest(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*items[:at], *items[at + 1 :])

    return Grid(
        headings=rest(grid.headings),
        numeric=rest(grid.numeric),
        rows=tuple(GridRow(cells=rest(row.cells), failed=row.failed) for row in grid.rows),
    )


def grid_table(
    grid: Grid, *, less_important: Sequence[str] = (), width: int | None = None
) -> Table:
    """Return a grid as a terminal table.

    Args:
        grid: the table.
        less_important: headings of columns to leave out, in this order, until the rest fits.
        width: characters of the terminal; None for no bound.
    """
    grid = _narrowed(grid, less_important, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for at, (heading, numeric) in enumerate(zip(grid.headings, grid.numeric, strict=True)):
        # One column alone gives way: names and numbers cut short say nothing.
        gives_way = at == _giving_way(grid)
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            no_wrap=not gives_way,
            overflow="fold" if gives_way else "ellipsis",
        )
    for row in grid.rows:
        # Text, not markup: a reason such as "OOM for tensor [652,32]" holds brackets.
        table.add_row(*map(Text, row.cells), style="red" if row.failed else None)
    return table


def _giving_way(grid: Grid) -> int:
    """Return the position of the column that may wrap: the last if it is text, else the first."""
    return 0 if grid.numeric[-1] else len(grid.numeric) - 1
