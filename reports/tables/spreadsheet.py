"""A table as CSV text that is safe to open in a spreadsheet program."""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["csv_text", "harmless"]

# What begins a formula, also in full width, and behind blanks and control characters: programs
# leave these out. Any of the first three alone is one more way to hide what follows.
_FORMULA = re.compile(r"[\t\r\n]|[\s\x00-\x20\u200b-\u200f\u2060\ufeff]*[-=+@＝＋－＠]")  # noqa: RUF001


def harmless(text: str) -> str:
    """Return a text as a cell that no spreadsheet program takes for a formula.

    A text that may begin one gets an apostrophe in front, as such programs mark texts. Line ends
    within it become newlines: Python 3.11 writes a carriage return without quotes, and what
    follows it would be a row of its own.
    """
    quoted = f"'{text}" if _FORMULA.match(text) else text
    return quoted.replace("\r\n", "\n").replace("\r", "\n")


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, without its index: numbers as they are, texts made harmless."""
    texts = frame.select_dtypes(exclude=["number", "bool"])
    cells = {name: texts[name].map(_cell) for name in texts.columns}
    written = frame.assign(**cells).rename(columns=harmless)
    return written.to_csv(index=False, lineterminator="\n")


def _cell(value: object) -> object:
    return harmless(value) if isinstance(value, str) else value
