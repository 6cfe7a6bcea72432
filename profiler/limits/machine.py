"""What this machine has: memory that may still be taken, and its description."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

import profiler
from profiler.facts import Environment, FrameworkFacts
from profiler.limits import cgroup
from profiler.units import MIB

# What is left for the system and the parent when no limit is given.
_HEADROOM = 0.9
# The floor under which children are stopped: a share of the memory, within bounds.
_FLOOR_SHARE = 0.03
_LEAST_FLOOR, _LARGEST_FLOOR = 256 * MIB, 2048 * MIB
_LARGEST_FLOOR_SHARE = 1 / 8


def free_bytes(room: Callable[[], int | None] = cgroup.room_bytes) -> int:
    """Return the bytes that may still be taken before the machine or its cgroup has none left.

    The smaller of the kernel's estimate and what this process's memory cgroups still allow;
    file cache that the kernel would take back counts as free in both.
    """
    allowed = room()
    available: int = psutil.virtual_memory().available
    return available if allowed is None else min(available, allowed)


def available_bytes(room: Callable[[], int | None] = cgroup.room_bytes) -> int:
    """Return the bytes that a point may take: 90 % of what the machine has available."""
    return int(free_bytes(room) * _HEADROOM)


def floor_bytes() -> int:
    """Return the free bytes under which the largest child is stopped, to protect the machine.

    The larger of 256 MiB and 3 % of the memory, but at most 2 GiB or an eighth of it.
    """
    total = psutil.virtual_memory().total
    floor = min(max(_LEAST_FLOOR, total * _FLOOR_SHARE), _LARGEST_FLOOR)
    return int(min(floor, total * _LARGEST_FLOOR_SHARE))


def environment(frameworks: Mapping[str, FrameworkFacts]) -> Environment:
    """Return the environment of a run on this machine, with these frameworks."""
    return Environment(
        stepwall=profiler.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu_name(),
        cpu_count=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        memory_bytes=psutil.virtual_memory().total,
        frameworks=dict(frameworks),
        source=_source_version(),
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _source_version() -> str | None:
    """Return ``git describe`` of the checkout this package lies in, or None."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() or None
