"""Points to be measured: scenarios, steps and conditions, expanded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from profiler.errors import UsageError, did_you_mean
from profiler.facts import FrameworkFacts, Point, Schedule, replace
from profiler.frameworks import framework
from profiler.parameters import Parameter
from profiler.planning.catalog import Listing, unknown_scenario
from profiler.units import MIB


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What all points of one command share but their scenario and steps."""

    overrides: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    limit_bytes: int | None = None
    host_limit_bytes: int | None = None
    schedule: Schedule = Schedule.SERIAL


@dataclass(frozen=True, kw_only=True)
class Group:
    """Scenarios that are chosen together.

    ``suite`` is a tag of installed scenarios, or ``all`` for all of these. Every one of ``tags``
    is among the tags of a scenario that is chosen.
    """

    suite: str | None = None
    tags: Sequence[str] = ()

    def of(self, listings: Iterable[Listing]) -> list[Listing]:
        """Return the scenarios that belong to it.

        Raises:
            UsageError: for a suite or a tag that none of them has, or if no scenario is left.
        """
        pool = list(listings)
        if self.suite is not None:
            pool = [one for one in pool if one.file.is_installed]
            suites = {ALL, *_tags(pool)}
            if self.suite not in suites:
                raise UsageError(_unknown("suite", self.suite, suites))
        wanted = {*self.tags, *([self.suite] if self.suite not in (None, ALL) else [])}
        for tag in self.tags:
            if tag not in _tags(pool):
                raise UsageError(_unknown("tag", tag, _tags(pool)))
        found = [one for one in pool if wanted <= {*one.tags}]
        if wanted and not found:
            raise UsageError(f"no scenario has all of the tags {', '.join(sorted(wanted))}")
        return found


# The suite of all installed scenarios.
ALL = "all"
# A length to write in an example.
_EXAMPLE = 20
# At a second for each, a day.
MOST_POINTS = 100_000


def _tags(listings: Iterable[Listing]) -> set[str]:
    return {tag for one in listings for tag in one.tags}


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    if not known:
        return f"no {what} {name!r}: no scenario has a tag"
    hint = did_you_mean(name, known)
    every = f"; there are {', '.join(sorted(known))}"
    return f"no {what} {name!r}{hint}{every if 'did you mean' in hint else ''}"


def select(
    names: Sequence[str], catalog: Mapping[str, Listing], group: Group | None = None
) -> list[Listing]:
    """Return the scenarios of these names, each once.

    Without names: those of the group. Without one: the user's, or all where there are none.

    Raises:
        UsageError: for a name that is not in the catalog, for names with a group, for a group
            that no scenario belongs to, or where there is none at all.
    """
    for name in names:
        if name not in catalog:
            raise UsageError(unknown_scenario(name, catalog))
    if names:
        if group not in (None, Group()):
            raise UsageError(f"{' '.join(names)}: name scenarios, or give --suite or --tag")
        return [catalog[name] for name in dict.fromkeys(names)]
    pool = [one for one in catalog.values() if not one.file.is_installed]
    if not pool or (group is not None and group.suite is not None):
        pool = [*catalog.values()]
    found = (group or Group()).of(pool)
    if not found:
        raise UsageError("there is no scenario that can be used: 'stepwall list' says why")
    return found


def swept(
    listings: Iterable[Listing], axis: str | None, overrides: Mapping[str, str]
) -> list[Listing]:
    """Return the scenarios, swept over a parameter of theirs in place of their first argument.

    The first argument becomes a parameter. ``axis`` None, or the first argument: as they are.

    Raises:
        UsageError: if one has no such whole-number parameter, or if ``overrides`` set the axis,
            do not set the first argument, or set it to what the author does not allow.
    """
    return [
        one if axis in {None, one.lengths.axis} else _over(one, axis or "", overrides)
        for one in listings
    ]


def _over(listing: Listing, axis: str, overrides: Mapping[str, str]) -> Listing:
    own = listing.lengths.axis
    numbers = [parameter.name for parameter in listing.parameters if parameter.is_number]
    if axis not in numbers:
        every = ", ".join([own, *numbers])
        raise UsageError(f"--axis {axis!r}: {listing.name} can be swept over {every}")
    if axis in overrides:
        raise UsageError(f"--set {axis}={overrides[axis]}: it is swept already (--axis {axis})")
    if own not in overrides:
        raise UsageError(
            f"--axis {axis}: {listing.name} needs its {own}: add --set "
            f"{own}={listing.lengths.from_(_EXAMPLE)}, or another number"
        )
    first = Parameter(name=own, type="int", default=listing.lengths.first)
    for number in first.parse_all(overrides[own]):
        check_steps(listing, int(str(number)))
    others = [parameter for parameter in listing.parameters if parameter.name != axis]
    return replace(listing, parameters=[first, *others], lengths=listing.lengths.over(axis))


