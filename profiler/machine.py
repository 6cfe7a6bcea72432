"""What this machine has: memory that may still be taken, and its description."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

import profiler
from profiler.results import Environment

# What is left for the system and the parent when no limit is given.
_HEADROOM = 0.9
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def available_bytes(cgroup: Path = _CGROUP) -> int:
    """Return the bytes that a point may take: 90 % of what the machine has available.

    The smaller of the kernel's estimate and what the memory cgroup still allows.
    """
    free = [psutil.virtual_memory().available]
    for limit_file, usage_file in _CGROUP_FILES:
        try:
            limit = int((cgroup / limit_file).read_text())
            free.append(limit - int((cgroup / usage_file).read_text()))
        except (OSError, ValueError):  # no such cgroup version, or "max"
            continue
    return int(max(0, min(free)) * _HEADROOM)


def environment(description: dict[str, Any]) -> Environment:
    """Return the environment of a run on this machine.

    Args:
        description: the engine's ``describe``: ``versions`` and ``devices``.
    """
    return Environment(
        stepwall=profiler.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu_name(),
        cpu_count=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        memory_bytes=psutil.virtual_memory().total,
        frameworks=description["versions"],
        devices=description["devices"],
        source=_source_version(),
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _source_version() -> str | None:
    """Return ``git describe`` of the checkout this package lies in, or None."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
