"""The guard of the machine: it stops the largest child before memory runs out for everyone."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from profiler.limits import machine

POLL_S = 0.05
# How long a stopped child may take to give its memory back before the next one is stopped.
_RELEASE_S = 1.0


@dataclass(eq=False, kw_only=True)
class GuardedChild:
    """One running child; ``left_bytes`` is what was free when the guard stopped it, or None."""

    pid: Callable[[], int | None]
    kill: Callable[[], None]
    left_bytes: int | None = None


class Guard:
    """Watches what is free while children run, in a thread of its own."""

    def __init__(
        self,
        *,
        floor_bytes: int | None = None,
        free: Callable[[], int] = machine.free_bytes,
    ) -> None:
        """Make a guard.

        Args:
            floor_bytes: what must stay free; None: ``machine.floor_bytes``.
            free: returns what is free now, in bytes.
        """
        self._floor = machine.floor_bytes() if floor_bytes is None else floor_bytes
        self._free = free
        self._wards: list[GuardedChild] = []
        self._lock = threading.Lock()
        self._patient_until = 0.0
        self._watches = False

    @contextlib.contextmanager
    def watching(
        self, pid: Callable[[], int | None], kill: Callable[[], None]
    ) -> Iterator[GuardedChild]:
        """Watch one child while the block runs.

        Args:
            pid: returns the child's process id, or None where it is not known (yet).
            kill: kills its process group at once.
        """
        ward = GuardedChild(pid=pid, kill=kill)
        with self._lock:
            self._wards.append(ward)
            if not self._watches:
                self._watches = True
                threading.Thread(target=self._watch, daemon=True).start()
        try:
            yield ward
        finally:
            with self._lock:
                self._wards.remove(ward)

    def _watch(self) -> None:
        while True:
            time.sleep(POLL_S)
            with self._lock:
                self._watches = bool(self._wards)
                if not self._watches:
                    return
                left = self._free()
                if left < self._floor and time.monotonic() >= self._patient_until:
                    self._stop_largest(left)

    def _stop_largest(self, left: int) -> None:
        """Stop the largest child, again if it was stopped and has not gone: a kill can be lost."""

        def size(ward: GuardedChild) -> tuple[int, bool]:
            return _resident(ward.pid()), ward.left_bytes is None

        largest = max(self._wards, key=size)
        if largest.left_bytes is None:
            largest.left_bytes = left
        self._patient_until = time.monotonic() + _RELEASE_S
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
