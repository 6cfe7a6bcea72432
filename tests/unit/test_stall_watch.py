"""A process that waits is noticed once; one that works is left alone.

Each is tried in a fresh process: threads that other tests left in this one may work.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
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


def _calls_of(body: Callable[[_Calls], None]) -> int:
    """How often ``body``, in a process of its own, was called back."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_count, body).result()


def _count(body: Callable[[_Calls], None]) -> int:
    calls = _Calls()
    body(calls)
    return calls.count


def _wait(calls: _Calls) -> None:
    with StallWatch(calls) as watch:
        calls.called.wait(PATIENCE_S)
        watch._thread.join(PATIENCE_S)
        if watch._thread.is_alive():
            calls.count = -1  # it goes on watching


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:  # outside of Python's lock: the thread never waits for it
        hashlib.pbkdf2_hmac("sha256", b"any", b"salt", 50_000)


def _only_work(calls: _Calls) -> None:
    with StallWatch(calls):
        _work(LONG_S)


def _work_elsewhere(calls: _Calls) -> None:
    worker = threading.Thread(target=_work, args=(LONG_S,))
    with StallWatch(calls):
        worker.start()
        worker.join()


def _work_then_wait(calls: _Calls) -> None:
    with StallWatch(calls):
        _work(STALL_S / 2)
        calls.called.wait(PATIENCE_S)


def _wait_shortly(calls: _Calls) -> None:
    with StallWatch(calls, stall_s=PATIENCE_S):
        time.sleep(STALL_S)


def _wait_unseen(calls: _Calls) -> None:
    stall_watch._TASKS = Path(__file__).with_name("missing")
    with StallWatch(calls):
        time.sleep(LONG_S)


@linux
@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param(_wait, 1, id="waiting, however long, is noticed once"),
        pytest.param(_only_work, 0, id="working is no stall"),
        pytest.param(_work_elsewhere, 0, id="work in any thread counts"),
        pytest.param(_work_then_wait, 1, id="a stall after work is noticed"),
        pytest.param(_wait_shortly, 0, id="a short wait is none"),
        pytest.param(_wait_unseen, 0, id="where threads cannot be read nothing is said"),
    ],
)
def test_calls_back(body: Callable[[_Calls], None], count: int) -> None:
    """Called back once where the process stalled, else not at all."""
    assert _calls_of(body) == count


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
