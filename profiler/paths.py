"""Paths that a user names: read, written, or refused in one line with the reason."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from profiler.errors import StepwallError, UsageError

_MIB = 1 << 20
# That is no fault of the path.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPIPE}


@contextlib.contextmanager
def usable(what: str, path: object) -> Iterator[None]:
    """Refuse a path that cannot be used by what is inside.

    Args:
        what: the option or the kind of file, for the message; empty where the path says it.
        path: as the user wrote it.

    Raises:
        UsageError: with the path and the reason.
        StepwallError: the same, where only room is missing.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        full = isinstance(error, OSError) and error.errno in _NO_ROOM
        kind = StepwallError if full else UsageError
        raise kind(f"{what} {str(path)!r}: {_reason(error)}".lstrip()) from None


def read_text(what: str, path: Path, *, most_mib: int) -> str:
    """Return the text of a file, which may be a pipe that another process writes.

    Args:
        what: what it holds, for messages.
        path: the file; a byte order mark at its beginning is left out.
        most_mib: MiB that no such file exceeds; a device may never end.

    Raises:
        UsageError: if it cannot be read, is no UTF-8, or is larger.
    """
    with usable(what, path):
        with open(path, "rb", opener=_at_once) as file:
            is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
            if is_pipe:  # without a writer it is at its end at once
                os.set_blocking(file.fileno(), True)
            content = file.read(most_mib * _MIB + 1) or b""
        if is_pipe and not content:
            raise ValueError("nothing comes out of this pipe")
        if len(content) > most_mib * _MIB:
            raise ValueError(f"larger than {most_mib} MiB, so it is not such a file")
        return content.decode("utf-8-sig")


def write(what: str, path: Path, content: str | bytes) -> None:
    """Write a file; one that was there is kept where there is no room for the new one.

    Raises:
        UsageError: if it cannot be written.
        StepwallError: if there is no room for it.
    """
    data = content.encode() if isinstance(content, str) else content
    with usable(what, path):
        if _can_be_replaced(path):
            replace(Path(os.path.realpath(path)), data)
            return
        with open(path, "wb", opener=_at_once) as file:
            os.set_blocking(file.fileno(), True)
            file.write(data)


def replace(path: Path, content: bytes) -> None:
    """Write a file that others see whole, be it the old one or the new one.

    Raises:
        OSError: if it cannot be written; what was there is left as it was.
    """
    draft = path.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        draft.write_bytes(content)
        with contextlib.suppress(FileNotFoundError):
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def check_new_file(what: str, path: Path) -> int | None:
    """Check that a file can be written there, and leave all as it is.

    Returns:
        The descriptor of a pipe, whose reader must not see its end before it is written.

    Raises:
        UsageError: with the reason.
    """
    with usable(what, path):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            _try(Path(os.path.realpath(path)).parent)
            return None
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise ValueError("nobody reads from this pipe") from None
            raise
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind):
            return descriptor
        try:
            if stat.S_ISBLK(kind):
                raise ValueError("it is a disk")
            os.write(descriptor, b"")
        except OSError as error:  # a device that takes nothing, as /dev/full
            raise ValueError(error.strerror) from None
        finally:
            os.close(descriptor)
        return None


def check_folder(what: str, path: Path) -> None:
    """Check that files can be written into a folder, which may be missing, and leave all as it is.

    Raises:
        UsageError: with the reason.
    """
    with usable(what, path):
        place = path.absolute()
        while True:
            try:
                found = place.stat()
                break
            except FileNotFoundError:
                if place.is_symlink():
                    raise
                place = place.parent
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        _try(place)


def scenario_source(what: str, path: Path) -> str:
    """Return the whole path of a file or a folder with scenarios.

    Raises:
        UsageError: if there is none, or it cannot be read.
    """
    with usable(what, path):
        try:
            found = path.stat()
        except FileNotFoundError:
            raise ValueError("no such file or folder") from None
        if stat.S_ISREG(found.st_mode):
            with path.open("rb") as file:
                file.read(1)
        elif stat.S_ISDIR(found.st_mode):
            with os.scandir(path):
                pass
        else:
            raise ValueError("it is neither a file nor a folder")
        source = str(path.resolve())
        source.encode()  # children are told it in JSON
        return source


def _can_be_replaced(path: Path) -> bool:
    """Whether a new file may take the place of this one: it is ours, and has no other name."""
    place = Path(os.path.realpath(path))
    if not os.access(place.parent, os.W_OK | os.X_OK):
        return False
    try:
        found = path.stat()
    except FileNotFoundError:
        return True
    ours = found.st_uid == os.geteuid() and os.access(place, os.W_OK)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and ours


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for whoever is at the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def _try(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 text ({error.reason} at byte {error.start})"
    if isinstance(error, UnicodeEncodeError):
        return f"its name is not in {error.encoding.upper()}"
    return str(error) or type(error).__name__
