"""The kernel's view of this process's memory: resident bytes and their high-water mark.

Read from ``/proc/self``, so on Linux only; elsewhere every reading is None.
"""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
UNAVAILABLE = "the kernel's high-water mark is read from /proc, which only Linux has"


def resident_bytes() -> int | None:
    """Return the process's resident set (private, shared and file-backed pages)."""
    return _read("VmRSS")


def peak_bytes() -> int | None:
    """Return the largest resident set since the last ``reset_peak``."""
    return _read("VmHWM")


def reset_peak() -> bool:
    """Set the high-water mark back to what is resident now; False if the kernel refuses."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def _read(field: str) -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
