"""A line that decides a process's fate is found in its own output, once."""

from __future__ import annotations

import functools
import threading
import time
from pathlib import Path, PosixPath
from typing import Any

import pytest

from profiler.frameworks import log_watch

MARKER = "ran out of memory"
PATIENCE_S = 10.0
QUIET_S = 0.05

LogWatch = functools.partial(log_watch.LogWatch, poll_s=0.005)


class _Heard:
    """Takes the call back, and waits for it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.called = threading.Event()

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.called.set()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log that already holds a line of an earlier failure."""
    path = tmp_path / "output.log"
    path.write_text(f"before: {MARKER}\nand more\nand more\n")
    return path


@pytest.fixture
def heard() -> _Heard:
    """The call back of the test."""
    return _Heard()


def _write(path: Path, text: str) -> None:
    with path.open("a") as log:
        log.write(text)


def test_a_marked_line_is_called_back_with_the_line_after_it(log: Path, heard: _Heard) -> None:
    """From the marker on: what stands before it in its line is the framework's stamp."""
    with LogWatch(log, MARKER, heard):
        _write(log, f"2026-01-02: E: {MARKER} trying 9 bytes\nasked by op A\nmore\n")

        assert heard.called.wait(PATIENCE_S)
    assert heard.texts == [f"{MARKER} trying 9 bytes\nasked by op A"]


def test_a_marker_that_comes_in_two_writes_is_found(log: Path, heard: _Heard) -> None:
    """The watch may read between the two."""
    with LogWatch(log, MARKER, heard):
        _write(log, f"noise\n{MARKER[:7]}")
        time.sleep(QUIET_S)
        _write(log, f"{MARKER[7:]} here\nnext\n")

        assert heard.called.wait(PATIENCE_S)
    assert heard.texts == [f"{MARKER} here\nnext"]


def test_a_marked_line_waits_for_the_line_after_it(log: Path, heard: _Heard) -> None:
    """Half a message is not passed on."""
    with LogWatch(log, MARKER, heard):
        _write(log, f"{MARKER} here\nne")
        early = heard.called.wait(QUIET_S)
        _write(log, "xt\n")

        assert heard.called.wait(PATIENCE_S)
    assert not early
    assert heard.texts == [f"{MARKER} here\nnext"]


def test_other_lines_are_not_called_back(log: Path, heard: _Heard) -> None:
    """Nor are lines from before the watch began."""
    with LogWatch(log, MARKER, heard):
        _write(log, "much noise\n" * 100)
        called = heard.called.wait(QUIET_S)

    assert not called


def test_a_marked_line_is_called_back_once(log: Path, heard: _Heard) -> None:
    """The first one decides."""
    with LogWatch(log, MARKER, heard):
        _write(log, f"{MARKER} one\n-\n")
        assert heard.called.wait(PATIENCE_S)
        _write(log, f"{MARKER} two\n-\n")
        time.sleep(QUIET_S)

    assert heard.texts == [f"{MARKER} one\n-"]


def test_a_marked_line_before_much_noise_is_found(log: Path, heard: _Heard) -> None:
    """A framework dumps its whole allocator behind such a line, faster than it is read."""
    with LogWatch(log, MARKER, heard):
        _write(log, f"{MARKER} here\nnext\n" + "chunk at 0x7f00\n" * 10_000)

        assert heard.called.wait(PATIENCE_S)
    assert heard.texts == [f"{MARKER} here\nnext"]


def test_much_noise_before_a_marked_line_does_not_hide_it(log: Path, heard: _Heard) -> None:
    """However long the process talked before."""
    with LogWatch(log, MARKER, heard):
        _write(log, "noise\n" * 10_000)
        time.sleep(QUIET_S)
        _write(log, f"{MARKER} here\nnext\n")

        assert heard.called.wait(PATIENCE_S)
    assert heard.texts == [f"{MARKER} here\nnext"]


def test_bytes_that_are_no_text_do_not_stop_the_watch(log: Path, heard: _Heard) -> None:
    """The output is the framework's, and a scenario's."""
    with LogWatch(log, MARKER, heard):
        with log.open("ab") as raw:
            raw.write(b"\xff\xfe\x80\n")
        _write(log, f"{MARKER} here\nnext\n")

        assert heard.called.wait(PATIENCE_S)


class _SlowPath(PosixPath):
    """A path whose file takes a while to open."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        time.sleep(QUIET_S)
        return super().open(*args, **kwargs)


def test_the_watch_has_begun_when_its_block_is_entered(log: Path, heard: _Heard) -> None:
    """A line that is written at once is not missed, however slow the thread starts."""
    with LogWatch(_SlowPath(log), MARKER, heard):
        _write(log, f"{MARKER} here\nnext\n")
        called = heard.called.wait(PATIENCE_S)

    assert called


def test_leaving_waits_for_a_call_back_under_way(log: Path) -> None:
    """The process must not go on, or end, while its fate is written down."""
    begun, done = threading.Event(), threading.Event()

    def slow(_: str) -> None:
        begun.set()
        time.sleep(QUIET_S)
        done.set()

    with LogWatch(log, MARKER, slow):
        _write(log, f"{MARKER} here\nnext\n")
        assert begun.wait(PATIENCE_S)

    assert done.is_set()


def test_leaving_ends_the_thread(log: Path, heard: _Heard) -> None:
    """Nothing is left behind, marker or not."""
    before = set(threading.enumerate())
    with LogWatch(log, MARKER, heard):
        during = set(threading.enumerate())
    after = set(threading.enumerate())

    assert len(during - before) == 1
    assert after <= before


def test_an_exception_passes_through(log: Path, heard: _Heard) -> None:
    """The watch hides no error of what it watches."""
    with pytest.raises(ValueError, match="mine"), LogWatch(log, MARKER, heard):
        raise ValueError("mine")
