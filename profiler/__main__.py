"""The start of the ``stepwall`` command: what a shell may do to it is no fault of anybody's."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_FAILED, _INTERRUPTED = 1, 130
_PIPE_BROKEN = 128 + signal.SIGPIPE  # what a shell says of a program that the signal ends


def main() -> None:
    """Run the command line and exit with its documented code."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        _open_streams()
        from profiler import cli

        code = cli.exit_code(sys.argv[1:]) or _flushed()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end would show a traceback
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("stepwall: interrupted\n")
        code = _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        code = _PIPE_BROKEN
    if code == _PIPE_BROKEN:
        _discard_output()
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, unless one is being handled: closing must not be cut short."""
    del number, frame
    handled = sys.exception()
    while handled is not None:
        if isinstance(handled, KeyboardInterrupt):
            return
        handled = handled.__context__
    raise KeyboardInterrupt


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
        _discard_output()
        sys.stderr.write(f"stepwall: {error.strerror}\n")
        return _FAILED
    return 0


def _discard_output() -> None:
    """Send to nowhere what Python would write, in vain, at its own end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    main()
