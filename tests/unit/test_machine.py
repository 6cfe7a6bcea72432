"""The memory that may be taken is what machine and cgroup both allow."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import profiler
from profiler.facts import FrameworkFacts
from profiler.limits import machine

MIB = 1 << 20
GIB = 1 << 30
FREE = 10 * GIB


@pytest.fixture(autouse=True)
def _free(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(available=FREE, total=2 * FREE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def _headroom(size: int) -> int:
    """Return the 90 % of it that a point may take."""
    return int(size * 0.9)


def test_without_a_cgroup_the_kernels_estimate_counts() -> None:
    """A tenth is left for the rest of the system."""
    assert machine.available_bytes(lambda: None) == _headroom(FREE)


@pytest.mark.parametrize("room", [0, 3 * GIB])
def test_a_tighter_cgroup_counts(room: int) -> None:
    """What it still allows, down to nothing."""
    assert machine.free_bytes(lambda: room) == room
    assert machine.available_bytes(lambda: room) == _headroom(room)


def test_a_wider_cgroup_does_not_count() -> None:
    """It may allow more than the machine has."""
    assert machine.available_bytes(lambda: 4 * FREE) == _headroom(FREE)


@pytest.mark.parametrize(
    ("total", "floor"),
    [
        (GIB, GIB // 8),
        (4 * GIB, 256 * MIB),
        (32 * GIB, int(32 * GIB * 0.03)),
        (512 * GIB, 2 * GIB),
    ],
    ids=["an eighth", "256 MiB", "3 %", "2 GiB"],
)
def test_the_floor_is_a_share_within_bounds(
    monkeypatch: pytest.MonkeyPatch, total: int, floor: int
) -> None:
    """Small machines keep some, large ones not too much."""
    memory = SimpleNamespace(available=total, total=total)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)

    assert machine.floor_bytes() == floor


def test_the_environment_names_machine_and_software() -> None:
    """What the frameworks said of themselves is taken over."""
    described = {"sampleflow": FrameworkFacts(name="sampleflow", title="SampleFlow")}
    found = machine.environment(described)

    assert found.stepwall == profiler.__version__
    assert found.python == platform.python_version()
    assert found.memory_bytes == 2 * FREE
    assert found.frameworks == described
    assert found.cpu
    assert found.platform


def test_the_environment_counts_the_cores_this_process_may_use() -> None:
    """A container's share, not the machine's."""
    cores = machine.environment({}).cpu_count

    assert 1 <= cores <= (os.cpu_count() or cores)


def test_a_checkout_names_its_commit() -> None:
    """An installed package has none."""
    in_checkout = (Path(machine.__file__).resolve().parents[2] / ".git").exists()

    assert (machine._source_version() is not None) == in_checkout


def test_an_installed_package_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder lies in no checkout of ours."""
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "profiler" / "machine.py"))

    assert machine._source_version() is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not finding the program is no error."""
    monkeypatch.setenv("PATH", "")

    assert machine._source_version() is None
