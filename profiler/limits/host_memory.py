"""The kernel's view of this process's memory: resident bytes and their high-water mark.

Read from ``/proc/self``, so on Linux only; elsewhere every reading is None.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from array import array
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_MAPS = Path("/proc/self/maps")
_PAGEMAP = Path("/proc/self/pagemap")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ENTRY = 8  # bytes of the page map for each page
_PRESENT, _OF_FILE, _EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
_KIND = _PRESENT | _OF_FILE | _EXCLUSIVE
_MADV_POPULATE_WRITE = 23  # Linux 5.14
_M_MMAP_THRESHOLD, _MMAP_THRESHOLD = -3, 128 << 10
UNAVAILABLE = "the kernel's high-water mark is read from /proc, which only Linux has"


def resident_bytes() -> int | None:
    """Return the process's resident set (private, shared and file-backed pages)."""
    return _read("VmRSS")


def peak_bytes() -> int | None:
    """Return the largest resident set since the last ``reset_peak``."""
    return _read("VmHWM")


def anonymous_bytes() -> int | None:
    """Return the resident bytes that no file backs, shared with a parent or not."""
    return _read("RssAnon")


def data_bytes() -> int | None:
    """Return what RLIMIT_DATA counts: private writable mappings, touched or not."""
    return _read("VmData")


def data_peak_bytes() -> int | None:
    """Return the most that RLIMIT_DATA has counted since ``reset_peak``, as far as is known.

    The kernel keeps no such peak. What was given back since is taken from two others: of
    resident pages, which misses what was mapped and never touched, and of all mappings ever,
    which holds what this limit does not count; the smaller one is taken.
    """
    fields = {name: _read(name) for name in ("VmData", "VmHWM", "VmRSS", "VmPeak", "VmSize")}
    if any(size is None for size in fields.values()):
        return None
    data, top_resident, resident, top_mapped, mapped = (size or 0 for size in fields.values())
    return data + max(0, min(top_resident - resident, top_mapped - mapped))


def reset_peak() -> bool:
    """Set the high-water mark back to what is resident now; False if the kernel refuses."""
    try:
        _CLEAR_REFS.write_text("5", encoding="utf-8")
    except OSError:
        return False
    return True


def steady_malloc() -> None:
    """Keep the size from which glibc's malloc maps memory at its default (128 KiB).

    It grows with what is freed, so that equal points end up with heaps of different shape:
    the peaks of ten equal ones lay up to 6 % apart, and 0.5 % with this.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)


def copy_inherited() -> int:
    """Take a copy of each page that this fork shares with its parent and may write to.

    Without it a page would be charged to the parent until it is first written, and to both
    from then on. Returns the bytes that were copied.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    copied = 0
    for start, size in list(_inherited_pages()):
        if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _MADV_POPULATE_WRITE) == 0:
            copied += size
    return copied


def _inherited_pages() -> Iterator[tuple[int, int]]:
    """Yield address and size of each run of inherited pages in private writable mappings."""
    with _PAGEMAP.open("rb", buffering=0) as pagemap:
        # Names of files may hold any byte.
        for line in _MAPS.read_bytes().splitlines():
            addresses, rights = (word.decode() for word in line.split()[:2])
            if rights[1] + rights[3] != "wp":
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            pagemap.seek(start // _PAGE * _ENTRY)
            entries = array("Q", pagemap.read((end - start) // _PAGE * _ENTRY))
            yield from ((start + at * _PAGE, pages * _PAGE) for at, pages in _runs(entries))


def _runs(entries: array[int]) -> Iterator[tuple[int, int]]:
    """Yield position and length of each run of pages that no file backs and another process has."""
    position = 0
    for inherited, run in groupby(entries, lambda entry: entry & _KIND == _PRESENT):
        length = sum(1 for _ in run)
        if inherited:
            yield position, length
        position += length


def _read(field: str) -> int | None:
    try:
        lines = _STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
