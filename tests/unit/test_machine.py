"""The memory that may be taken is what machine and cgroup both allow."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

import profiler
from profiler import machine

GIB = 1 << 30
FREE = 10 * GIB


@pytest.fixture(autouse=True)
def _free(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = SimpleNamespace(available=FREE, total=2 * FREE)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def _cgroup_v2(folder: Path, limit: str, usage: int) -> Path:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    return folder


def _cgroup_v1(folder: Path, limit: int, usage: int) -> Path:
    (folder / "memory").mkdir()
    (folder / "memory" / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory" / "memory.usage_in_bytes").write_text(f"{usage}\n")
    return folder


def _headroom(size: int) -> int:
    """Return the 90 % of it that a point may take."""
    return int(size * 0.9)


def test_without_a_cgroup_the_kernels_estimate_counts(tmp_path: Path) -> None:
    """A tenth is left for the rest of the system."""
    assert machine.available_bytes(tmp_path) == _headroom(FREE)


@pytest.mark.parametrize("make", [lambda p, a, b: _cgroup_v2(p, str(a), b), _cgroup_v1])
def test_a_tighter_cgroup_counts(tmp_path: Path, make: Callable[..., Path]) -> None:
    """What it still allows, in either version."""
    cgroup = make(tmp_path, 4 * GIB, GIB)

    assert machine.available_bytes(cgroup) == _headroom(3 * GIB)


def test_a_cgroup_without_a_limit_does_not_count(tmp_path: Path) -> None:
    """Version 2 writes ``max``."""
    assert machine.available_bytes(_cgroup_v2(tmp_path, "max", GIB)) == _headroom(FREE)


def test_a_cgroup_with_the_largest_limit_does_not_count(tmp_path: Path) -> None:
    """Version 1 writes the largest number of whole pages."""
    unlimited = (1 << 63) - os.sysconf("SC_PAGE_SIZE")

    assert machine.available_bytes(_cgroup_v1(tmp_path, unlimited, GIB)) == _headroom(FREE)


def test_a_cgroup_beyond_its_limit_leaves_nothing(tmp_path: Path) -> None:
    """Nothing is zero, not less."""
    assert machine.available_bytes(_cgroup_v2(tmp_path, str(GIB), 2 * GIB)) == 0


def test_a_cgroup_that_tells_no_usage_does_not_count(tmp_path: Path) -> None:
    """Half a reading is none."""
    (tmp_path / "memory.max").write_text(str(GIB))

    assert machine.available_bytes(tmp_path) == _headroom(FREE)


def test_the_environment_names_machine_and_software() -> None:
    """What the framework's child described is taken over."""
    found = machine.environment({"versions": {"tensorflow": "2.21.0"}, "devices": ["CPU:0"]})

    assert found.stepwall == profiler.__version__
    assert found.python == platform.python_version()
    assert found.memory_bytes == 2 * FREE
    assert found.frameworks == {"tensorflow": "2.21.0"}
    assert found.devices == ["CPU:0"]
    assert found.cpu
    assert found.platform


def test_the_environment_counts_the_cores_this_process_may_use() -> None:
    """A container's share, not the machine's."""
    cores = machine.environment({"versions": {}, "devices": []}).cpu_count

    assert 1 <= cores <= (os.cpu_count() or cores)


def test_a_checkout_names_its_commit() -> None:
    """An installed package has none."""
    in_checkout = (Path(machine.__file__).resolve().parent.parent / ".git").exists()

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
