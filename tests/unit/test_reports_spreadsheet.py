"""A CSV file keeps every number and text, and holds nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
import pytest
import report_samples as samples
from hypothesis import example, given
from hypothesis import strategies as st

from profiler.facts import Outcome, Status, replace
from profiler.store.frames import frames
from reports.pages.exports import laws_csv, measurements_csv, trade_offs_csv, walls_csv
from reports.tables.spreadsheet import csv_text, harmless

STARTS = tuple("=+-@\t\r\n")
NUMBER = re.compile(r"-[0-9.]+(e[-+]?[0-9]+)?")
HOSTILE = '=cmd|" /C calc"!A1'
# Control characters that end a line for str.splitlines are no line ends of CSV.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(TEXTS)
@example("a\r=1+1")
@example("\r\n=1+1")
def test_no_cell_begins_a_formula(text: str) -> None:
    """Whatever blanks stand before it; and a text is one cell, which keeps what it says."""
    header, first, second = _rows(csv_text(pd.DataFrame({"a": [text, None], "b": [1, 2]})))
    cell, number = first

    assert not cell.startswith(STARTS)
    assert not cell.lstrip().startswith(STARTS)
    assert cell.removeprefix("'") == re.sub("\r\n?", "\n", text).removeprefix("'")
    assert (header, number, second) == (["a", "b"], "1", ["", "2"])


@pytest.mark.parametrize("start", [*STARTS, " =", "\u00a0+", "\ufeff-", "＝", "＠", " \t@"])  # noqa: RUF001
def test_what_begins_a_formula_is_marked_as_text(start: str) -> None:
    """An apostrophe is how spreadsheet programs mark it themselves."""
    assert harmless(f"{start}1").startswith("'")


@given(st.text("abcXYZ019 ·_/[]{}()<>:;,.'\"", min_size=1).filter(lambda text: text[0] != "'"))
def test_other_texts_are_left_alone(text: str) -> None:
    """Among them the JSON texts of parameters."""
    assert harmless(text) == text


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_stay_numbers(values: list[float]) -> None:
    """Also negative ones, and those of a column that has gaps."""
    lines = csv_text(pd.DataFrame({"a": values, "b": pd.array([-1] * len(values), "Int64")}))
    _, *rows = _rows(lines)

    assert [float(row[0]) for row in rows] == values
    assert {row[1] for row in rows} == {"-1"}


def test_names_of_columns_are_harmless_too() -> None:
    """A framework names its phases and stages."""
    assert _rows(csv_text(pd.DataFrame({HOSTILE: [1]}))) == [[f"'{HOSTILE}"], ["1"]]


def test_every_csv_file_of_a_run_is_harmless() -> None:
    """Names, parameters and reasons are an author's or a framework's texts."""
    point = replace(
        samples.measured().point, scenario=HOSTILE, family="@SUM(1)", parameters={"-x": HOSTILE}
    )
    end = Outcome(status=Status.ERROR, reason="+1\r=2", phase="-phase")
    points = [
        replace(samples.measured(), point=replace(point, steps=steps), outcome=end)
        for steps in (8, 16)
    ]
    wall = replace(samples.wall(last_ok=10), scenario=HOSTILE, reason="\t=1", device="@1")
    results = samples.loaded(points, walls=[wall])
    loaded = frames(results)
    written = (
        measurements_csv(loaded),
        walls_csv(loaded),
        laws_csv(results),
        trade_offs_csv(results),
    )
    cells = [cell for text in written for row in _rows(text) for cell in row]

    assert [cell for cell in cells if cell.startswith(STARTS) and not NUMBER.fullmatch(cell)] == []
    assert f"'{HOSTILE}" in cells
