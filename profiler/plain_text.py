"""Texts of others, as a terminal may print them: names, docstrings, errors of scenarios."""

from __future__ import annotations

import codecs
import unicodedata

# A terminal that has no Unicode shows these instead of what we write.
_ASCII = {
    "\N{MIDDLE DOT}": "*",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{EN DASH}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{ALMOST EQUAL TO}": "~",
    "\N{MICRO SIGN}": "u",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{FULL BLOCK}": "#",
    "\N{MEDIUM SHADE}": "=",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT UP AND RIGHT}": "+",
}
_HANDLER = "stepwall.written"


def plain(text: str) -> str:
    r"""Return a text that a terminal prints as it stands.

    Whatever it would obey or hide (control characters, escape sequences, marks of the writing
    direction) is written out, as ``\x1b``. Line breaks and tabs stay, and end no sequence.
    """
    return "".join(map(_shown, text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """Return a plain text without line breaks, for a cell of a table."""
    return " ".join(plain(text).split())


def encodable(text: str, encoding: str | None) -> str:
    """Return a text of which this encoding has every character.

    The others are replaced by what looks like them, else written out.
    """
    known = encoding or "utf-8"
    try:
        return text.encode(known, _HANDLER).decode(known)
    except LookupError:  # a terminal that names no encoding that Python knows
        return text.encode("ascii", _HANDLER).decode()


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return " " if unicodedata.category(character) == "Zs" else _written(character)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_ASCII.get(one) or _written(one) for one in bad), error.end


codecs.register_error(_HANDLER, _replaced)
