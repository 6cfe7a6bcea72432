"""The page of faults says what its tests counted, and names what runs each row."""

from __future__ import annotations

import json
import re
from pathlib import Path

import count_faults
import fault_counts
import pytest
from fault_counts import Try, fault, none_lost

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which tries are counted."""
    path = tmp_path / "counts.jsonl"
    monkeypatch.setattr(fault_counts, "FILE", str(path))
    return path


def _read(path: Path) -> list[Try]:
    return [Try(**json.loads(line)) for line in path.read_text().splitlines()]


def test_a_try_that_raises_has_not_survived(counted: Path) -> None:
    """And what is lost in it is counted, in a block and over a whole function."""

    @fault(3, "whole")
    def whole() -> None:
        none_lost(["a point", "another"])

    with pytest.raises(AssertionError):
        whole()
    with fault(3, "block"):
        none_lost([])

    with fault(3, "block"):
        pass
    by = "tests/unit/test_count_faults.py"
    assert _read(counted) == [
        Try(point=3, kind="whole", by=by, survived=False, lost=2),
        Try(point=3, kind="block", by=by, survived=True, lost=0),
        Try(point=3, kind="block", by=by, survived=True, lost=None),
    ]


def test_a_try_that_is_skipped_is_none(counted: Path) -> None:
    """It has been neither tried nor survived."""
    with pytest.raises(pytest.skip.Exception), fault(3, "skipped"):
        pytest.skip("not here")

    assert not counted.exists()


def test_a_table_has_a_row_for_each_kind() -> None:
    """With what was tried, survived and lost, and by whom."""
    tries = [
        Try(point=3, kind="killed", by="tests/a.py", survived=True, lost=0),
        Try(point=3, kind="killed", by="tests/b.py", survived=False, lost=2),
        Try(point=3, kind="stopped", by="tests/a.py", survived=True),
    ]
    rows = [line for line in count_faults.table(3, tries) if line.startswith("| ")][1:]

    assert rows == [
        "| killed | 2 | 1 | 2 | `a.py`, `b.py` |",
        "| stopped | 1 | 1 |  | `a.py` |",
    ]


def test_each_program_is_there() -> None:
    """It is what counts the rows."""
    assert [one.path for one in count_faults.PROGRAMS if not (ROOT / one.path).is_file()] == []


def test_each_row_of_the_page_names_what_runs_it() -> None:
    """And nothing that is not run."""
    rows = re.findall(r"^\| .* \| (`[^|]*`) \|$", PAGE.read_text(), re.MULTILINE)
    named = {f"tests/{name}" for row in rows for name in re.findall(r"`([^`]*)`", row)}

    assert named <= {one.path for one in count_faults.PROGRAMS}
