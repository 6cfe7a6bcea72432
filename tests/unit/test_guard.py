"""The guard stops the largest child when less than the floor is left, and only then."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from profiler.errors import StepwallError
from profiler.measure.guard import Guard, GuardedChild

MIB = 1 << 20
FLOOR = 300 * MIB
LEFT = 200 * MIB
WAIT_S = 10.0
POLL_S = 0.005
LOOKS = 20


class _Machine:
    """A machine whose free memory the test sets."""

    def __init__(self) -> None:
        self.free = 2 * FLOOR
        self.looks = 0
        self.broken = False

    def __call__(self) -> int:
        """Return what is free."""
        self.looks += 1
        if self.broken:
            raise OSError("no /proc any more")
        return self.free

    def guard(self, *, release_s: float = 60.0) -> Guard:
        """Return a guard of this machine."""
        return Guard(floor_bytes=FLOOR, free=self, poll_s=POLL_S, release_s=release_s)

    def wait_for_looks(self) -> None:
        """Wait until the guard has looked some more times."""
        enough = self.looks + LOOKS
        _until(lambda: self.looks >= enough)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(POLL_S)


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
        with guard.watch(lambda: process.pid, process.kill) as child:
            yield child, process


def test_with_room_nobody_is_stopped(machine: _Machine) -> None:
    """Many looks later the child still runs, and the guard's thread ends after it."""
    guard = machine.guard()
    with _child(guard, MIB) as (child, process):
        machine.wait_for_looks()
        running = process.poll() is None
    _until(lambda: not guard._runs)

    assert running
    assert child.left_bytes is None


def test_under_the_floor_the_largest_child_is_stopped(machine: _Machine) -> None:
    """The others go on: the machine has room again."""
    guard = machine.guard()
    with _child(guard, MIB) as (small, other), _child(guard, 64 * MIB) as (large, process):
        machine.free = LEFT
        process.wait(WAIT_S)
        machine.free = 2 * FLOOR
        machine.wait_for_looks()
        running = other.poll() is None

    assert running
    assert large.left_bytes == LEFT
    assert small.left_bytes is None


def test_if_that_does_not_help_the_next_one_follows(machine: _Machine) -> None:
    """After the time that memory takes to come back."""
    guard = machine.guard(release_s=0.1)
    with _child(guard, MIB) as (small, other), _child(guard, 64 * MIB) as (large, process):
        machine.free = LEFT
        process.wait(WAIT_S)
        other.wait(WAIT_S)

    assert large.left_bytes == small.left_bytes == LEFT


def test_the_next_one_follows_at_once_where_the_first_is_gone(machine: _Machine) -> None:
    """What it gave back was not enough: others have grown meanwhile."""
    guard = machine.guard(release_s=WAIT_S * 10)
    with _child(guard, MIB) as (small, other):
        with _child(guard, 64 * MIB) as (large, process):
            machine.free = LEFT
            process.wait(WAIT_S)
        other.wait(WAIT_S)

    assert large.left_bytes == small.left_bytes == LEFT


def test_a_child_that_outlives_its_kill_is_stopped_again(machine: _Machine) -> None:
    """A kill may come before there is anything to kill; what was left at the first one stays."""
    kills: list[int] = []
    stopped = threading.Event()

    def kill() -> None:
        kills.append(machine.free)
        machine.free //= 2
        if len(kills) > 1:
            stopped.set()

    with machine.guard(release_s=0.0).watch(lambda: None, kill) as child:
        machine.free = LEFT
        assert stopped.wait(WAIT_S)

    assert kills[:2] == [LEFT, LEFT // 2]
    assert child.left_bytes == LEFT


def test_a_child_without_a_known_process_is_stopped_last(machine: _Machine) -> None:
    """Its size counts as nothing; it is stopped all the same when it is alone."""
    stopped = threading.Event()
    with machine.guard().watch(lambda: None, stopped.set) as child:
        machine.free = LEFT
        assert stopped.wait(WAIT_S)

    assert child.left_bytes == LEFT


def _wait_for_a_kill(guard: Guard) -> None:
    """Run a child under the guard until it is killed."""
    with _child(guard, MIB) as (_, process):
        process.wait(WAIT_S)


def test_a_guard_that_fails_ends_every_child_with_an_error(machine: _Machine) -> None:
    """None runs unguarded, and each thread that waits for one is given the reason."""
    guard = machine.guard()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(_wait_for_a_kill, guard) for _ in range(2)]
        _until(lambda: len(guard._children) == len(waiting))
        machine.broken = True
        errors = [one.exception() for one in waiting]

    assert [type(error) for error in errors] == [StepwallError] * 2
    what = "the guard of the machine's memory failed, and its children were stopped"
    assert {str(error) for error in errors} == {f"{what}: OSError: no /proc any more"}


def test_a_guard_that_failed_guards_no_more(machine: _Machine) -> None:
    """A child that is started later is stopped, too, though all seems well again."""
    guard = machine.guard()
    machine.broken = True
    with pytest.raises(StepwallError, match="failed"):
        _wait_for_a_kill(guard)
    machine.broken = False

    with pytest.raises(StepwallError, match="failed"):
        _wait_for_a_kill(guard)


def test_a_kill_that_fails_is_the_guards_failure(machine: _Machine) -> None:
    """The other children are stopped all the same."""
    guard = machine.guard()

    def kill() -> None:
        raise RuntimeError("cannot kill")

    with ThreadPoolExecutor(1) as pool, contextlib.suppress(StepwallError):
        other = pool.submit(_wait_for_a_kill, guard)
        _until(lambda: len(guard._children) == 1)
        with guard.watch(os.getpid, kill):  # the largest
            machine.free = LEFT
            error = other.exception(WAIT_S)

    assert str(error).endswith("RuntimeError: cannot kill")


def test_what_fails_in_the_block_comes_through(machine: _Machine) -> None:
    """As without a guard, and the child is watched no more."""
    guard = machine.guard()
    with pytest.raises(ValueError, match="mine"), guard.watch(lambda: None, lambda: None):
        raise ValueError("mine")

    assert guard._children == []
