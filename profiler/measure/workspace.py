"""The temporary folder of one launcher: it is removed after its owner, even one that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

from profiler.closing import Closing
from profiler.errors import StepwallError
from profiler.filelock import FileLock

PREFIX = "stepwall-"
OWNER_FILE = "owner"
MARKER = "STEPWALL_FOLDER"
_ROUNDS = 100


class Workspace(Closing):
    """A temporary folder, and with it every process that was started with its marker."""

    def __init__(self) -> None:
        """Make the folder; what killed owners left is removed first.

        Raises:
            StepwallError: if it cannot be made.
        """
        try:
            parent = Path(tempfile.gettempdir())
            sweep(parent)
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            self._lock = _owned(self.path)
        except OSError as error:
            raise StepwallError(f"no temporary folder can be made: {error}") from error

    def close(self) -> None:
        """End the marked processes that are left, and remove the folder."""
        end_marked(self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def sweep(parent: Path) -> None:
    """Remove the workspaces in ``parent`` whose owner is dead, and end their processes."""
    for owner in parent.glob(f"{PREFIX}*/{OWNER_FILE}"):
        with contextlib.suppress(OSError):
            if owner.stat().st_uid != os.getuid():
                continue
            lock = FileLock.take(owner)
            if lock is not None:
                end_marked(owner.parent)
                shutil.rmtree(owner.parent, ignore_errors=True)
                lock.release()


def marked(folder: Path) -> dict[str, str]:
    """Return the environment that marks a process, and all that it starts, as the folder's."""
    return {MARKER: str(folder)}


def end_marked(folder: Path) -> None:
    """Kill every process that is marked with the folder, or with one inside it (Linux).

    A process keeps the mark in any session and under any parent.
    """
    # Again until none is left: one may have forked while we looked. Bounded, for those who
    # do nothing else.
    for _ in range(_ROUNDS):
        found = [pid for pid in _processes() if _is_marked(pid, folder)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
        return [pid for pid in pids if pid != os.getpid()]
    return []


def _is_marked(pid: int, folder: Path) -> bool:
    """Whether a live process is marked; a zombie has no environment any more."""
    mark = f"{MARKER}={folder}".encode()
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return any(entry == mark or entry.startswith(mark + b"/") for entry in environment.split(b"\0"))


def _owned(folder: Path) -> FileLock:
    # Locked before it has its name: a sweep never sees it free.
    draft = folder / f"{OWNER_FILE}.draft"
    lock = FileLock.take(draft)
    if lock is None:
        raise StepwallError(f"{draft} is locked by another process")
    draft.rename(folder / OWNER_FILE)
    return lock
