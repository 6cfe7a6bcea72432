"""The guard of the machine: it stops the largest child before memory runs out for everyone."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from profiler.errors import StepwallError
from profiler.limits import machine

POLL_S = 0.05
# How long a stopped child may take to give its memory back before the next one is stopped.
RELEASE_S = 1.0


@dataclass(eq=False, kw_only=True)
class GuardedChild:
    """One running child; ``left_bytes`` is what was free when the guard stopped it, or None."""

    pid: Callable[[], int | None]
    kill: Callable[[], None]
    left_bytes: int | None = None


class Guard:
    """Watches what is free while children run, in a thread of its own.

    Should that fail, the guard kills the children and says so where they are waited for: none
    runs unguarded.
    """

    def __init__(
        self,
        *,
        floor_bytes: int | None = None,
        free: Callable[[], int] = machine.free_bytes,
        poll_s: float = POLL_S,
        release_s: float = RELEASE_S,
    ) -> None:
        """Make a guard.

        Args:
            floor_bytes: what must stay free; None: ``machine.floor_bytes``.
            free: returns what is free now, in bytes.
            poll_s: how often to look.
            release_s: how long a stopped child may take to give its memory back.
        """
        self._floor = machine.floor_bytes() if floor_bytes is None else floor_bytes
        self._free = free
        self._poll_s = poll_s
        self._release_s = release_s
        self._children: list[GuardedChild] = []
        self._lock = threading.Lock()
        self._patient_until = 0.0
        self._runs = False
        self._fault: Exception | None = None

    @contextlib.contextmanager
    def watch(
        self, pid: Callable[[], int | None], kill: Callable[[], None]
    ) -> Iterator[GuardedChild]:
        """Watch one child while the block runs.

        Args:
            pid: returns the child's process id, or None where it is not known (yet).
            kill: kills it and what it started at once.

        Raises:
            StepwallError: at the end of the block, if the guard failed: it killed the child.
        """
        child = GuardedChild(pid=pid, kill=kill)
        with self._lock:
            self._children.append(child)
            self._start()
        try:
            yield child
        finally:
            with self._lock:
                self._children.remove(child)
        if self._fault is not None:
            reason = f"{type(self._fault).__name__}: {self._fault}"
            raise StepwallError(
                f"the guard of the machine's memory failed, and its children were stopped: {reason}"
            ) from self._fault

    def _start(self) -> None:
        if not self._runs:
            try:
                threading.Thread(target=self._run, daemon=True).start()
            except RuntimeError as error:  # no thread can be started
                self._fault = error
                self._kill_all()
            else:
                self._runs = True

    def _run(self) -> None:
        while True:
            time.sleep(self._poll_s)
            with self._lock:
                self._runs = bool(self._children)
                if not self._runs:
                    return
                try:
                    self._look()
                except Exception as error:  # noqa: BLE001 (raised where a child is waited for)
                    self._fault = error
                if self._fault is not None:
                    self._kill_all()

    def _look(self) -> None:
        left = self._free()
        if left < self._floor and not self._awaits_release():
            self._stop_largest(left)

    def _awaits_release(self) -> bool:
        """Whether a stopped child still gives its memory back; the others grow meanwhile."""
        stopped = any(child.left_bytes is not None for child in self._children)
        return stopped and time.monotonic() < self._patient_until

    def _kill_all(self) -> None:
        for child in self._children:
            with contextlib.suppress(Exception):
                child.kill()

    def _stop_largest(self, left: int) -> None:
        """Stop the largest child, again if it was stopped and has not gone: a kill can be lost."""

        def size(child: GuardedChild) -> tuple[int, bool]:
            return _resident(child.pid()), child.left_bytes is None

        largest = max(self._children, key=size)
        if largest.left_bytes is None:
            largest.left_bytes = left
        self._patient_until = time.monotonic() + self._release_s
        largest.kill()


def _resident(pid: int | None) -> int:
    """Return the resident bytes of a process and all that it started."""
    if pid is None:
        return 0
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(map(_own_resident, family))


def _own_resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
