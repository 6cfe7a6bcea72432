"""The guard stops the largest child when less than the floor is left, and only then."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from profiler.measure import guard
from profiler.measure.guard import Guard, GuardedChild

MIB = 1 << 20
FLOOR = 300 * MIB
LEFT = 200 * MIB
WAIT_S = 10.0


class _Machine:
    """A machine whose free memory the test sets."""

    def __init__(self) -> None:
        self.free = 2 * FLOOR

    def __call__(self) -> int:
        """Return what is free."""
        return self.free


@pytest.fixture
def machine() -> _Machine:
    """A machine with room."""
    return _Machine()


@contextlib.contextmanager
def _child(guard: Guard, size: int) -> Iterator[tuple[GuardedChild, subprocess.Popen[bytes]]]:
    """Run a child that holds ``size`` bytes, under the guard."""
    code = f"import sys; block = b'x' * {size}; print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with guard.watching(lambda: process.pid, process.kill) as ward:
            yield ward, process


def test_with_room_nobody_is_stopped(machine: _Machine) -> None:
    """A hundred looks later the child still runs, and the guard's thread ends after it."""
    keeper = Guard(floor_bytes=FLOOR, free=machine)
    with _child(keeper, MIB) as (ward, process):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(10 * guard.POLL_S)
        left = ward.left_bytes
    deadline = threading.Event()
    while keeper._watches:
        assert not deadline.wait(guard.POLL_S)

    assert left is None
    assert process.returncode == 0


def test_under_the_floor_the_largest_child_is_stopped(machine: _Machine) -> None:
    """The others go on: the machine has room again."""
    keeper = Guard(floor_bytes=FLOOR, free=machine)
    with _child(keeper, MIB) as (small, other), _child(keeper, 64 * MIB) as (large, process):
        machine.free = LEFT
        process.wait(WAIT_S)
        machine.free = 2 * FLOOR
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(4 * guard.POLL_S)

    assert large.left_bytes == LEFT
    assert small.left_bytes is None


def test_if_that_does_not_help_the_next_one_follows(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that memory takes to come back."""
    monkeypatch.setattr(guard, "_RELEASE_S", 0.2)
    keeper = Guard(floor_bytes=FLOOR, free=machine)
    with _child(keeper, MIB) as (small, other), _child(keeper, 64 * MIB) as (large, process):
        machine.free = LEFT
        process.wait(WAIT_S)
        other.wait(WAIT_S)

    assert large.left_bytes == small.left_bytes == LEFT


def test_a_child_that_outlives_its_kill_is_stopped_again(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill may come before there is anything to kill; what was left at the first one stays."""
    monkeypatch.setattr(guard, "_RELEASE_S", 0.1)
    kills: list[int] = []
    stopped = threading.Event()

    def kill() -> None:
        kills.append(machine.free)
        machine.free //= 2
        if len(kills) > 1:
            stopped.set()

    keeper = Guard(floor_bytes=FLOOR, free=machine)
    with keeper.watching(lambda: None, kill) as ward:
        machine.free = LEFT
        stopped.wait(WAIT_S)

    assert kills[:2] == [LEFT, LEFT // 2]
    assert ward.left_bytes == LEFT


def test_a_child_without_a_known_process_is_stopped_last(machine: _Machine) -> None:
    """Its size counts as nothing; it is stopped all the same when it is alone."""
    stopped = threading.Event()
    keeper = Guard(floor_bytes=FLOOR, free=machine)
    with keeper.watching(lambda: None, stopped.set) as ward:
        machine.free = LEFT
        stopped.wait(WAIT_S)

    assert ward.left_bytes == LEFT
