"""What a scenario's author writes is printed, never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.plain_text import encodable, one_line, plain

# Control characters, format characters (of the writing direction, too), what is no character.
OBEYED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
ANYTHING = st.text(alphabet=st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]8;;http://bad\x1b\\click", r"\x1b]8;;http://bad\x1b\click"),
        ("\x9b31m", r"\x9b31m"),
        ("safe\rstepwall: fine", r"safe\rstepwall: fine"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("bell\a back\b", r"bell\x07 back\x08"),
        ("half \udc80", r"half \udc80"),
        ("line\u2028line", r"line\u2028line"),
        ("[red]a[/red] :smile: 内容 é", "[red]a[/red] :smile: 内容 é"),
        ("one\r\ntwo\tthree\xa0four", "one\ntwo\tthree four"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(given_text: str, shown: str) -> None:
    """Sequences that colour, link, go back or turn around lose their first character."""
    assert plain(given_text) == shown


@given(ANYTHING)
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    """Of any text; and what is plain stays as it is."""
    shown = plain(text)

    assert not [c for c in shown if unicodedata.category(c) in OBEYED and c not in "\n\t"]
    assert plain(shown) == shown


@given(ANYTHING)
def test_a_cell_has_one_line(text: str) -> None:
    """A line break would make a row a tower."""
    assert len(one_line(text).splitlines()) <= 1


@given(ANYTHING, st.sampled_from(["ascii", "latin-1", "utf-8", "cp437", "no such encoding", None]))
def test_any_encoding_can_print_any_text(text: str, encoding: str | None) -> None:
    """A terminal without Unicode ends no command."""
    shown = encodable(plain(text), encoding)

    known = encoding if encoding and " " not in encoding else "ascii" if encoding else "utf-8"
    assert shown.encode(known).decode(known) == shown


def test_what_has_a_likeness_in_ascii_is_replaced_by_it() -> None:
    """Laws, intervals and dashes stay readable."""
    assert encodable("46 + 17·T ± 2 – 3 × 4…", "ascii") == "46 + 17*T +/- 2 - 3 x 4..."  # noqa: RUF001
