"""What PyTorch says when memory runs out, read without PyTorch."""

from __future__ import annotations

import re

from profiler.facts import Shortage

_CPU = re.compile(
    r"DefaultCPUAllocator: (?:can't allocate memory|not enough memory): "
    r"you tried to allocate (\d+) bytes"
)
_CARD = re.compile(r"(CUDA) out of memory\. Tried to allocate (?P<asked>[\d.]+ \w+)")
_DEVICE = re.compile(r"GPU (\d+) has a total capacity")
_FREE = re.compile(r"of which ([\d.]+ \w+) is free")
_HELD = re.compile(r"([\d.]+ \w+) is allocated by PyTorch")
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def shortage(text: str) -> Shortage | None:
    """Return what an error's text says that an allocator could not give; None for any other.

    The CPU's allocator names the exact bytes and nothing else; that of a card rounds to two digits.
    """
    found = _CPU.search(text)
    if found:
        return Shortage(
            device="CPU",
            allocator="DefaultCPUAllocator",
            requested_bytes=int(found[1]),
            lines=[text[found.start() :].splitlines()[0]],
        )
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


def _bytes_of(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return _bytes(found[1]) if found else None


def _bytes(text: str) -> int | None:
    number, _, unit = text.partition(" ")
    return round(float(number) * _UNITS[unit]) if unit in _UNITS else None
