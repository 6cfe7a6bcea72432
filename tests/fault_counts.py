"""What tests do to stepwall, and what it survives, counted where ``STEPWALL_FAULTS`` names a file.

``make faults`` (``tests/count_faults.py``) sets it, and makes ``docs/reliability.md`` of the file.
Tests that can do more than the test run has time for do it then.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sized
from dataclasses import asdict, dataclass
from pathlib import Path

from _pytest.outcomes import Skipped

FILE = os.environ.get("STEPWALL_FAULTS")
IS_WHOLE = FILE is not None
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(kw_only=True)
class Try:
    """One fault that stepwall was put to.

    Attributes:
        point: which of the points of ``docs/reliability.md`` it belongs to.
        kind: what was done.
        by: the file that did it.
        survived: whether all that is promised held.
        lost: what was lost, doubled, left over or changed that should not be; None: not looked at.
    """

    point: int
    kind: str
    by: str
    survived: bool = False
    lost: int | None = None


_open: list[Try] = []


@contextlib.contextmanager
def fault(point: int, kind: str) -> Iterator[None]:
    """Count one try, in a ``with`` block or over a whole test: what raises has not survived."""
    this = Try(point=point, kind=kind, by=_running())
    _open.append(this)
    try:
        yield
        this.survived = True
    except Skipped:
        this.by = ""
        raise
    finally:
        _open.remove(this)
        if this.by:
            note(this)


def none_lost(things: Sized) -> None:
    """Check that nothing is lost, doubled, left over or changed, and count it in the open try."""
    for one in _open[-1:]:
        one.lost = (one.lost or 0) + len(things)
    assert len(things) == 0, things


def note(one: Try) -> None:
    """Add a try to the file of counts."""
    if FILE is not None:
        line = json.dumps(asdict(one)) + "\n"
        with Path(FILE).open("a") as file:
            file.write(line)


def _running() -> str:
    """Return the file of the test that runs, else of the program."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    return test or str(Path(sys.argv[0]).resolve().relative_to(_ROOT))
