"""A process that waits is noticed once; one that works is left alone."""

from __future__ import annotations

import functools
import hashlib
import sys
import threading
import time
from pathlib import Path

import pytest

from profiler.frameworks import stall_watch

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PATIENCE_S = 10.0
STALL_S = 0.2
LONG_S = 2.5 * STALL_S

StallWatch = functools.partial(stall_watch.StallWatch, stall_s=STALL_S, poll_s=0.02)


class _Calls:
    """Counts the calls back, and waits for one."""

    def __init__(self) -> None:
        self.count = 0
        self.called = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self.called.set()


@pytest.fixture
def calls() -> _Calls:
    """The call back of the test."""
    return _Calls()


@linux
def test_a_process_that_waits_is_noticed_once(calls: _Calls) -> None:
    """However long it goes on waiting."""
    with StallWatch(calls) as watch:
        assert calls.called.wait(PATIENCE_S)
        watch._thread.join(PATIENCE_S)
        ended = not watch._thread.is_alive()

    assert ended
    assert calls.count == 1


@linux
def test_a_process_that_works_has_not_stalled(calls: _Calls) -> None:
    """Nor does what it did before make up for what it does now."""
    with StallWatch(calls):
        _work(LONG_S)

    assert calls.count == 0


@linux
def test_work_in_any_thread_counts(calls: _Calls) -> None:
    """The one that entered may wait for another."""
    worker = threading.Thread(target=_work, args=(LONG_S,))
    with StallWatch(calls):
        worker.start()
        worker.join()

    assert calls.count == 0


@linux
def test_a_stall_after_work_is_noticed(calls: _Calls) -> None:
    """The time of the work is no excuse."""
    with StallWatch(calls):
        _work(STALL_S / 2)

        assert calls.called.wait(PATIENCE_S)


def test_a_short_wait_is_none(calls: _Calls) -> None:
    """As any step has them."""
    with StallWatch(calls, stall_s=PATIENCE_S):
        time.sleep(STALL_S)

    assert calls.count == 0


def test_where_threads_cannot_be_read_nothing_is_said(
    calls: _Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that cannot be had is none."""
    monkeypatch.setattr(stall_watch, "_TASKS", tmp_path / "missing")
    with StallWatch(calls):
        time.sleep(LONG_S)

    assert calls.count == 0


@pytest.mark.parametrize("state", ["R", "D"])
def test_another_thread_wants_the_processor(tasks: Path, state: str) -> None:
    """It runs, or waits for the disk, whatever it calls itself."""
    _thread(tasks, 8, state)

    assert stall_watch._wants_processor(7)


@pytest.mark.parametrize("state", ["S", "Z", "t"])
def test_the_watching_thread_does_not_count(tasks: Path, state: str) -> None:
    """It is awake to look; no other one is."""
    _thread(tasks, 8, state)

    assert not stall_watch._wants_processor(7)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The threads of a process; number 7 watches."""
    monkeypatch.setattr(stall_watch, "_TASKS", tmp_path)
    _thread(tmp_path, 7, "R")
    return tmp_path


def _thread(tasks: Path, number: int, state: str) -> None:
    (tasks / str(number)).mkdir()
    (tasks / str(number) / "stat").write_text(f"{number} (odd) R name) {state} 1 2 3\n")


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:  # outside of Python's lock: the thread never waits for it
        hashlib.pbkdf2_hmac("sha256", b"any", b"salt", 50_000)
