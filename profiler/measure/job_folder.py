"""The folder of one job: the parent writes the job into it and reads, without trust, what came."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from profiler.errors import StepwallError
from profiler.facts import encode
from profiler.frameworks.recorder import LOG_FILE, RESULT_FILE
from profiler.measure.job import JOB_FILE, Job

TAIL_BYTES = 4000
# Far more than any child writes (a timeline of hours), far less than what hurts the parent.
MAX_RESULT_BYTES = 64 << 20


def prepare(parent: Path, job: Job) -> Path:
    """Make a folder with the job in it.

    Raises:
        StepwallError: if it cannot be written, as on a full disk, or others could write there.
    """
    try:
        _make_private(parent)  # a child may have removed it
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=parent))
        (folder / JOB_FILE).write_text(encode(job), encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise StepwallError(f"temporary folder {str(parent)!r}: {reason}") from error
    return folder


def _make_private(folder: Path) -> None:
    """Make the folder where it is missing; once it was removed, others could have made it again.

    Raises:
        OSError: if it cannot be made, or if others enter it.
    """
    try:
        folder.mkdir(mode=stat.S_IRWXU)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise
    else:
        return
    if found.st_uid != os.getuid():
        raise OSError(f"{folder} belongs to another user")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OSError(f"{folder} is open to other users")


def report(folder: Path) -> bytes:
    """Return what the child reported, or nothing where there is no file of a sane size."""
    try:
        with _open_regular(folder / RESULT_FILE) as file:
            return _all(file)
    except (OSError, ValueError):
        return b""


def log_tail(folder: Path) -> str:
    """Return the end of the child's output."""
    return tail(folder / LOG_FILE)


def tail(path: Path) -> str:
    """Return the last ``TAIL_BYTES`` of a file as text, without blank lines around it."""
    try:
        with _open_regular(path) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


def _all(file: BinaryIO) -> bytes:
    size = os.fstat(file.fileno()).st_size
    if size > MAX_RESULT_BYTES:
        raise ValueError(f"{size} bytes are no result")
    return file.read(size)


def _open_regular(path: Path) -> BinaryIO:
    """Open a file that a child could have replaced: a pipe would block, a device never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")
