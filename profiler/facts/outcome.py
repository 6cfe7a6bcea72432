"""How a point ended."""

from __future__ import annotations

import enum

from profiler.facts.codec import Bytes, Count, Record

# How the reason of a point begins that was stopped to protect the machine.
STOPPED = "stepwall stopped it"


class Status(enum.Enum):
    """The ways in which a point can end; a skipped one was not run, for fewer steps ran out."""

    OK = "ok"
    OOM_DEVICE = "oom_device"
    OOM_HOST = "oom_host"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_oom(self) -> bool:
        """Whether memory ran out, on the device or on the host."""
        return self in {Status.OOM_DEVICE, Status.OOM_HOST}

    @property
    def is_failure(self) -> bool:
        """Whether a point that ran did not end well."""
        return self not in {Status.OK, Status.SKIPPED}


class Shortage(Record, frozen=True, kw_only=True):
    """What an allocator had no memory for, as the framework reports it; None: not reported.

    ``requested_bytes`` is what the operation asked for: the tensor's shape times the size
    of its items where the framework names both, else the number that the allocator gives,
    which rounds up. ``op_type`` is that of the operation ``op`` in the graph as built.
    ``lines`` are the framework's first words on it, the most informative first.

    When it failed, the allocator had handed out ``in_use_bytes``, for ``held_bytes`` that had been
    asked for (within half a percent), and ``free_bytes`` were free in all; ``largest_free_bytes``
    in one piece is the most that would have fitted.
    """

    op: str | None = None
    op_type: str | None = None
    shape: list[Count] | None = None
    dtype: str | None = None
    device: str | None = None
    allocator: str | None = None
    requested_bytes: Bytes | None = None
    in_use_bytes: Bytes | None = None
    held_bytes: Bytes | None = None
    free_bytes: Bytes | None = None
    largest_free_bytes: Bytes | None = None
    lines: list[str] = []


class Outcome(Record, frozen=True, kw_only=True):
    """How a point ended, in which phase, and the first line of the reason.

    ``where``: the line of the user's code that an error came from, as ``/home/me/mine.py:12``.
    ``shortage``: what an allocator had no memory for, where the framework reported it.
    ``cut_short``: a wall probe that waited for memory and was ended; evidence, not proof.
    """

    status: Status
    phase: str | None = None
    reason: str | None = None
    signal: str | None = None
    exit_code: int | None = None
    where: str | None = None
    shortage: Shortage | None = None
    cut_short: bool = False

    @property
    def sentence(self) -> str:
        """As ``error in build: ValueError: ... (mine.py:12)``: the status, phase, reason, line."""
        phase = f" in {self.phase}" if self.phase else ""
        reason = f": {self.reason}" if self.reason else ""
        line = f" ({self.where.rpartition('/')[2]})" if self.where else ""
        return f"{self.status.value}{phase}{reason}{line}"

    @property
    def was_killed(self) -> bool:
        """Whether it crashed by a signal, or with its fork server: not by its own exit."""
        return self.status is Status.CRASHED and self.exit_code is None

    @property
    def was_stopped(self) -> bool:
        """Whether stepwall stopped the point to protect the machine: no limit of its own."""
        return self.status is Status.OOM_HOST and (self.reason or "").startswith(STOPPED)


def out_of_device_memory(shortage: Shortage, phase: str | None) -> Outcome:
    """Return the outcome of a point whose device's allocator could not give what it asked for."""
    reason = shortage.lines[0] if shortage.lines else "out of memory"
    if shortage.op is not None and shortage.op not in reason:
        reason += f" in {shortage.op}"
    return Outcome(status=Status.OOM_DEVICE, phase=phase, reason=reason, shortage=shortage)
