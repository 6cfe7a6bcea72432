r"""Signals that end the command: one KeyboardInterrupt, and the code is that of the first.

=============================  ====  ========================================================
signal                         code  when
=============================  ====  ========================================================
SIGINT (Ctrl-C)                 130  always: also where a shell that started it in the
SIGQUIT (Ctrl-\)                131  background has them ignored
SIGTERM                         143  always
SIGHUP (the terminal is gone)   129  unless it is ignored from the start, as by ``nohup``
=============================  ====  ========================================================

Each code is 128 + the number, what a shell says of a program that the signal ended. One that
comes while Python starts, before ``listen``, does end it so.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_TICK_S = 0.2
_received: list[int] = []
# What was raised where nothing is let out, as in a finalizer: it is raised again.
_unraised: list[bool] = []


def listen() -> None:
    """From now on each of the signals raises KeyboardInterrupt in the main thread."""
    for number in _ENDING:
        is_hang_up = number is signal.SIGHUP
        if not (is_hang_up and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, _end)
    sys.unraisablehook = _unraisable
    # A signal that comes just before Python begins to wait for a lock does not end the wait.
    # The next one, which comes anyway, does.
    signal.signal(signal.SIGALRM, _tick)
    signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)


def ignore() -> None:
    """From now on none of them does anything: Python's own end would show a traceback."""
    for number in (*_ENDING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def came() -> bool:
    """Whether one of the signals came."""
    return bool(_received)


def exit_code() -> int:
    """Return the code of the signal that came first; without any, that of Ctrl-C."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def text() -> str:
    """Return what ended the command."""
    if not _received or _received[0] == signal.SIGINT:
        return "interrupted"
    return f"ended by {signal.Signals(_received[0]).name}"


def _end(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    _interrupt(frame)


def _tick(number: int, frame: FrameType | None) -> None:
    del number
    if _unraised:
        _interrupt(frame)


def _interrupt(frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, unless one is being handled: closing must not be cut short."""
    handled = sys.exception()
    while handled is not None:
        if isinstance(handled, KeyboardInterrupt):
            return
        handled = handled.__context__
    _unraised.clear()
    while frame is not None:
        if frame.f_code is _unraisable.__code__:
            _unraised.append(True)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _unraisable(raised: sys.UnraisableHookArgs) -> None:
    if isinstance(raised.exc_value, KeyboardInterrupt):
        _unraised.append(True)
    else:
        sys.__unraisablehook__(raised)
