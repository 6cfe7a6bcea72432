"""The start of the ``stepwall`` command: what a shell may do to it is nobody's fault."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TextIO

from profiler import endings

_FAILED = 1
_SIGNALLED = 128
_PIPE_BROKEN = _SIGNALLED + signal.SIGPIPE


def main() -> None:
    """Run the command line and exit with its documented code."""
    is_written = True
    try:
        endings.listen()
        _open_streams()
        from profiler import cli

        code = cli.exit_code(sys.argv[1:]) or _flushed()
        endings.ignore()
    except KeyboardInterrupt:
        endings.ignore()
        with contextlib.suppress(OSError):
            sys.stderr.write(f"stepwall: {endings.text()}\n")
        code = endings.exit_code()
    except BrokenPipeError:  # whoever read our output has left
        endings.ignore()
        code = endings.exit_code() if endings.came() else _PIPE_BROKEN
    except OSError:  # not even why it failed can be written: stderr is full
        code, is_written = _FAILED, False
    finally:
        endings.ignore()
    if code > _SIGNALLED or not is_written:
        _give_up_output()
    sys.exit(code)


def _open_streams() -> None:
    """Open what was closed, and let an output replace what its encoding cannot hold.

    A file that is opened later would else become the standard output, of our children, too.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _flushed() -> int:
    """Write what is still held back, and return the exit code of that."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard(sys.stdout)
        sys.stderr.write(f"stepwall: {error.strerror}\n")
        return _FAILED
    return 0


def _give_up_output() -> None:
    """Write what can be written; the rest, as to a terminal that is gone, goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
        _discard(stream)


def _discard(stream: TextIO) -> None:
    """Send to nowhere what Python would write, in vain, at its own end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())


if __name__ == "__main__":
    main()
