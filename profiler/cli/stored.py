"""The points that laws are fitted to: those of a stored run, or of a quick one made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from profiler.cli.common import (
    Command,
    Common,
    measuring_options,
    parse_settings,
    schedule_option,
)
from profiler.cli.opening import opened, usable_scenarios
from profiler.cli.output import check_run_name, print_failures
from profiler.errors import UsageError, did_you_mean
from profiler.facts import Point, Run, Schedule, Status, replace
from profiler.planning import points as planning
from profiler.scenario import describe_parameters
from profiler.store.runs import FILE_NAME, Store

# What a quick run measures: enough lengths for a law and for its hold-out error.
QUICK_STEPS = (8, 16, 32, 64, 128)
# As a line through two would prove nothing.
_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class StoredPoints:
    """A run that holds enough lengths of what was asked for.

    Attributes:
        run: all of it.
        series: the conditions of each scenario's points, by its name.
    """

    run: Run
    series: Mapping[str, Point]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What the user asked for."""

    names: tuple[str, ...]
    settings: Mapping[str, str]
    device: str
    schedule: Schedule


def source_options(function: Command) -> Command:
    """Add the options that say which points are meant, and where they are taken from."""
    run = click.option(
        "--run",
        metavar="RUN",
        help="The stored run to take [default: the newest that has what is asked for, "
        "else a quick one is measured].",
    )
    return run(schedule_option(measuring_options(function)))


def measured(common: Common, names: Sequence[str], given: Mapping[str, Any]) -> StoredPoints:
    """Return the points of these scenarios from a stored run, or from a quick one made now.

    Args:
        common: where results and scenarios are.
        names: the scenarios.
        given: what ``source_options`` were given.

    Raises:
        UsageError: if a scenario is not known, or the run that was named lacks it.
    """
    check_run_name(given["name"])
    wanted = _Wanted(
        names=tuple(dict.fromkeys(names)),
        settings=parse_settings(given["settings"]),
        device=planning.parse_device(given["device"]),
        schedule=Schedule(given["schedule"]),
    )
    if given["run"] is not None:
        with Store(common.results) as store:
            run = store.load(given["run"])
        return StoredPoints(run=run, series=_series(run, wanted))
    # A name asks for a run of its own.
    stored = None if given["name"] else _stored(common, wanted)
    return stored or _quick(common, wanted, given)


def _stored(common: Common, wanted: _Wanted) -> StoredPoints | None:
    if not (common.results / FILE_NAME).exists():
        return None
    with Store(common.results) as store:
        for summary in reversed(store.summaries()):
            run = store.load(summary.id)
            if all(_found(run, name, wanted) for name in wanted.names):
                return StoredPoints(run=run, series=_series(run, wanted))
    return None


def _series(run: Run, wanted: _Wanted) -> dict[str, Point]:
    return {name: _only(run, name, wanted) for name in wanted.names}


def _only(run: Run, name: str, wanted: _Wanted) -> Point:
    found = _found(run, name, wanted)
    if len(found) > 1:
        kinds = "; ".join(describe_parameters(point.parameters) for point in found)
        raise UsageError(f"run {run.name!r} has several of {name}: choose one by --set ({kinds})")
    if found:
        return found[0]
    names = {measurement.point.scenario for measurement in run.measurements}
    if name not in names:
        raise UsageError(f"run {run.name!r} has no {name!r}{did_you_mean(name, names)}")
    raise UsageError(
        f"run {run.name!r} has fewer than {_FEWEST} lengths of {name} without a limit, as asked "
        f"for ({wanted.device}, {wanted.schedule.value}{_settings_text(wanted)})"
    )


def _settings_text(wanted: _Wanted) -> str:
    return "".join(f", {name}={text}" for name, text in wanted.settings.items())


def _found(run: Run, name: str, wanted: _Wanted) -> list[Point]:
    """Return the conditions of each of the run's series that are meant, with enough lengths."""
    lengths: dict[str, set[int]] = {}
    series: dict[str, Point] = {}
    for measurement in run.measurements:
        point = measurement.point
        if measurement.outcome.status is Status.OK and _is_meant(point, name, wanted):
            conditions = replace(point, steps=0, repeat=0)
            series[conditions.key] = conditions
            lengths.setdefault(conditions.key, set()).add(point.steps)
    return [point for key, point in series.items() if len(lengths[key]) >= _FEWEST]


def _is_meant(point: Point, name: str, wanted: _Wanted) -> bool:
    # Under a limit the allocator packs tighter: those points follow another law.
    free = point.limit_bytes is None and point.host_limit_bytes is None
    where = (point.device, point.schedule) == (wanted.device, wanted.schedule)
    texts = {key: str(value) for key, value in point.parameters.items()}
    return free and where and point.scenario == name and wanted.settings.items() <= texts.items()


def _quick(common: Common, wanted: _Wanted, given: Mapping[str, Any]) -> StoredPoints:
    conditions = planning.Conditions(
        overrides=wanted.settings, device=wanted.device, schedule=wanted.schedule
    )
    with opened(common, timeout_s=given["timeout"], name=given["name"]) as opening:
        listings = planning.select(wanted.names, usable_scenarios(common, opening.client))
        points = planning.expand(listings, QUICK_STEPS, conditions, 1)
        run = opening.run(points, name=given["name"])
        opening.report.stage("a quick run", len(points))
        opening.runner(run).measure(points)
        opening.store.finish_run(run)
        run = opening.store.load(run.id)
    print_failures(run)
    series = {point.scenario: replace(point, steps=0) for point in points}
    return StoredPoints(run=run, series=series)
