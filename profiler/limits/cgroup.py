"""Memory cgroups: the one this process lies in, what it still allows, and new ones inside it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from profiler.filelock import FileLock

PREFIX = "stepwall-"
# Where this process and its own go, when a version 2 group must not hold processes itself.
HOME = "stepwall"
_PROC = Path("/proc")
# Version 1 shows "no limit" as the largest number of whole pages.
_UNLIMITED = 1 << 62
_REMOVAL_S = 2.0
_POLL_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Files:
    """What a version of cgroups calls the files that are used here."""

    version: str
    limit: str
    swap: str
    usage: str
    peak: str
    kills: str
    unlimited: str
    cache: frozenset[str]


V1 = Files(
    version="cgroup v1",
    limit="memory.limit_in_bytes",
    swap="memory.memsw.limit_in_bytes",
    usage="memory.usage_in_bytes",
    peak="memory.max_usage_in_bytes",
    kills="memory.oom_control",
    unlimited="-1",
    cache=frozenset({"total_inactive_file", "total_active_file"}),
)
V2 = Files(
    version="cgroup v2",
    limit="memory.max",
    swap="memory.swap.max",
    usage="memory.current",
    peak="memory.peak",
    kills="memory.events",
    unlimited="max",
    cache=frozenset({"inactive_file", "active_file"}),
)


@dataclass(frozen=True, kw_only=True)
class Group:
    """One memory cgroup."""

    files: Files
    path: Path

    def limit(self, size: int) -> None:
        """Cap the group's memory at ``size`` bytes, with no swap beside it; once or downwards.

        Raises:
            OSError: if the kernel refuses.
        """
        (self.path / self.files.limit).write_text(str(size), encoding="utf-8")
        swap = self.path / self.files.swap
        if swap.exists():  # a kernel may not count it
            # Version 1 counts memory and swap together, version 2 swap alone.
            swap.write_text("0" if self.files is V2 else str(size), encoding="utf-8")

    def lift(self) -> None:
        """Remove the cap."""
        for name in (self.files.swap, self.files.limit):
            with contextlib.suppress(OSError):
                (self.path / name).write_text(self.files.unlimited, encoding="utf-8")

    def join(self) -> None:
        """Move this process into the group; what it has taken before stays charged elsewhere.

        Raises:
            OSError: if the kernel refuses.
        """
        (self.path / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")

    def peak_bytes(self) -> int | None:
        """Return the most that was ever charged, or None where the kernel keeps no peak."""
        return _number(self.path / self.files.peak)

    def cache_bytes(self) -> int:
        """Return the bytes of file cache in the group, which the kernel takes back at need."""
        stat = _table(self.path / "memory.stat")
        return sum(size for name, size in stat.items() if name in self.files.cache)

    def kills(self) -> int:
        """Return how many processes the kernel killed because the group was full."""
        return _table(self.path / self.files.kills).get("oom_kill", 0)

    def room_bytes(self) -> int | None:
        """Return what the group's own limit still allows, or None where it has none."""
        limit = _number(self.path / self.files.limit)
        if limit is None or limit >= _UNLIMITED:
            return None
        usage = _number(self.path / self.files.usage)
        if usage is None:
            return None
        return max(0, limit - usage + self.cache_bytes())

    def remove(self) -> None:
        """Kill what is left in the group and remove it, if the kernel allows it within 2 s."""
        deadline = time.monotonic() + _REMOVAL_S
        while time.monotonic() < deadline:
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:  # busy: a process is left, or not yet gone
                _kill_all(self.path)
                time.sleep(_POLL_S)
            else:
                return


def own(proc: Path = _PROC) -> Group | None:
    """Return the memory cgroup of this process, or None where there is none.

    Where its path does not lie under the mount, as in a container, the mount's root.
    """
    for files, controller, root, mount in _mounts(proc):
        path = _own_path(proc, controller)
        if path is not None:
            inside = mount / os.path.relpath(path, root)
            return Group(files=files, path=inside if _lies_in(inside, mount) else mount)
    return None


