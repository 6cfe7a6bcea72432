"""How a child's end becomes an outcome: pure functions over plain data."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from profiler.results import Outcome, Status


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a child process ended, as its parent saw it.

    Attributes:
        wait_status: the status of ``waitpid``; None if the fork server died with it.
        timed_out_s: the time limit it was killed for, or None.
        kernel_oom_kill: whether the kernel says that it killed for want of memory.
    """

    wait_status: int | None
    timed_out_s: float | None = None
    kernel_oom_kill: bool = False


def from_exception(error: BaseException, phase: str | None, *, device_oom: str | None) -> Outcome:
    """Return the outcome of a point that raised.

    Args:
        error: what was raised.
        phase: the phase it was raised in.
        device_oom: what the device's allocator could not give, or None if that was not it.
    """
    if device_oom is not None:
        return Outcome(status=Status.OOM_DEVICE, phase=phase, reason=device_oom)
    reason = first_line(error)
    if isinstance(error, MemoryError):
        return Outcome(status=Status.OOM_HOST, phase=phase, reason=reason)
    return Outcome(status=Status.ERROR, phase=phase, reason=reason)


def from_exit(ended: Exit, phase: str | None) -> Outcome:
    """Return the outcome of a child that ended without reporting one."""
    if ended.timed_out_s is not None:
        reason = f"still running after {ended.timed_out_s:g} s"
        return Outcome(status=Status.TIMEOUT, phase=phase, reason=reason)
    if ended.wait_status is None:
        reason = "the fork server died and took the point with it"
        return Outcome(status=Status.CRASHED, phase=phase, reason=reason)
    code = os.waitstatus_to_exitcode(ended.wait_status)
    if code >= 0:
        reason = f"exited with code {code} before it reported a result"
        return Outcome(status=Status.CRASHED, phase=phase, reason=reason, exit_code=code)
    name = _signal_name(-code)
    if -code == signal.SIGKILL and ended.kernel_oom_kill:
        reason = "the kernel killed it because memory ran out"
        return Outcome(status=Status.OOM_HOST, phase=phase, reason=reason, signal=name)
    return Outcome(status=Status.CRASHED, phase=phase, reason=f"died of {name}", signal=name)


def first_line(error: BaseException) -> str:
    """Return ``Type: first line of the message`` of an exception, at most 500 characters."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 (a user's exception may not even print)
        lines = []
    text = lines[0].strip() if lines else ""
    name = type(error).__name__
    return f"{name}: {text}"[:500] if text else name


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
