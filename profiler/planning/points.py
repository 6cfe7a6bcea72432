"""What a profile measures: the scenarios and conditions asked for, expanded into points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from profiler.errors import UsageError
from profiler.facts import Point, Schedule
from profiler.planning.discovery import Listing, unknown_scenario
from profiler.units import MIB


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What holds for every point of a plan."""

    overrides: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    limit_bytes: int | None = None
    host_limit_bytes: int | None = None
    schedule: Schedule = Schedule.SERIAL


def select(names: Sequence[str], catalog: Mapping[str, Listing]) -> list[Listing]:
    """Return the scenarios of those names, each once; all of them for no name.

    Raises:
        UsageError: for a name that is not in the catalog.
    """
    for name in names:
        if name not in catalog:
            raise UsageError(unknown_scenario(name, catalog))
    return [catalog[name] for name in dict.fromkeys(names or catalog)]


def point(listing: Listing, conditions: Conditions, *, steps: int, repeat: int = 0) -> Point:
    """Return one point of a scenario.

    Raises:
        UsageError: if an override does not fit the scenario's parameters.
    """
    return Point(
        scenario=listing.name,
        family=listing.family,
        parameters=listing.settings(dict(conditions.overrides)),
        steps=steps,
        device=conditions.device,
        limit_bytes=conditions.limit_bytes,
        host_limit_bytes=conditions.host_limit_bytes,
        schedule=conditions.schedule,
        repeat=repeat,
    )


def expand(
    listings: Iterable[Listing], steps: Sequence[int], conditions: Conditions, repeats: int
) -> list[Point]:
    """Return every point: per scenario and repeat, by ascending steps."""
    return [
        point(listing, conditions, steps=number, repeat=repeat)
        for listing in listings
        for repeat in range(repeats)
        for number in sorted(steps)
    ]


def series_of(point: Point) -> str:
    """Return a text that is equal for points that differ in their steps and repeats only."""
    return replace(point, steps=0, repeat=0).key


def by_series(points: Iterable[Point]) -> list[list[Point]]:
    """Group points that differ in their steps only, which are next to one another."""
    return [list(group) for _, group in groupby(points, key=lambda p: replace(p, steps=0).key)]


def parse_device(text: str) -> str:
    """Return ``cpu`` or ``gpu:N`` for what the user typed.

    Raises:
        UsageError: for anything else.
    """
    match = re.fullmatch(r"(cpu)|gpu(?::(\d+))?", text.lower(), re.ASCII)
    if match is None:
        raise UsageError(f"device {text!r}: use cpu, gpu or gpu:N")
    return "cpu" if match[1] else f"gpu:{int(match[2] or 0)}"


def check_device(device: str, seen: Sequence[str]) -> None:
    """Check that the framework sees the device.

    Args:
        device: as ``parse_device`` returns it.
        seen: the framework's devices, as ``gpu:0 NAME``.

    Raises:
        UsageError: if it does not.
    """
    if device not in {name.partition(" ")[0] for name in seen}:
        raise UsageError(f"device {device!r}: TensorFlow sees only {', '.join(seen)}")


def whole_mib(limit_bytes: int) -> int:
    """Return the limit rounded down to whole MiB, the unit of TensorFlow's limits.

    Raises:
        UsageError: for less than one MiB.
    """
    if limit_bytes < MIB:
        raise UsageError(f"limit of {limit_bytes} bytes: must be at least 1MiB")
    return limit_bytes // MIB * MIB