def point(listing: Listing, conditions: Conditions, *, steps: int, repeat: int = 0) -> Point:
    """Return the one point of a scenario under these conditions.

    Raises:
        UsageError: as ``points``, and if a parameter has several values.
    """
    found = points(listing, conditions, steps=steps, repeat=repeat)
    if len(found) > 1:
        first, *others = (one.parameters for one in found)
        name = next(name for name in first if any(one[name] != first[name] for one in others))
        raise UsageError(
            f"--set {name}={conditions.overrides[name]}: only one value is allowed "
            "here; profile and wall take several"
        )
    return found[0]


def points(listing: Listing, conditions: Conditions, *, steps: int, repeat: int = 0) -> list[Point]:
    """Return a point of a scenario for each combination of its parameters' values.

    Limits are rounded down to what the framework, or the kernel, takes.

    Raises:
        UsageError: if an override does not fit the scenario's parameters, or a limit is too small.
    """
    unit = framework(listing.file.framework).limit_unit_bytes
    return [
        Point(
            framework=listing.file.framework,
            scenario=listing.name,
            family=listing.family,
            parameters=parameters,
            steps=steps,
            device=conditions.device,
            limit_bytes=rounded_limit(conditions.limit_bytes, unit),
            host_limit_bytes=rounded_limit(conditions.host_limit_bytes, MIB),
            schedule=conditions.schedule,
            repeat=repeat,
            source=listing.source_hash,
            axis=listing.lengths.axis,
        )
        for parameters in listing.settings(dict(conditions.overrides))
    ]


def expand(
    listings: Iterable[Listing], steps: Sequence[int], conditions: Conditions, repeats: int
) -> list[Point]:
    """Return every point: per scenario, combination and repeat, by ascending steps.

    Raises:
        UsageError: as ``points``, and if there are far too many.
    """
    series = [one for listing in listings for one in points(listing, conditions, steps=0)]
    count = len(series) * len(steps) * repeats
    if count > MOST_POINTS:
        raise UsageError(f"{count} points are too many: at most {MOST_POINTS} in a run")
    return [
        replace(one, steps=number, repeat=repeat)
        for one in series
        for repeat in range(repeats)
        for number in sorted(steps)
    ]


def allowed_steps(listing: Listing, steps: Sequence[int], *, listed: Collection[int]) -> list[int]:
    """Return those of the steps that the scenario's author allows.

    Args:
        listing: the scenario.
        steps: all that was asked for.
        listed: those of them that were given one by one, and none of which may be left out.

    Raises:
        UsageError: if one of these is not allowed, or none is left.
    """
    for one in listed:
        check_steps(listing, one)
    kept = [one for one in steps if listing.lengths.allow(one)]
    if not kept:
        check_steps(listing, steps[0])
    return kept


def check_steps(listing: Listing, steps: int) -> None:
    """Check that the scenario's author allows this length.

    Raises:
        UsageError: if not; it names the nearest that are allowed.
    """
    lengths = listing.lengths
    if not lengths.allow(steps):
        near = [one for one in (lengths.at_most(steps), lengths.from_(steps)) if one]
        raise UsageError(
            f"{listing.name} at {lengths.text(steps)}: its author allows only {lengths} "
            f"(nearest: {' and '.join(map(str, near))})"
        )


def series_of(point: Point) -> str:
    """Return a key that is equal for points that differ in their steps and repeats only."""
    return replace(point, steps=0, repeat=0).key


def by_series(points: Iterable[Point]) -> list[list[Point]]:
    """Group neighbouring points that differ in their steps only."""
    return [list(group) for _, group in groupby(points, key=lambda p: replace(p, steps=0).key)]


def parse_device(text: str) -> str:
    """Return ``cpu`` or ``gpu:N`` from the user's text; ``gpu`` is ``gpu:0``.

    Raises:
        UsageError: for any other text.
    """
    match = re.fullmatch(r"(cpu)|gpu(?::(\d{1,3}))?", text.lower(), re.ASCII)
    if match is None:
        raise UsageError(f"device {text!r}: use cpu, gpu or gpu:N")
    return "cpu" if match[1] else f"gpu:{int(match[2] or 0)}"


def check_device(device: str, frameworks: Iterable[FrameworkFacts]) -> None:
    """Check that each framework sees the device.

    Args:
        device: as ``parse_device`` returns it.
        frameworks: those that will use it.

    Raises:
        UsageError: if one does not.
    """
    for one in frameworks:
        if device not in {name.partition(" ")[0] for name in one.devices}:
            seen = ", ".join(one.devices)
            raise UsageError(f"device {device!r}: {one.title} sees only {seen}")


def rounded_limit(limit_bytes: int | None, unit_bytes: int) -> int | None:
    """Return the limit rounded down to whole units; None for none.

    Raises:
        UsageError: for less than one unit.
    """
    if limit_bytes is None:
        return None
    if limit_bytes < unit_bytes:
        least = f"{unit_bytes // MIB}MiB" if unit_bytes >= MIB else f"{unit_bytes}B"
        raise UsageError(f"limit of {limit_bytes} bytes: must be at least {least}")
    return limit_bytes // unit_bytes * unit_bytes
