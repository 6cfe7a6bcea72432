"""The folder of one job: the parent writes the job into it and reads, without trust, what came."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from profiler.errors import StepwallError
from profiler.frameworks.recorder import LOG_FILE, RESULT_FILE
from profiler.measure.child import JOB_FILE

TAIL_BYTES = 4000
# Far more than any child writes (a timeline of hours), far less than what hurts the parent.
MAX_RESULT_BYTES = 64 << 20
_INT64_LIMIT = 1 << 63


def prepare(parent: Path, job: dict[str, Any]) -> Path:
    """Make a folder with the job in it.

    Raises:
        StepwallError: if it cannot be written, as on a full disk.
    """
    try:
        parent.mkdir(exist_ok=True)  # a child may have removed it
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=parent))
        (folder / JOB_FILE).write_text(json.dumps(job))
    except OSError as error:
        reason = error.strerror or error
        raise StepwallError(f"temporary folder {str(parent)!r}: {reason}") from error
    return folder


def facts(folder: Path) -> dict[str, Any]:
    """Return what the child reported, or nothing where that is no JSON object."""
    try:
        with _open_regular(folder / RESULT_FILE) as file:
            found = json.loads(_all(file), parse_int=_int64)
        json.dumps(found, allow_nan=False)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


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


def _int64(digits: str) -> int:
    number = int(digits)
    if not -_INT64_LIMIT <= number < _INT64_LIMIT:
        raise ValueError(f"{digits[:40]} is too large for any count of bytes or nodes")
    return number


def _open_regular(path: Path) -> BinaryIO:
    """Open a file that a child could have replaced: a pipe would block, a device never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no file")
    return os.fdopen(descriptor, "rb")