def room_bytes(proc: Path = _PROC) -> int | None:
    """Return what the limits on this process's cgroup and those above still allow, or None."""
    group = own(proc)
    if group is None:
        return None
    above = [group.path, *group.path.parents]
    rooms = [Group(files=group.files, path=path).room_bytes() for path in above]
    return min((room for room in rooms if room is not None), default=None)


def new_group(inside: Group, mkdir: Callable[[Path], None] = Path.mkdir) -> tuple[Group, FileLock]:
    """Make a group that can be limited, and hold the lock that says its owner lives.

    Args:
        inside: the group of this process.
        mkdir: makes a folder of a cgroup.

    Raises:
        OSError: if this process may not, or the new group cannot limit memory.
    """
    base = _base(inside)
    if inside.files is V2 and not _delegates(base):
        _make_room(base, mkdir)
    lock = None
    while lock is None:  # another process may sweep the group before it is locked
        group = Group(files=inside.files, path=base / f"{PREFIX}{uuid.uuid4().hex[:12]}")
        mkdir(group.path)
        with contextlib.suppress(FileNotFoundError):
            lock = FileLock.take_folder(group.path)
    if not os.access(group.path / group.files.limit, os.W_OK):
        group.remove()
        lock.release()
        raise PermissionError(f"{group.files.version} offers no memory limit in {base}")
    return group, lock


def sweep(inside: Group) -> None:
    """Remove the groups whose owner is dead, with what is left in them."""
    for path in _base(inside).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = FileLock.take_folder(path)
            if lock is not None:
                Group(files=inside.files, path=path).remove()
                lock.release()


def _base(inside: Group) -> Path:
    return inside.path.parent if inside.path.name == HOME else inside.path


def _delegates(base: Path) -> bool:
    control = base / "cgroup.subtree_control"
    return control.exists() and "memory" in control.read_text(encoding="utf-8").split()


def _make_room(base: Path, mkdir: Callable[[Path], None]) -> None:
    """Move our processes out of ``base``, and let it delegate the memory controller.

    Version 2 lets a group with limited groups inside hold no processes of its own.
    """
    pids = [int(line) for line in (base / "cgroup.procs").read_text(encoding="utf-8").split()]
    if not set(pids) <= _ours():
        raise PermissionError(f"{base} holds processes of other programs")
    with contextlib.suppress(FileExistsError):
        mkdir(base / HOME)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (base / HOME / "cgroup.procs").write_text(str(pid), encoding="utf-8")
    (base / "cgroup.subtree_control").write_text("+memory", encoding="utf-8")


def _ours() -> set[int]:
    this = psutil.Process()
    return {this.pid, *(child.pid for child in this.children(recursive=True))}


def _mounts(proc: Path) -> Iterator[tuple[Files, str, str, Path]]:
    """Yield the mounts of memory cgroups: version 1 first, as it may hold the controller."""
    try:
        lines = _lines(proc / "self/mountinfo")
    except OSError:
        return
    found = []
    for line in lines:
        left, _, right = line.partition(" - ")
        root, mount = left.split()[3:5]
        kind, _, options = right.split()
        if kind == "cgroup" and "memory" in options.split(","):
            found.append((V1, "memory", root, Path(mount)))
        elif kind == "cgroup2":
            found.append((V2, "", root, Path(mount)))
    yield from sorted(found, key=lambda one: one[0].version)


def _lines(path: Path) -> list[str]:
    """Return a file's lines, which hold paths of any bytes."""
    return [os.fsdecode(line) for line in path.read_bytes().splitlines()]


def _own_path(proc: Path, controller: str) -> str | None:
    """Return the path that the kernel names for this process; "" stands for version 2."""
    with contextlib.suppress(OSError):
        for line in _lines(proc / "self/cgroup"):
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                return path
    return None


def _lies_in(path: Path, mount: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(mount) and path.is_dir()


def _kill_all(path: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (path / "cgroup.procs").read_text(encoding="utf-8").split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _table(path: Path) -> dict[str, int]:
    with contextlib.suppress(OSError, ValueError):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return {words[0]: int(words[1]) for words in lines if len(words) > 1}
    return {}
