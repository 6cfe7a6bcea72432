"""Noticing that this process waits: it uses no processor, and none of its threads wants one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL_S = 0.05
_STALL_S = 0.6
# What watching itself takes of the processor, at most, per poll.
_IDLE_SHARE = 0.05
_TASKS = Path("/proc/self/task")
_WORKING = {"R", "D"}


class StallWatch:
    """While open, calls back once, in a thread of its own, when the process has stalled."""

    def __init__(
        self, found: Callable[[], None], *, stall_s: float = _STALL_S, poll_s: float = _POLL_S
    ) -> None:
        """Watch from entering on.

        Args:
            found: called when the process has waited for longer than ``stall_s``.
            stall_s: how long a wait is a stall.
            poll_s: how often to look.
        """
        self._found = found
        self._stall_s = stall_s
        self._poll_s = poll_s
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Start to watch."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching; waits for a call back that is under way."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        own = threading.get_native_id()
        used, since = time.process_time(), time.monotonic()
        while not self._stop.wait(self._poll_s):
            now, elapsed = time.process_time(), time.monotonic() - since
            if now - used > _IDLE_SHARE * elapsed or _wants_processor(own):
                used, since = now, time.monotonic()
            elif elapsed > self._stall_s:
                self._found()
                return


def _wants_processor(own: int) -> bool:
    """Whether any other thread runs, is ready to, or waits for the disk."""
    try:
        tasks = [task for task in _TASKS.iterdir() if task.name != str(own)]
        stats = [(task / "stat").read_text(encoding="utf-8", errors="replace") for task in tasks]
    except OSError:  # a thread ended meanwhile, or there is no /proc
        return True
    return any(stat.rpartition(")")[2].split()[0] in _WORKING for stat in stats)
