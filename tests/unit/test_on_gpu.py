"""The script for a real card: what it makes of results, and what is said until it has run."""

from __future__ import annotations

import re

import on_gpu
import pytest
from markdown_it import MarkdownIt

from profiler.cli import doctor_
from profiler.errors import UsageError

UNTRIED = "It has not been run on a real card yet."


def test_the_table_has_a_row_for_each_check() -> None:
    """Whatever stands in a cell; what does not hold says why."""
    rows = [
        on_gpu.Row(scenario="a", check="one | two", expected="1", real="1"),
        on_gpu.Row(scenario="b", check="other", fault="it broke\nhere"),
    ]
    html = MarkdownIt("commonmark").enable("table").render("\n".join(on_gpu.table(rows)))
    cells = re.findall(r"<td>(.*?)</td>", html)

    assert cells[:5] == ["a", "one / two", "1", "1", "yes"]
    assert cells[5:] == ["b", "other", "–", "–", "<strong>no</strong>: it broke here"]  # noqa: RUF001


def test_a_document_keeps_what_stands_around_the_markers() -> None:
    """Also when the script runs again."""
    text = f"above\n{on_gpu.BEGIN}\nold\n{on_gpu.END}\nbelow\n"
    once = on_gpu.replaced(text, ["new"])

    assert once == f"above\n{on_gpu.BEGIN}\nnew\n{on_gpu.END}\nbelow\n"
    assert on_gpu.replaced(once, ["new"]) == once


@pytest.mark.parametrize("text", ["", on_gpu.BEGIN, on_gpu.END, f"{on_gpu.END}{on_gpu.BEGIN}"])
def test_a_document_without_markers_is_refused(text: str) -> None:
    """Before anything is run."""
    with pytest.raises(UsageError, match="no line <!-- begin"):
        on_gpu.replaced(text, ["new"])


@pytest.mark.parametrize(
    ("status", "holds"), [("exact", True), ("unproven", False), ("at_least", False)]
)
def test_a_wall_holds_where_both_ends_were_run(status: str, *, holds: bool) -> None:
    """A bound is told as what it is."""
    found = {"status": status, "last_ok": 1200, "first_oom": 1201, "predicted": 1199.2}
    row = on_gpu._wall("a", found)

    assert (row.expected, row.real) == ("1,199 predicted", "1,200 survive, 1,201 run out")
    assert (row.fault is None) == holds
    assert holds or (row.fault or "").startswith(status)


def test_the_docs_and_the_doctor_say_the_same() -> None:
    """Until the table is there, that nobody has run it; from then on neither says so."""
    text = on_gpu.DOCS.read_text("utf-8")
    table = text.partition(on_gpu.BEGIN)[2].partition(on_gpu.END)[0].strip()
    is_untried = table == UNTRIED

    assert is_untried or table.count("\n|") > 2
    assert is_untried == ("has not been run by us on a real card" in doctor_._UNTRIED)
