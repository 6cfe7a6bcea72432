"""What the parent holds for one child: its host limit, its guard, and the evidence of its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from profiler.facts import Point, replace
from profiler.limits import host_limit
from profiler.measure.guard import Guard, GuardedChild
from profiler.measure.job import Job
from profiler.measure.outcomes import ProcessEnd


class Supervisor:
    """Supervises the children of one launcher."""

    def __init__(
        self, *, means: host_limit.Means | None = None, guard: Guard | None = None
    ) -> None:
        """Make a supervisor.

        Args:
            means: what caps a child with a host limit; None: the best that is allowed here.
            guard: protects the machine from the children; None: a new one.
        """
        self._means = means
        self._guard = guard or Guard()
        self._cards: dict[str, threading.Lock] = {}

    @contextlib.contextmanager
    def supervise(self, job: Job) -> Iterator[SupervisedChild]:
        """Supervise the child of one job, from before its start until it is gone.

        One whose point is on a card waits until no other one is: it may take the whole card.

        Raises:
            StepwallError: if the host limit cannot be set by the means that was asked for.
        """
        limit = job.point.host_limit_bytes if job.point else None
        with self._alone(job.point), host_limit.capped(limit, self._means) as cap:
            yield SupervisedChild(job, cap, self._guard)

    def _alone(self, point: Point | None) -> contextlib.AbstractContextManager[object]:
        if point is None or not point.on_card:
            return contextlib.nullcontext()
        return self._cards.setdefault(point.device, threading.Lock())


class SupervisedChild:
    """One child."""

    def __init__(self, job: Job, cap: host_limit.Cap | None, guard: Guard) -> None:
        """Supervise the child of ``job`` under its cap, if it has one."""
        self.job = replace(job, host_cap=cap.entry if cap else None)
        self._cap = cap
        self._guard = guard
        self._guarded: GuardedChild | None = None
        self._kills_before = _kernel_oom_kills()

    @contextlib.contextmanager
    def guarded(self, pid: Callable[[], int | None], kill: Callable[[], None]) -> Iterator[None]:
        """Let the guard watch the child while it runs; see ``Guard.watch``.

        Raises:
            StepwallError: if the guard failed; the child was killed then.
        """
        with self._guard.watch(pid, kill) as self._guarded:
            yield

    def end(self, wait_status: int | None, timed_out_s: float | None) -> ProcessEnd:
        """Return how the child ended, with what is known of the memory by then."""
        return ProcessEnd(
            wait_status=wait_status,
            timed_out_s=timed_out_s,
            kernel_oom_kill=self._was_killed(),
            host_limit_bytes=self._cap.limit_bytes if self._cap else None,
            host_limit_by=self._cap.means.value if self._cap else None,
            machine_left_bytes=self._guarded.left_bytes if self._guarded else None,
        )

    def _was_killed(self) -> bool:
        """Whether the kernel killed for want of memory: in the child's group, if it has one."""
        if self._cap and self._cap.group:
            return self._cap.group.kills() > 0
        return _kernel_oom_kills() > self._kills_before


def _kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
