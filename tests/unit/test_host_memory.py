"""The kernel's readings rise and fall with what this process holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from profiler.limits import host_memory

BLOCK = 64 << 20
SLACK = BLOCK // 8

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def _hold_a_block() -> None:
    """Touch every page of a block, and let it go."""
    del (block := [b"\1" * BLOCK])[:]
    assert block == []


@pytest.fixture
def _no_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(host_memory, "_CLEAR_REFS", tmp_path / "nowhere" / "clear_refs")


@linux
def test_the_peak_is_never_below_what_is_resident() -> None:
    """Both are in bytes, and a Python process holds some megabytes."""
    resident, peak = host_memory.resident_bytes(), host_memory.peak_bytes()

    assert resident is not None
    assert peak is not None
    assert peak >= resident > 1 << 20


@linux
def test_the_peak_remembers_what_was_freed() -> None:
    """A block that came and went between two readings is seen."""
    assert host_memory.reset_peak()
    before = host_memory.resident_bytes()
    _hold_a_block()
    peak, after = host_memory.peak_bytes(), host_memory.resident_bytes()

    assert before is not None
    assert peak is not None
    assert after is not None
    assert peak >= before + BLOCK - SLACK
    assert after <= peak - BLOCK + SLACK


@linux
def test_a_reset_forgets_what_was_freed() -> None:
    """The mark falls back to what is resident now."""
    _hold_a_block()
    high = host_memory.peak_bytes()
    done = host_memory.reset_peak()
    low = host_memory.peak_bytes()

    assert done
    assert high is not None
    assert low is not None
    assert low <= high - BLOCK + SLACK


@pytest.mark.usefixtures("_no_proc")
def test_without_proc_every_reading_is_unknown() -> None:
    """Unknown is None, never zero."""
    assert host_memory.resident_bytes() is None
    assert host_memory.peak_bytes() is None
    assert host_memory.reset_peak() is False


@pytest.mark.usefixtures("_no_proc")
def test_a_status_without_the_field_is_unknown() -> None:
    """Some kernels leave fields out."""
    host_memory._STATUS.write_text("Name:\tpython\nVmRSS:\t    12 kB\n")

    assert host_memory.resident_bytes() == 12 * 1024
    assert host_memory.peak_bytes() is None


@pytest.mark.usefixtures("_no_proc")
@pytest.mark.parametrize(
    ("resident", "mapped", "given_back"),
    [((70, 50), (900, 800), 20), ((70, 50), (810, 800), 10), ((40, 50), (800, 800), 0)],
    ids=["touched", "mapped", "none"],
)
def test_a_peak_of_data_adds_what_was_given_back(
    resident: tuple[int, int], mapped: tuple[int, int], given_back: int
) -> None:
    """The smaller of what left the resident set and what was unmapped."""
    host_memory._STATUS.write_text(
        "VmData:\t300 kB\n"
        f"VmHWM:\t{resident[0]} kB\nVmRSS:\t{resident[1]} kB\n"
        f"VmPeak:\t{mapped[0]} kB\nVmSize:\t{mapped[1]} kB\n"
    )

    assert host_memory.data_bytes() == 300 * 1024
    assert host_memory.data_peak_bytes() == (300 + given_back) * 1024


@pytest.mark.usefixtures("_no_proc")
def test_a_peak_of_data_needs_all_readings() -> None:
    """Unknown is None, never zero."""
    host_memory._STATUS.write_text("VmData:\t300 kB\nVmPeak:\t900 kB\n")

    assert host_memory.data_peak_bytes() is None


@linux
def test_a_fork_copies_what_it_inherited_once() -> None:
    """Of what is its own, as in a process that was not forked, next to nothing is copied."""
    code = """if True:
        import os
        from profiler.limits import host_memory
        block = bytearray(b"x" * (64 << 20))
        print(host_memory.copy_inherited(), flush=True)
        if os.fork():
            os.wait()  # what is nobody else's any more is no copy
        else:
            before = host_memory.anonymous_bytes()
            copied, again = host_memory.copy_inherited(), host_memory.copy_inherited()
            print(copied, again, before, host_memory.anonymous_bytes(), block[-1])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    alone, copied, again, before, after, last = map(int, done.stdout.split())

    assert max(alone, again) < 1 << 16  # pages of zeros have no owner
    assert BLOCK <= copied <= before
    # The bookkeeping of the copying is not free.
    assert abs(after - before) < SLACK
    assert last == ord("x")
