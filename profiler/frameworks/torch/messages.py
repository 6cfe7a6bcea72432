"""What PyTorch says when memory runs out, read without PyTorch."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from profiler.facts import Shortage

_CPU = re.compile(
    r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory): "
    r"you tried to allocate (\d+) bytes"
)
# Both sentences are in ``CUDACachingAllocator.cpp``; the second one from torch 2.14 on.
_CARD = re.compile(
    r"CUDA out of memory\. (?:Tried to allocate|.{0,200}Requested size:) (?P<asked>[\d.]+ \w+)"
)
# Of the driver, or of a library that takes memory from it: no allocator of PyTorch's.
_DRIVER = re.compile(r"CUDA error: out of memory|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED")
_DEVICE = re.compile(r"GPU (\d+) has a total capacity")
_FREE = re.compile(r"of which ([\d.]+ \w+) is free")
_HELD = re.compile(r"([\d.]+ \w+) is allocated by PyTorch")
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def shortage(text: str) -> Shortage | None:
    """Return what an error's text says that an allocator could not give; None for any other.

    The CPU's allocator names the exact bytes and nothing else. That of a card names the segment
    that it asked of the driver, to two digits: 20 MiB for any block between 1 and 10 MiB.
    """
    found = _CPU.search(text)
    if found:
        return Shortage(
            device="CPU",
            allocator="DefaultCPUAllocator",
            requested_bytes=int(found[1]),
            lines=[text[found.start() :].splitlines()[0]],
        )
    driver = _DRIVER.search(text)
    if driver is not None:
        return Shortage(device="GPU", lines=[text[driver.start() :].splitlines()[0]])
    card = _CARD.search(text)
    if card is None:
        return None
    device = _DEVICE.search(text)
    return Shortage(
        device=f"GPU:{device[1]}" if device else "GPU",
        allocator="CUDACachingAllocator",
        requested_bytes=_bytes(card["asked"]),
        free_bytes=_bytes_of(_FREE, text),
        held_bytes=_bytes_of(_HELD, text),
        lines=[text[card.start() :].splitlines()[0]],
    )


def is_of_card(found: Shortage) -> bool:
    """Whether the card itself was full, whatever limit its allocator has."""
    if found.allocator is None:
        return True
    asked, free = found.requested_bytes, found.free_bytes
    return asked is not None and free is not None and free < asked


def place(raised: TracebackType | None, ours: Sequence[str]) -> str | None:
    """Return the innermost line of the user's code at which something was raised, with its file.

    Where there is none, the innermost line of these folders that a training step is made of.

    Args:
        raised: where.
        ours: folders of files that are not the user's; the last one is stepwall's.
    """
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(raised)]
    users = [one for one in frames if not one[0].startswith(("<", *ours))]
    steps = [one for one in frames if one[0].startswith(ours[-1])]
    if users:
        file, line = users[-1]
        return f"{Path(file).name}:{line} {linecache.getline(file, line).strip()}".rstrip()
    return linecache.getline(*steps[-1]).strip() or None if steps else None


def _bytes_of(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return _bytes(found[1]) if found else None


def _bytes(text: str) -> int | None:
    number, _, unit = text.partition(" ")
    return round(float(number) * _UNITS[unit]) if unit in _UNITS else None
