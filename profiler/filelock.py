"""A lock on a file or a folder: the one way to see whether its owner lives, however it died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Self

# How often, and how long between, a file is read that does not say yet who holds its lock.
_LOOKS, _BETWEEN_S = 10, 0.02


class FileLock:
    """An advisory lock, held until it is released or its process is gone."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Hold what ``take`` has locked."""
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, mode: int = 0o600) -> Self | None:
        """Lock the file, made where it is missing, for this process; None if another holds it.

        Args:
            path: the file.
            mode: who may take the lock after us, as far as the umask allows, should we be killed.

        Raises:
            OSError: if the file cannot be written, or its file system has no locks.
        """
        return cls._take(path, os.O_RDWR | os.O_CREAT, mode)

    @classmethod
    def take_folder(cls, path: Path) -> Self | None:
        """Lock a folder for this process; None if another holds it.

        Raises:
            OSError: if there is no such folder, or its file system has no locks.
        """
        return cls._take(path, os.O_RDONLY | os.O_DIRECTORY)

    @classmethod
    def _take(cls, path: Path, flags: int, mode: int = 0) -> Self | None:
        while True:
            descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The last holder may have removed it while we waited to open it.
                if _same_file(path, descriptor):
                    if flags & os.O_CREAT:
                        os.ftruncate(descriptor, 0)
                        os.write(descriptor, str(os.getpid()).encode())
                    return cls(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                if flags & os.O_CREAT:  # as on a full disk: nobody would remove it
                    path.unlink(missing_ok=True)
                os.close(descriptor)
                raise
            os.close(descriptor)

    def release(self) -> None:
        """Remove the file (a folder stays) and let the next one in."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)


def holder(path: Path) -> str:
    """Return ``process N`` for the holder of the file's lock, as far as it can be read."""
    for _ in range(_LOOKS):  # it writes its number once it has the lock
        with contextlib.suppress(OSError):
            if number := path.read_text(encoding="utf-8", errors="replace"):
                return f"process {number}"
        time.sleep(_BETWEEN_S)
    return "another process"


def _same_file(path: Path, descriptor: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
