"""``stepwall profile``: measure scenarios over increasing steps, and write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from profiler.cli import terminal
from profiler.cli.arguments import MOST_JOBS, MOST_REPEATS
from profiler.cli.common import (
    FAILED_POINT,
    Common,
    common_options,
    group_options,
    measuring_options,
    next_command,
    parse_settings,
    plots_option,
    schedule_option,
)
from profiler.cli.opening import Opening, chosen_scenarios, note_rounding, opened
from profiler.cli.output import check_run_name, limit_of, print_failures, publish
from profiler.facts import Certificate, Point, Probe, Run, Schedule, WallStatus
from profiler.facts.labels import LabelledRun
from profiler.forecast.certificate import DEFAULT_MAX_STEPS
from profiler.lengths import counted
from profiler.measure.runner import Explain, at_once
from profiler.planning import points as planning
from profiler.planning.catalog import Listing
from profiler.units import CARD_BYTES, listed_steps, parse_steps

DEFAULT_STEPS = "8:256:x2"


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What to measure, as the user asked for it; ``listed``: steps that were given one by one.

    ``listed`` is None where no steps were given.
    """

    names: tuple[str, ...]
    group: planning.Group
    steps: list[int]
    listed: list[int] | None
    conditions: planning.Conditions
    repeats: int
    jobs: int
    timeline: bool
    trace: bool
    wall_limit: int | None
    cards: bool
    name: str | None
    resume: bool


@click.command("profile")
@click.argument("scenario", nargs=-1)
@click.option(
    "--steps",
    help="Values of the swept axis, whatever its name: a list 8,16,32, a doubling 8:512:x2 or "
    "an even range 100:1000:100 "
    f"[default: {DEFAULT_STEPS}, or the nearest that the author allows].",
)
@click.option(
    "--limit", metavar="SIZE", help="Cap the device memory at this, such as 64MiB or 1.5GiB."
)
@click.option(
    "--wall-limit", metavar="SIZE", help="Also find each scenario's wall under this limit."
)
@click.option(
    "--no-cards",
    is_flag=True,
    help="With --wall-limit: do not predict how much fits on cards of 4 to 141 GiB.",
)
@group_options
@schedule_option
@click.option(
    "--repeats",
    type=click.IntRange(1, MOST_REPEATS),
    default=1,
    show_default=True,
    help="Runs of each point.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MOST_JOBS),
    default=1,
    show_default=True,
    help="Series measured at once (times disturb one another, memory does not); on a GPU one.",
)
@click.option("--timeline", is_flag=True, help="Sample each point's memory over time.")
@click.option("--trace", is_flag=True, help="Also explain what holds the peak of each point.")
@click.option(
    "--resume", is_flag=True, help="Continue the run --name, or the newest that is unfinished."
)
@plots_option
@measuring_options
@common_options
def command(common: Common, *, scenario: tuple[str, ...], timeout: float, **given: Any) -> int:
    """Measure scenarios over increasing steps, and write the report.

    Without names: a --suite, those with a --tag, else all of the files of --scenarios, else all.
    """
    check_run_name(given["name"])
    options = _Options(
        names=scenario,
        group=planning.Group(suite=given["suite"], tags=given["tags"]),
        steps=parse_steps(DEFAULT_STEPS if given["steps"] is None else given["steps"]),
        listed=None if given["steps"] is None else listed_steps(given["steps"]),
        conditions=planning.Conditions(
            overrides=parse_settings(given["settings"]),
            device=planning.parse_device(given["device"]),
            limit_bytes=limit_of(given["limit"]),
            schedule=Schedule(given["schedule"]),
        ),
        repeats=given["repeats"],
        jobs=given["jobs"],
        timeline=given["timeline"],
        trace=given["trace"],
        wall_limit=limit_of(given["wall_limit"]),
        cards=not given["no_cards"],
        name=given["name"],
        resume=given["resume"],
    )
    name = None if options.resume else options.name
    with opened(common, timeout_s=timeout, name=name) as opening:
        run = _profile(common, options, opening, given)
        opening.report.stage("writing the report")
        folder = publish(common, run, plots=given["plots"])
    print_failures(run)
    for label, wall in LabelledRun(run).walls:
        if wall.status is WallStatus.UNPROVEN:
            common.complain(f"{label}: no wall is proven: {wall.reason or 'no reason given'}")
    report = next_command(common, {}, "report", run.name)
    common.echo(f"next: {report}  (or open {folder / 'report.html'})")
    return FAILED_POINT if _failed(run) else 0


def _profile(common: Common, options: _Options, opening: Opening, given: Mapping[str, Any]) -> Run:
    report, store = opening.report, opening.store
    resumed = store.resume(options.name) if options.resume else None
    listings = chosen_scenarios(common, opening.client, options.names, given, options.group)
    points = _points(listings, options)
    note_rounding(options.conditions.limit_bytes, points[0])
    run = opening.run(points, name=options.name, resumed=resumed)
    runner = opening.runner(
        run,
        on_probe=lambda p, probe: report.doing(_probe_line(p, probe)),
        on_wall=lambda w: report.done(_wall_line(w)),
    )
    missing = [one for one in points if not store.has("measurements", run, one.key)]
    report.stage(
        f"{len(listings)} scenarios", points=missing, at_once=at_once(points, options.jobs)
    )
    runner.measure(
        points,
        jobs=options.jobs,
        timeline=options.timeline,
        explain=Explain.ALONE if options.trace else None,
    )
    if options.wall_limit is not None:
        conditions = replace(options.conditions, limit_bytes=options.wall_limit)
        walls = [point for one in listings for point in planning.points(one, conditions, steps=1)]
        report.stage("searching walls", len(walls))
        cards = CARD_BYTES if options.cards else ()
        runner.find_walls(walls, max_steps=DEFAULT_MAX_STEPS, cards=cards)
    store.finish_run(run)
    return store.load(run.id)


def _points(listings: Sequence[Listing], options: _Options) -> list[Point]:
    """Return every point; what a range contains besides the allowed lengths is left out.

    Raises:
        UsageError: if a length that was given as such is not allowed, or none is left.
    """
    points = []
    for listing in listings:
        if options.listed is None:
            steps = listing.lengths.spread(options.steps)
        else:
            steps = planning.allowed_steps(listing, options.steps, listed=options.listed)
            left_out = len(options.steps) - len(steps)
            if left_out:
                terminal.warn(
                    f"{listing.name}: {left_out} of {len(options.steps)} lengths left "
                    f"out: its author allows only {listing.lengths}"
                )
        points += planning.expand([listing], steps, options.conditions, options.repeats)
    return points


def _failed(run: Run) -> bool:
    ends = [m.outcome.status for m in run.measurements]
    unproven = any(wall.status is WallStatus.UNPROVEN for wall in run.walls)
    return unproven or any(end.is_failure and not end.is_oom for end in ends)


def _probe_line(point: Point, probe: Probe) -> str:
    return f"{point.scenario}: {counted(probe.steps, point.axis)} {probe.outcome.status.value}"


def _wall_line(wall: Certificate) -> str:
    return f"{wall.scenario}: wall {wall.status.value} at {counted(wall.last_ok, wall.axis)}"
