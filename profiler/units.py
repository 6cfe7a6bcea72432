"""Texts that a user types: sizes, times and ranges of steps, read into numbers."""

from __future__ import annotations

import re

from profiler.errors import UsageError

MIB = 1 << 20
MAX_STEPS = 1_000_000
# Each is a point to be run.
MAX_LENGTHS = 10_000
# Common sizes of device memory.
CARD_BYTES = tuple(gib * 1024 * MIB for gib in (4, 8, 12, 16, 24, 40, 80, 141))
_UNITS = {
    "B": 1,
    "KIB": 1 << 10,
    "MIB": MIB,
    "GIB": 1 << 30,
    "TIB": 1 << 40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_MAX_SIZE = 1 << 50
_PER_STEP = "/step"
_STEPS_HELP = "use a list '8,16,32', a doubling '8:512:x2' or an even range '100:1000:100'"


def parse_size(text: str) -> int:
    """Return the bytes of ``64MiB``, ``1.5GiB`` or ``800MB``.

    Raises:
        UsageError: if it is no number with a unit, or less than one byte.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text, re.ASCII)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise UsageError(
            f"size {text!r}: write a number with a unit, such as 64MiB, 1.5GiB or 800MB"
        )
    size = float(match[1]) * unit
    if not 1 <= size <= _MAX_SIZE:
        raise UsageError(f"size {text[:40]!r}: must be between one byte and 1024TiB")
    return int(size)


def size_option(size: int) -> str:
    """Return ``64MiB`` or ``1000B``: what ``parse_size`` reads as just these bytes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size % _UNITS[unit.upper()] == 0:
            return f"{size // _UNITS[unit.upper()]}{unit}"
    return f"{size}B"


def parse_size_per_step(text: str) -> int:
    """Return the bytes per step of ``1.2MiB/step``.

    Raises:
        UsageError: if it is no size per step.
    """
    size, per_step, rest = text.replace(" ", "").partition(_PER_STEP)
    if not per_step or rest:
        raise UsageError(f"growth {text[:40]!r}: write a size per step, such as 1.2MiB/step")
    return parse_size(size)


def parse_steps(text: str) -> list[int]:
    """Return the steps of ``8,16,32``, ``8:512:x2`` or ``100:1000:100``, ascending, each once.

    Raises:
        UsageError: if the text is of no such form, is empty, or leaves 1 to 1,000,000.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        chosen.update(_expand(text, part.strip()))
        if len(chosen) > MAX_LENGTHS:
            raise UsageError(f"--steps {text[:40]!r}: more than {MAX_LENGTHS} lengths")
    bad = [steps for steps in sorted(chosen) if not 1 <= steps <= MAX_STEPS]
    if bad:
        raise UsageError(
            f"--steps {text[:40]!r}: {bad[0]} is not in 1 to {MAX_STEPS}; {_STEPS_HELP}"
        )
    return sorted(chosen)


def listed_steps(text: str) -> list[int]:
    """Return those of ``parse_steps`` that the text names one by one, and not as a range."""
    return [int(part) for part in map(str.strip, text.split(",")) if part.isdecimal()]


def _expand(text: str, part: str) -> list[int]:
    if re.fullmatch(r"-?\d{1,18}", part, re.ASCII):
        return [int(part)]
    match = re.fullmatch(r"(\d{1,18}):(\d{1,18}):(x?)(\d{1,18})", part, re.ASCII)
    if match is None:
        raise UsageError(
            f"--steps {text[:40]!r}: {part[:40]!r} is not a number or range; {_STEPS_HELP}"
        )
    start, stop, stride = int(match[1]), int(match[2]), int(match[4])
    smallest_stride = 2 if match[3] else 1
    if start < 1 or stop < start or stop > MAX_STEPS or stride < smallest_stride:
        raise UsageError(
            f"--steps {text[:40]!r}: {part!r} must run upwards within 1 to {MAX_STEPS}; "
            f"{_STEPS_HELP}"
        )
    if not match[3]:
        return list(range(start, stop + 1, stride)[: MAX_LENGTHS + 1])
    steps = []
    while start <= stop:
        steps.append(start)
        start *= stride
    return steps


def parse_seconds(text: str) -> float:
    """Return the seconds of ``20ms``, ``1.5s`` or ``2min``.

    Raises:
        UsageError: if it is no number with such a unit, or zero.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min)\s*", text, re.ASCII)
    if match is None or not float(match[1]):
        raise UsageError(f"time {text!r}: write a number with a unit, such as 20ms, 1.5s or 2min")
    return float(match[1]) * _SECONDS[match[2]]
