"""Markdown shows what it is given, whoever wrote it."""

from __future__ import annotations

import html
import re

import pytest
import report_samples as samples
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from profiler.facts import replace
from profiler.plain_text import one_line
from reports.pages.markdown import run_markdown
from reports.tables.grid import Grid, GridRow
from reports.texts import markdown

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="`|*_[]()<>&#@!~\\-+=1.) ab\n\t:/\"'", max_size=30),
)


def shown(text: str) -> str:
    """Return what a reader sees of HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def _same(text: str, read: str) -> bool:
    return read.split() == one_line(text).split()


@given(ANYTHING)
@example("__0__")
def test_a_text_is_shown_as_it_stands(text: str) -> None:
    """No heading, list, link, code, tag or emphasis comes of it."""
    read = READER.render(markdown.escaped(text))

    assert set(re.findall(r"<(\w+)", read)) <= {"p"}
    assert _same(text, shown(read))


@given(ANYTHING, ANYTHING)
def test_a_cell_is_shown_as_it_stands(first: str, second: str) -> None:
    """A bar ends no cell, a line break no row."""
    grid = Grid(
        headings=("one", "two"), numeric=(False, True), rows=(GridRow(cells=(first, second)),)
    )
    read = READER.render("\n".join(markdown.table(grid)))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", read, re.DOTALL)

    assert set(re.findall(r"<(\w+)", read)) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert [_same(*pair) for pair in zip((first, second), map(shown, cells), strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a|b", r"a\|b"),
        ("`code`", r"\`code\`"),
        ("<script>", "&lt;script&gt;"),
        ("static_rnn", "static_rnn"),
        ("_x_", r"\_x\_"),
        ("129.3 KiB", "129.3 KiB"),
        ("- 60.4 ms", r"\- 60.4 ms"),
        ("1. first", r"1\. first"),
        ("@someone #12", "&#64;someone &#35;12"),
        ("\x1b[31mred", r"\\x1b\[31mred"),
    ],
)
def test_only_what_would_be_markup_is_escaped(text: str, written: str) -> None:
    """So that it reads well as plain text, too."""
    assert markdown.escaped(text) == written


def test_the_columns_stand_below_one_another_in_plain_text() -> None:
    """All lines of a table are of one length."""
    grid = Grid(
        headings=("scenario", "n"),
        numeric=(False, True),
        rows=(GridRow(cells=("a", "1")), GridRow(cells=("longer_name", "1,234"))),
    )

    assert markdown.table(grid) == [
        "| scenario    |     n |",
        "| ----------- | ----: |",
        "| a           |     1 |",
        "| longer_name | 1,234 |",
    ]


def test_a_run_begins_with_its_answer_and_folds_the_rest() -> None:
    """One title, at most three sentences, one small table, then details."""
    text = run_markdown(samples.contrast())
    before, _, after = text.partition("<details>")
    blocks = [block for block in before.split("\n\n") if block.strip()]

    assert blocks[0].startswith("## ")
    assert 1 <= sum(block.endswith(".") for block in blocks) <= 3
    assert sum(block.startswith("|") for block in blocks) == 1
    assert after.count("</details>") == text.count("<details>") >= 3


def test_what_an_author_wrote_opens_no_tag() -> None:
    """Names and reasons come from scenarios."""
    point = samples.failed(samples.measured())
    bad = "</details><img src=x onerror=alert(1)> \x1b]8;; `|`"
    outcome = replace(point.outcome, reason=bad, shortage=None)
    named = replace(point, outcome=outcome, notes=[bad])
    text = run_markdown(samples.loaded([named, samples.measured(steps=16)]))

    assert "<img" not in text
    assert "\x1b" not in text
    assert text.count("<details>") == text.count("</details>")
