"""The script for a real card: what it makes of results, and what is said until it has run."""

from __future__ import annotations

import functools
import os
import re
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import on_gpu
import pytest
from markdown_it import MarkdownIt

from profiler import frameworks
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


def test_the_tables_of_two_frameworks_do_not_touch_each_other() -> None:
    """Each has markers of its own; both stand in the document."""
    text = on_gpu.DOCS.read_text("utf-8")
    mine, other = (on_gpu.PLANS[name].begin for name in ("torch", "tensorflow"))
    found = on_gpu.replaced(on_gpu.replaced(text, ["my table"], mine), ["its table"], other)

    assert found.count("my table") == found.count("its table") == 1
    assert on_gpu.replaced(on_gpu.replaced(found, [UNTRIED], mine), [UNTRIED], other) == text


def _trial(tmp_path: Path, *, ends: float = float("inf")) -> on_gpu.Trial:
    return on_gpu.Trial(
        device="cpu", limit="1MiB", steps="1", results=tmp_path, stamp="x", ends=ends
    )


class TestTime:
    """No check is waited for beyond the end; the others go on."""

    def test_what_is_not_begun_in_time_is_told(self, tmp_path: Path) -> None:
        """As a row that does not hold."""
        (row,) = _trial(tmp_path, ends=0.0).rows("a --set b=1")

        assert row.fault is not None
        assert row.fault.startswith("`stepwall profile a --set b=1 --steps=1 ")
        assert row.fault.endswith("was not run: time is up")

    def test_what_takes_too_long_is_ended(self, tmp_path: Path) -> None:
        """And is told otherwise."""
        trial = _trial(tmp_path, ends=time.monotonic() + 0.5)

        with pytest.raises(on_gpu.CommandError, match="`a nap` was ended: time is up"):
            trial._told([sys.executable, "-c", "import time; time.sleep(600)"], "a nap")


class TestAnswers:
    """The last line that a command prints is its answer: libraries print what they like."""

    def _answer(self, tmp_path: Path, printed: str) -> object:
        return _trial(tmp_path)._told([sys.executable, "-c", f"print({printed!r})"], "it")

    def test_what_stands_before_it_is_no_answer(self, tmp_path: Path) -> None:
        """A profiler of PyTorch's logs to the same place."""
        assert self._answer(tmp_path, 'noise {\n{"a": 1}') == {"a": 1}

    def test_an_answer_of_many_lines_is_one(self, tmp_path: Path) -> None:
        """As stepwall's own commands print."""
        assert self._answer(tmp_path, '{\n"a": [1,\n2]}') == {"a": [1, 2]}

    def test_without_one_the_exit_code_is_told(self, tmp_path: Path) -> None:
        """And which command it was."""
        with pytest.raises(on_gpu.CommandError, match="`it` ended with code 0"):
            self._answer(tmp_path, "nothing of use")


def test_a_wall_is_told_with_what_survives_again_beyond_it() -> None:
    """Of both walls that are compared, so that an island counts."""
    found = {"last_ok": 154, "first_oom": 155, "islands": [{"first": 160, "last": 160}]}

    assert on_gpu._ends(found) == "154 survive, 155 run out; 160 again"
    assert on_gpu._ends(found | {"islands": []}) == "154 survive, 155 run out"


def test_frameworks_are_found_where_stepwall_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the entry points of its pyproject, in this process and in those that it starts."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "/else")
    monkeypatch.setattr(frameworks, "installed", functools.cache(dict))
    on_gpu.let_frameworks_be_found(tmp_path)
    found = {one.name: one.value for one in entry_points(group="stepwall.frameworks")}

    assert found["torch"] == "profiler.frameworks.torch:FRAMEWORK"
    assert found["tensorflow"] == "profiler.frameworks.tensorflow:FRAMEWORK"
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [
        *(str(tmp_path), str(on_gpu.ROOT)),
        "/else",
    ]


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
    tables = [
        text.partition(plan.begin)[2].partition(on_gpu.END)[0].strip()
        for plan in on_gpu.PLANS.values()
    ]
    untried = [table == UNTRIED for table in tables]

    assert all(one or table.count("\n|") > 2 for one, table in zip(untried, tables, strict=True))
    assert all(untried) == ("have not run the GPU path on a real card" in doctor_._UNTRIED)
