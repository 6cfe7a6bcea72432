"""How a child's end becomes an outcome: pure functions over plain data."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import NamedTuple

from profiler.errors import error_text
from profiler.facts import STOPPED, Outcome, Shortage, Status, out_of_device_memory, replace
from profiler.frameworks.recorder import UNWRITTEN
from profiler.units import MIB

_LAST_LINES = 10
_REFUSING = "RLIMIT_DATA"  # a cgroup kills


class _Words(NamedTuple):
    """Texts by which memory that ran out is recognised."""

    bad_alloc: tuple[str, ...] = ("std::bad_alloc",)
    # Only under a limit that refuses memory: without one they may have other causes.
    refusals: tuple[str, ...] = (
        "Cannot allocate memory",
        "cannot allocate memory",
        "can't start new thread",
        "pthread_create() failed",
        "mmap error: 12",
        "std::bad_alloc",
    )


_WORDS = _Words()


@dataclass(frozen=True, kw_only=True)
class ProcessEnd:
    """How a child process ended, as its parent saw it.

    Attributes:
        wait_status: the status of ``waitpid``; None if the fork server died with it.
        timed_out_s: the time limit it was killed for, or None.
        kernel_oom_kill: whether the kernel says that it killed for want of memory.
        host_limit_bytes: the limit on its whole process, or None.
        host_limit_by: what set that limit, as ``HostMemory.limit_by``, or None.
        machine_left_bytes: what was free when the guard of the machine stopped it, or None.
    """

    wait_status: int | None
    timed_out_s: float | None = None
    kernel_oom_kill: bool = False
    host_limit_bytes: int | None = None
    host_limit_by: str | None = None
    machine_left_bytes: int | None = None


def from_exception(
    error: BaseException, phase: str | None, *, shortage: Shortage | None
) -> Outcome:
    """Return the outcome of a point that raised.

    Args:
        error: what was raised.
        phase: the phase it was raised in.
        shortage: what the device's allocator could not give, or None if that was not it.
    """
    if shortage is not None:
        return out_of_device_memory(shortage, phase)
    reason = error_text(error)
    if isinstance(error, MemoryError):
        return Outcome(status=Status.OOM_HOST, phase=phase, reason=reason)
    return Outcome(status=Status.ERROR, phase=phase, reason=reason)


def of_host(end: Outcome, ended: ProcessEnd, *, on_gpu: bool) -> Outcome:
    """Return what an outcome means under a host limit: memory that was refused ran into it.

    Args:
        end: the outcome that the child reported.
        ended: how the child ended, and under which limit.
        on_gpu: whether the point's device has memory of its own.
    """
    device = end.shortage.device if end.shortage else None
    of_device = on_gpu and not (device or "GPU").startswith("CPU")
    if end.status is Status.OOM_DEVICE and not of_device:
        return replace(end, status=Status.OOM_HOST)
    refused = end.status is Status.ERROR and _says(end.reason or "", _WORDS.refusals)
    if refused and ended.host_limit_by == _REFUSING:
        return replace(end, status=Status.OOM_HOST)
    return end


def from_exit(ended: ProcessEnd, phase: str | None, *, log_tail: str = "") -> Outcome:
    """Return the outcome of a child that ended without reporting one.

    Args:
        ended: how it ended.
        phase: the phase it had begun last.
        log_tail: the end of its own output.
    """
    if ended.timed_out_s is not None:
        reason = f"still running after {ended.timed_out_s:g} s"
        return Outcome(status=Status.TIMEOUT, phase=phase, reason=reason)
    if ended.wait_status is None:
        reason = "the fork server died and took the point with it"
        return Outcome(status=Status.CRASHED, phase=phase, reason=reason)
    code = os.waitstatus_to_exitcode(ended.wait_status)
    if code >= 0:
        reason = f"exited with code {code} before it reported a result"
        if code == UNWRITTEN:
            reason = "its result could not be written: a full disk, or its folder is gone"
        return Outcome(status=Status.CRASHED, phase=phase, reason=reason, exit_code=code)
    name = signal_name(-code)
    shortage = _memory_reason(-code, ended, log_tail)
    status = Status.CRASHED if shortage is None else Status.OOM_HOST
    return Outcome(status=status, phase=phase, reason=shortage or f"died of {name}", signal=name)


def _memory_reason(number: int, ended: ProcessEnd, log_tail: str) -> str | None:
    """Return why a death by this signal was for want of memory, or None without evidence."""
    if number == signal.SIGKILL and ended.machine_left_bytes is not None:
        left = ended.machine_left_bytes // MIB
        return f"{STOPPED}: the machine had only {left} MiB left"
    if number == signal.SIGKILL and ended.kernel_oom_kill:
        return f"the kernel killed it {_at_limit(ended) or 'because memory ran out'}"
    if number == signal.SIGABRT:
        last = "\n".join(log_tail.splitlines()[-_LAST_LINES:])
        if _says(last, _WORDS.bad_alloc):
            return "std::bad_alloc: the C++ runtime found no memory and aborted"
        # A stack trace may follow the words.
        if ended.host_limit_by == _REFUSING and _says(log_tail, _WORDS.refusals):
            return f"a refused mapping aborted it {_at_limit(ended)}"
    return None


def _at_limit(ended: ProcessEnd) -> str | None:
    if ended.host_limit_bytes is None:
        return None
    return f"at the host limit of {ended.host_limit_bytes / MIB:g} MiB ({ended.host_limit_by})"


def _says(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def unreadable(ended: ProcessEnd, why: object) -> Outcome:
    """Return the outcome of a child whose report cannot be read."""
    return replace(from_exit(ended, None), reason=f"left an unreadable result: {why}")


def signal_name(number: int) -> str:
    """Return ``SIGTERM`` for 15; ``signal N`` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
