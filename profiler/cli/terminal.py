"""Where text leaves the command line: the only module that writes to a terminal."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

from profiler.plain_text import encodable, plain

if TYPE_CHECKING:
    from rich.console import Console

# Characters of a table where stdout is a file or a pipe.
_WIDE = 200
_INDENT = 4


def say(text: str = "") -> None:
    """Print a text to stdout."""
    _write(sys.stdout, text)


def warn(text: str) -> None:
    """Print a line to stderr, marked as ours."""
    _write(sys.stderr, f"stepwall: {text}")


def tell(text: str) -> None:
    """Print what goes on to stderr."""
    _write(sys.stderr, text)


def width() -> int:
    """Return the characters of a line: of the terminal, or as COLUMNS says; plenty in a pipe."""
    return shutil.get_terminal_size().columns if _is_bounded() else _WIDE


def folded(text: str) -> str:
    """Return a text broken into lines of the terminal, later ones indented; in a pipe as it is."""
    if not _is_bounded():
        return text
    return "\n".join(_fold(line) for line in text.split("\n"))


def console() -> Console:
    """Return what prints tables to stdout, whose cells must be plain."""
    from rich.console import Console

    return Console(file=sys.stdout, width=width(), emoji=False, markup=False, highlight=False)


def encoding() -> str | None:
    """Return the encoding of stdout."""
    return getattr(sys.stdout, "encoding", None)


def _is_bounded() -> bool:
    return sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()


def _fold(line: str) -> str:
    if len(line) <= width():
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line.strip(),
        width=max(20, width()),
        initial_indent=indent,
        subsequent_indent=f"{indent}{' ' * _INDENT}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(encodable(plain(text), getattr(stream, "encoding", None)) + "\n")
        stream.flush()
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise BrokenPipeError(*error.args) from error  # a terminal that is gone
