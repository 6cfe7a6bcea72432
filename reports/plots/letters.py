"""The letters of a figure: texts of others as they stand, also those that the font lacks."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.text import Text

from profiler.plain_text import plain

__all__ = ["missing_letters_allowed", "shortened", "with_short_lines", "written_out"]


def written_out(figure: Figure) -> Figure:
    """Return the figure with all that a terminal would obey written out.

    An SVG file with a control character in it is no XML.
    """
    for one in figure.findobj(Text):
        if isinstance(one, Text):
            one.set_text(plain(one.get_text()))
    return figure


def with_short_lines(figure: Figure, widest: int) -> Figure:
    """Return the figure with no line of text that has more characters than that."""
    for one in figure.findobj(Text):
        if isinstance(one, Text):
            one.set_text(shortened(one.get_text(), widest))
    return figure


def shortened(text: str, widest: int) -> str:
    """Return a text without the middles of its lines that are longer than that."""
    half = (widest - 1) // 2
    return "\n".join(
        line if len(line) <= widest else f"{line[:half]}…{line[-half:]}"
        for line in text.split("\n")
    )


@contextlib.contextmanager
def missing_letters_allowed() -> Iterator[None]:
    """Let a letter that the font lacks be drawn as a box, which says it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
