"""Markdown that reads well as plain text too; what others wrote cannot be taken for markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from profiler.plain_text import one_line
from reports.tables.grid import Grid

__all__ = ["details", "escaped", "table"]

# What makes markup of a text wherever it stands: emphasis, code, links, tables, strikethrough.
_MARKUP = re.compile(r"([\\`*\[\]|~])")
# An underscore between letters or digits is none, but any other one is.
_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# At the beginning of a line: headings, rules and lists.
_START = re.compile(r"^([#+\-=]|\d+(?=[.)](?:\s|$)))")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What a page of pull requests makes links and calls of.
_AT = re.compile(r"@(?=\w)|#(?=\d)|(?<=\w)://")
_JOIN = {"@": "&#64;", "#": "&#35;", "://": "&#58;//"}


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it as it stands, in one line of its own."""
    return _START.sub(_escape_start, _within(text))


def _within(text: str) -> str:
    """Return a text within a line."""
    plain = "".join(_HTML.get(letter, letter) for letter in one_line(text))
    marked = _EDGE.sub(r"\\_", _MARKUP.sub(r"\\\1", plain))
    return _AT.sub(lambda found: _JOIN[found[0]], marked)


def _escape_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def table(grid: Grid) -> list[str]:
    """Return a table whose columns stand below one another in plain text, too."""
    rows = [list(map(_within, grid.headings))]
    rows += [list(map(_within, row.cells)) for row in grid.rows]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    kinds = list(zip(widths, grid.numeric, strict=True))
    lines = [_row(row, kinds) for row in rows]
    dashes = ["-" * (width - 1) + ":" if numeric else "-" * width for width, numeric in kinds]
    return [lines[0], f"| {' | '.join(dashes)} |", *lines[1:]]


def _row(cells: Iterable[str], kinds: list[tuple[int, bool]]) -> str:
    padded = (
        cell.rjust(width) if numeric else cell.ljust(width)
        for cell, (width, numeric) in zip(cells, kinds, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def details(title: str, lines: Iterable[str]) -> list[str]:
    """Return lines that are folded away below their title."""
    return [
        "<details>",
        f"<summary>{html.escape(one_line(title), quote=False)}</summary>",
        "",
        *lines,
        "",
        "</details>",
        "",
    ]
