"""The host limit: a cap on the whole process of one child, by the best means allowed here."""

from __future__ import annotations

import contextlib
import enum
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from profiler.errors import StepwallError
from profiler.facts.codec import Bytes, Record
from profiler.limits import cgroup, host_memory
from profiler.units import MIB

NO_PEAK = "the kernel keeps no peak of what this limit counts"


class HostLimitError(StepwallError):
    """The host limit cannot be set on this process; the message says why."""


class Means(enum.Enum):
    """What caps the process."""

    CGROUP_V2 = "cgroup v2"
    CGROUP_V1 = "cgroup v1"
    RLIMIT_DATA = "RLIMIT_DATA"


class CapEntry(Record, frozen=True, kw_only=True):
    """What a child must know of its cap; ``group``: the path of its memory cgroup, if any."""

    limit_bytes: Bytes
    means: Means
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The parent's side of one child's limit; without a group it is RLIMIT_DATA."""

    limit_bytes: int
    group: cgroup.Group | None = None

    @property
    def means(self) -> Means:
        """What caps the child."""
        return Means(self.group.files.version) if self.group else Means.RLIMIT_DATA

    @property
    def entry(self) -> CapEntry:
        """What the child needs to enter the cap; see ``enter``."""
        path = str(self.group.path) if self.group else None
        return CapEntry(limit_bytes=self.limit_bytes, means=self.means, group=path)


class Meter(Protocol):
    """A child under its limit."""

    means: Means
    limit_bytes: int

    def peak_bytes(self) -> int | None:
        """Return the most that the limit has counted so far, or None where it is unknown."""

    def lift(self) -> None:
        """Remove the limit from the process."""


@contextlib.contextmanager
def capped(limit_bytes: int | None, means: Means | None = None) -> Iterator[Cap | None]:
    """Hold the cap of one child while it lives; the child calls ``enter``.

    Args:
        limit_bytes: what the child's whole process may take; None: no limit.
        means: what caps it; None: the best that is allowed here.

    Raises:
        StepwallError: if that means is not available here.
    """
    if limit_bytes is None:
        yield None
        return
    if sys.platform != "linux":
        raise StepwallError("a host limit needs Linux")
    with contextlib.ExitStack() as stack:
        yield Cap(limit_bytes=limit_bytes, group=_entered(stack, means))


def _entered(stack: contextlib.ExitStack, means: Means | None) -> cgroup.Group | None:
    """Return a group that ends with ``stack``; None if RLIMIT_DATA is wanted, or all there is."""
    if means is Means.RLIMIT_DATA:
        return None
    try:
        group = stack.enter_context(_group())
    except OSError as error:
        if means is None:
            return None
        raise StepwallError(f"a host limit by {means.value}: {error}") from error
    if means not in {None, Means(group.files.version)}:
        raise StepwallError(f"a host limit by {means}: this machine has {group.files.version}")
    return group


@contextlib.contextmanager
def _group() -> Iterator[cgroup.Group]:
    """Make a group for one child, and remove it; what killed owners left is removed first."""
    own = cgroup.own()
    if own is None:
        raise FileNotFoundError("no memory cgroup is mounted")
    cgroup.sweep(own)
    group, lock = cgroup.new_group(own)
    try:
        yield group
    finally:
        group.remove()
        lock.release()


def enter(cap: CapEntry) -> Meter:
    """Put this process under the cap that ``Cap.entry`` describes.

    The limit stands for the whole process: what it inherited from the fork server counts.

    Raises:
        HostLimitError: if what the process holds already is more, or the kernel refuses.
    """
    means, limit = cap.means, cap.limit_bytes
    is_rlimit = means is Means.RLIMIT_DATA
    held = (host_memory.data_bytes() if is_rlimit else host_memory.anonymous_bytes()) or 0
    if held >= limit:
        raise HostLimitError(
            f"host limit {limit // MIB} MiB: the framework alone holds {-(-held // MIB)} MiB"
        )
    try:
        return _Rlimit(limit) if is_rlimit else _InGroup(_described(cap), limit, held)
    except OSError as error:
        raise HostLimitError(f"host limit {limit // MIB} MiB by {means.value}: {error}") from error


def _described(cap: CapEntry) -> cgroup.Group:
    files = cgroup.V2 if cap.means is Means.CGROUP_V2 else cgroup.V1
    return cgroup.Group(files=files, path=Path(cap.group or ""))


class _InGroup:
    """This process in a memory cgroup of its own."""

    def __init__(self, group: cgroup.Group, limit: int, held: int) -> None:
        self.means = Means(group.files.version)
        self.limit_bytes = limit
        self._group = group
        group.limit(limit)
        group.join()
        # What is not copied cannot be written to, and stays charged to the parent.
        self._outside = held - host_memory.copy_inherited()
        group.limit(limit - self._outside)

    def peak_bytes(self) -> int | None:
        peak = self._group.peak_bytes()
        if peak is None:
            return None
        # File cache makes no process run out: the kernel takes it back first.
        return peak - self._group.cache_bytes() + self._outside

    def lift(self) -> None:
        self._group.lift()


class _Rlimit:
    """This process under RLIMIT_DATA, which counts what was inherited by itself."""

    means = Means.RLIMIT_DATA

    def __init__(self, limit: int) -> None:
        self.limit_bytes = limit
        self._peak: int | None = None
        self._hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (limit, self._hardest))

    def peak_bytes(self) -> int | None:
        peak = host_memory.data_peak_bytes()
        if peak is not None:
            self._peak = max(self._peak or 0, min(peak, self.limit_bytes))
        return self._peak

    def lift(self) -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (self._hardest, self._hardest))
