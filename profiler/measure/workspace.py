"""The temporary folder of one launcher: it is removed after its owner, even one that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import tempfile
import time
from pathlib import Path

from profiler.closing import Closing
from profiler.errors import StepwallError
from profiler.filelock import FileLock

PREFIX = "stepwall-"
OWNER_FILE = "owner"
_OWNER_FILES = (OWNER_FILE, f"{OWNER_FILE}.draft")
MARKER = "STEPWALL_FOLDER"
# A folder so new may be about to get its lock.
_NEW_S = 5.0
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
        _remove(self.path, self._lock)


def sweep(parent: Path) -> None:
    """Remove the workspaces in ``parent`` whose owner is dead, and end their processes."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if not _is_ours(folder.lstat()):
                continue
            owner = next(filter(Path.exists, (folder / name for name in _OWNER_FILES)), None)
            if owner is None:
                _remove_unowned(folder)
                continue
            if owner.name != OWNER_FILE and _is_new(folder):
                continue  # its owner is about to lock it
            lock = FileLock.take(owner)
            if lock is not None:
                _remove(folder, lock)


def _remove(folder: Path, lock: FileLock) -> None:
    """Remove the folder of an owner whose lock we hold; whoever is killed here, it can be swept."""
    end_marked(folder)
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name in _OWNER_FILES:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_unowned(folder: Path) -> None:
    """Remove what an owner left that was killed before it had a lock, or after it gave it back."""
    if not _is_new(folder):
        folder.rmdir()  # unless something is in it


def _is_new(folder: Path) -> bool:
    # Of the future, where the clock was set back.
    return abs(time.time() - folder.lstat().st_mtime) <= _NEW_S


def _is_ours(found: os.stat_result) -> bool:
    """Whether it is what ``mkdtemp`` makes for this user; a link could lead to anything else."""
    is_private = not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(found.st_mode) and is_private and found.st_uid == os.getuid()


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
    draft = folder / _OWNER_FILES[1]
    lock = FileLock.take(draft)
    if lock is None:
        raise StepwallError(f"{draft} is locked by another process")
    draft.rename(folder / OWNER_FILE)
    return lock
