"""A table in a terminal: as many columns as fit, those that matter most, in short rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

from profiler.plain_text import encodable, one_line
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import list_text

__all__ = ["FittedTable", "fitted"]

_GAP = 2
_LINES = 2
# A column of words needs this much, a name that is cut no more.
_WORDS, _NAME, _LEAST = 16, 24, 8


@dataclass(frozen=True, kw_only=True)
class FittedTable:
    """What of a table is shown at a width.

    Attributes:
        grid: the columns that are left, their cells in lines that fit.
        left_out: the headings of the others.
        is_cut: whether a cell was cut short.
    """

    grid: Grid
    left_out: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def table(self) -> Table:
        """The table for a terminal."""
        table = Table(
            box=box.SIMPLE_HEAD,
            padding=(0, _GAP - 1, 0, 0),
            pad_edge=False,
            show_edge=False,
            header_style="bold",
        )
        for heading, numeric in zip(self.grid.headings, self.grid.numeric, strict=True):
            table.add_column(Text(heading), justify="right" if numeric else "left", no_wrap=True)
        for row in self.grid.rows:
            # Text, not markup: a reason such as "OOM for tensor [652,32]" holds brackets.
            style = "red" if row.failed else "dim" if row.quiet else None
            table.add_row(*map(Text, row.cells), style=style)
        return table

    @property
    def note(self) -> str | None:
        """What is not shown, and how to see it; None where all is."""
        parts = [f"not shown at this width: {list_text(self.left_out)}"] if self.left_out else []
        parts += ["cells cut short"] if self.is_cut else []
        return f"({'; '.join(parts)}: use a wider terminal, or --json)" if parts else None


def fitted(grid: Grid, width: int, *, encoding: str | None = None) -> FittedTable:
    """Return what of a table is shown at a width.

    First the last column of words is broken into lines, then columns go in the order of
    ``grid.least``, then names are cut, and at last all columns but two go.

    Args:
        grid: the table.
        width: characters of the terminal.
        encoding: of the terminal; characters that it lacks are replaced.
    """
    whole = _plain(grid, encoding)
    kept = list(range(len(whole.headings)))
    columns = [_Column.of(whole, at) for at in kept]
    if not columns or _needed(columns, kept) <= width:
        return FittedTable(grid=whole)
    for at in _leaving(whole):
        if _needed(columns, kept, short=True) <= width:
            break
        # Short names and words tell more than whole ones and nothing beside them.
        if whole.headings[at] not in whole.least and _needed(columns, kept, least=True) <= width:
            break
        kept.remove(at)
    cut = encodable("…", encoding)
    return _laid_out(whole, columns, kept, width, cut if len(cut) == 1 else "~")


@dataclass(frozen=True, kw_only=True)
class _Column:
    """A column's widths: in full, broken into lines, and with names and words cut."""

    full: int
    short: int
    least: int

    @classmethod
    def of(cls, grid: Grid, at: int) -> _Column:
        body = max((cell_len(row.cells[at]) for row in grid.rows), default=0)
        short = least = body
        if at == _words(grid):
            short = min(body, max(_WORDS, -(-body // _LINES) + 4))
            least = min(body, _WORDS)
        elif at == 0:
            least = min(body, _NAME)
        heading = grid.headings[at]
        broken = max(map(cell_len, _broken_heading(heading).split("\n")))
        return cls(
            full=max(body, cell_len(heading)), short=max(short, broken), least=max(least, broken)
        )


def _plain(grid: Grid, encoding: str | None) -> Grid:
    def texts(cells: Iterable[str]) -> tuple[str, ...]:
        return tuple(encodable(one_line(cell), encoding) for cell in cells)

    rows = tuple(replace(row, cells=texts(row.cells)) for row in grid.rows)
    return replace(grid, headings=texts(grid.headings), least=texts(grid.least), rows=rows)


def _words(grid: Grid) -> int | None:
    """Return the position of the column whose cells may take several lines: the last, if words."""
    last = len(grid.numeric) - 1
    return last if last > 0 and not grid.numeric[last] else None


def _leaving(grid: Grid) -> list[int]:
    """Return the columns in the order in which they go; the first one and one more stay."""
    named = [grid.headings.index(one) for one in grid.least if one in grid.headings[1:]]
    rest = [at for at in range(len(grid.headings) - 1, 0, -1) if at not in named]
    return [*named, *rest][:-1]


def _needed(
    columns: Sequence[_Column], kept: Sequence[int], *, short: bool = False, least: bool = False
) -> int:
    """Return the characters that these columns take: in full, broken into lines, or cut."""
    widths = [
        columns[at].least if least else columns[at].short if short else columns[at].full
        for at in kept
    ]
    return sum(widths) + _GAP * max(0, len(kept) - 1)


def _laid_out(
    grid: Grid, columns: Sequence[_Column], kept: Sequence[int], width: int, cut: str
) -> FittedTable:
    """Return the kept columns at their widths; ``cut`` stands where a cell ends early."""
    widths = {at: columns[at].short for at in kept}
    spare = width - _needed(columns, kept, short=True)
    # What is missing is taken from the words and the names, then also from numbers.
    for at in sorted(kept, reverse=True):
        less = min(max(0, -spare), widths[at] - columns[at].least)
        widths[at] -= less
        spare += less
    for at in sorted({0, kept[-1]}):
        less = min(max(0, -spare), max(0, widths[at] - _LEAST))
        widths[at] -= less
        spare += less
    for at in sorted(kept, key=lambda at: at == _words(grid)):
        more = min(max(0, spare), columns[at].full - widths[at])
        if at == _words(grid) or more == columns[at].full - widths[at]:
            widths[at] += more
            spare -= more
    rows = [tuple(_fitted_cell(grid, row, at, widths[at], cut) for at in kept) for row in grid.rows]
    is_cut = any(
        "".join(cell.split()) != "".join(row.cells[at].split())
        for row, cells in zip(grid.rows, rows, strict=True)
        for at, cell in zip(kept, cells, strict=True)
    )
    shown = Grid(
        headings=tuple(_heading(grid.headings[at], widths[at], cut) for at in kept),
        numeric=tuple(grid.numeric[at] for at in kept),
        rows=tuple(
            GridRow(cells=cells, failed=row.failed, quiet=row.quiet)
            for row, cells in zip(grid.rows, rows, strict=True)
        ),
    )
    left_out = tuple(one for at, one in enumerate(grid.headings) if at not in kept)
    return FittedTable(grid=shown, left_out=left_out, is_cut=is_cut)


def _fitted_cell(grid: Grid, row: GridRow, at: int, width: int, cut: str) -> str:
    text = row.cells[at]
    if grid.numeric[at] and cell_len(text) > width:
        return cut  # a part of a number would be another number
    return _cell(text, width, cut, lines=_LINES if at == _words(grid) else 1)


def _cell(text: str, width: int, cut: str, *, lines: int) -> str:
    """Return a cell in at most so many lines; a name that is too long keeps its two ends."""
    if cell_len(text) <= width:
        return text
    if lines == 1:
        head = (width - 1) // 2
        tail = width - 1 - head
        return set_cell_size(text, head).rstrip() + cut + _end(text, tail)
    # Wide characters take two places each, and wrap counts characters.
    room = width if cell_len(text) == len(text) else max(1, width // 2)
    first, *more = wrap(text, room)
    if len(more) < lines:
        return "\n".join([first, *more])
    return "\n".join([first, *more[: lines - 2], set_cell_size(more[lines - 2], room - 1) + cut])


def _end(text: str, width: int) -> str:
    found = ""
    for character in reversed(text):
        if cell_len(character + found) > width:
            break
        found = character + found
    return found


def _heading(text: str, width: int, cut: str) -> str:
    if cell_len(text) <= width:
        return text
    return "\n".join(_cell(line, width, cut, lines=1) for line in _broken_heading(text).split("\n"))


def _broken_heading(text: str) -> str:
    """Return a heading in two lines, as even as its spaces allow."""
    spaces = [at for at, character in enumerate(text) if character == " "]
    if not spaces:
        return text
    at = min(spaces, key=lambda at: max(at, len(text) - at - 1))
    return f"{text[:at]}\n{text[at + 1 :]}"
