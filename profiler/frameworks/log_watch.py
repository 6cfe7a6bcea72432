"""Watching this process's own captured output for a line that decides how it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

_POLL_S = 0.05


class LogWatch:
    """While open, calls back once, in a thread of its own, when a marked line is written."""

    def __init__(
        self, path: Path, marker: str, found: Callable[[str], None], *, poll_s: float = _POLL_S
    ) -> None:
        """Watch what is written to ``path`` from entering on.

        Args:
            path: the file that this process's output goes to.
            marker: the text that the line must hold.
            found: called with the text from the marker on, to the end of the next line.
            poll_s: how often to look.
        """
        self._path = path
        self._marker = marker
        self._found = found
        self._poll_s = poll_s
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        """Start to watch."""
        log = self._path.open(encoding="utf-8", errors="replace")
        log.seek(0, os.SEEK_END)
        self._thread = threading.Thread(target=self._watch, args=(log,), daemon=True)
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

    def _watch(self, log: TextIO) -> None:
        seen = ""
        with log:
            while not self._stop.wait(self._poll_s):
                seen += log.read()
                _, marker, rest = seen.partition(self._marker)
                if rest.count("\n") > 1:
                    self._found(marker + "\n".join(rest.split("\n")[:2]))
                    return
                if not marker:  # keep what may be the beginning of one
                    seen = seen[-len(self._marker) :]
