"""The start of the ``stepwall`` command: from here on Ctrl-C ends it in one line, once."""

from __future__ import annotations

import signal
import sys
from types import FrameType

_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its documented code."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        from profiler import cli

        code = cli.exit_code(sys.argv[1:])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end would show a traceback
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stderr.write("stepwall: interrupted\n")
        code = _INTERRUPTED
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


if __name__ == "__main__":
    main()
