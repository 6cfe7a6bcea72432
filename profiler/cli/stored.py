"""The points that laws are fitted to: those of a stored run, or of a quick one made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from profiler.cli import terminal
from profiler.cli.common import (
    Command,
    Common,
    measuring_options,
    next_command,
    parse_settings,
    schedule_option,
)
from profiler.cli.opening import Opening
from profiler.cli.output import print_failures
from profiler.errors import StepwallError, UsageError
from profiler.facts import Environment, Point, Run, Schedule, Status, replace
from profiler.planning import points as planning
from profiler.planning.catalog import Listing
from profiler.planning.identity import difference, lengths_of
from profiler.store.runs import Store

# What a quick run measures, or what of it the author allows: enough lengths for a law and for
# its hold-out error.
QUICK_STEPS = (8, 16, 32, 64, 128)
# As a line through two would prove nothing.
_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class StoredPoints:
    """A run that holds enough lengths of what was asked for.

    Attributes:
        run: what it holds of these scenarios.
        series: the conditions of each scenario's points, by its name.
    """

    run: Run
    series: Mapping[str, Point]


def source_options(function: Command) -> Command:
    """Add the options that say which points are meant, and where they are taken from."""
    run = click.option(
        "--run",
        metavar="RUN",
        help="The stored run to take [default: the newest that has what is needed, "
        "else a quick one is measured].",
    )
    return run(schedule_option(measuring_options(function)))


def measured(
    common: Common, opening: Opening, listings: Sequence[Listing], given: Mapping[str, Any]
) -> StoredPoints:
    """Return the points of these scenarios from a stored run, or from a quick one made now.

    A stored run is only taken where its points are of today's scenarios: of equal source,
    parameters, conditions and environment.

    Args:
        common: where results and scenarios are.
        opening: asks the children, and keeps what they measure.
        listings: the scenarios.
        given: what ``source_options`` were given.

    Raises:
        UsageError: if the run that was named lacks a scenario.
    """
    conditions = planning.Conditions(
        overrides=parse_settings(given["settings"]),
        device=planning.parse_device(given["device"]),
        schedule=Schedule(given["schedule"]),
    )
    series = {one.name: planning.point(one, conditions, steps=0) for one in listings}
    environment = opening.environment(list(series.values()))
    if given["run"] is not None:
        run = opening.store.load(given["run"], scenarios=series)
        points = [m.point for m in run.measurements]
        lacks = _lacking(run, points, series, environment, well=_ended_well(run))
        if lacks:
            again = next_command(common, given, "profile", *series)
            raise UsageError(f"{lacks[0].text}: measure again with {again}")
        return StoredPoints(run=run, series=series)
    # A name asks for a run of its own.
    stored = None if given["name"] else _stored(opening.store, series, environment)
    return stored or _quick(opening, listings, conditions, given)


@dataclass(frozen=True, kw_only=True)
class _Lacking:
    """What a run lacks; whether it has the scenario, but not as it is now."""

    text: str
    is_other: bool


def _lacking(
    run: Run,
    points: Sequence[Point],
    series: Mapping[str, Point],
    environment: Environment,
    *,
    well: Sequence[Point],
) -> list[_Lacking]:
    """Return what a run lacks of these series, a line for each.

    Args:
        run: the run; its header is enough.
        points: what it measured of the scenarios.
        series: what is asked for.
        environment: this machine and its software.
        well: those of the points that ended well.
    """
    lacks = []
    for name, point in series.items():
        text = difference(run, points, point, environment)
        if text is not None:
            there = any(one.scenario == name for one in points)
            lacks.append(_Lacking(text=text, is_other=there))
        elif not _has_enough(well, point):
            text = f"run {run.name!r} has fewer than {_FEWEST} lengths of {name} that ended well"
            lacks.append(_Lacking(text=text, is_other=False))
    return lacks


def _has_enough(points: Sequence[Point], conditions: Point) -> bool:
    return len(lengths_of(points, conditions)) >= _FEWEST


def _ended_well(run: Run) -> list[Point]:
    return [m.point for m in run.measurements if m.outcome.status is Status.OK]


def _stored(
    store: Store, series: Mapping[str, Point], environment: Environment
) -> StoredPoints | None:
    """Return the newest run that has all of it; else say why those with other points have not."""
    others: list[str] = []
    for run_id, points in store.holding(series, terminal.warn):
        may_do = all(_has_enough(points, point) for point in series.values())
        if others and not may_do:  # one run is named, not all
            continue
        try:
            run = store.header(run_id)
            lacks = _lacking(run, points, series, environment, well=points)
            if not lacks:
                run = store.load(run_id, scenarios=series)
                lacks = _lacking(run, points, series, environment, well=_ended_well(run))
        except StepwallError as error:
            terminal.warn(str(error))
            continue
        if not lacks:
            return StoredPoints(run=run, series=series)
        others += [one.text for one in lacks if one.is_other]
    if others:
        terminal.warn(f"{others[0]}: a quick run is measured now")
    return None


def _quick(
    opening: Opening,
    listings: Sequence[Listing],
    conditions: planning.Conditions,
    given: Mapping[str, Any],
) -> StoredPoints:
    points = [
        point
        for one in listings
        for point in planning.expand([one], one.lengths.spread(QUICK_STEPS), conditions, 1)
    ]
    run = opening.run(points, name=given["name"])
    opening.report.stage("a quick run", points=points)
    opening.runner(run).measure(points)
    opening.store.finish_run(run)
    run = opening.store.load(run.id)
    print_failures(run)
    series = {point.scenario: replace(point, steps=0) for point in points}
    return StoredPoints(run=run, series=series)
