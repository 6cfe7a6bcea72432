"""``stepwall profile``: measure scenarios over increasing steps, and write the report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import click

from profiler.cli.common import (
    FAILED_POINT,
    Common,
    command_line,
    common_options,
    measuring_options,
    open_session,
    parse_settings,
    schedule_option,
    usable_catalog,
)
from profiler.cli.output import check_run_name, limit_of, print_failures, publish
from profiler.cli.progress import Reporter, reporter, reporting
from profiler.facts import Point, Probe, Run, Schedule, Status, WallStatus
from profiler.forecast.certificate import DEFAULT_MAX_STEPS
from profiler.limits.machine import environment
from profiler.measure.client import Session
from profiler.measure.runner import Trace
from profiler.planning import points as plan
from profiler.store.runs import Store
from profiler.units import parse_steps

DEFAULT_STEPS = "8:256:x2"


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What to measure, as the user asked for it."""

    names: tuple[str, ...]
    steps: list[int]
    conditions: plan.Conditions
    repeats: int
    jobs: int
    timeline: bool
    trace: bool
    wall_limit: int | None
    name: str | None
    resume: bool


@click.command("profile")
@click.argument("scenario", nargs=-1)
@click.option(
    "--steps",
    default=DEFAULT_STEPS,
    show_default=True,
    help="A list 8,16,32, a doubling 8:512:x2 or an even range 100:1000:100.",
)
@click.option("--limit", metavar="SIZE", help="Cap the device memory, as 64MiB or 1.5GiB.")
@click.option(
    "--wall-limit", metavar="SIZE", help="Also find each scenario's wall under this limit."
)
@schedule_option
@click.option(
    "--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of each point."
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Series measured at once (times disturb one another, memory does not).",
)
@click.option("--timeline", is_flag=True, help="Sample each point's memory over time.")
@click.option("--trace", is_flag=True, help="Also say what holds each point's peak.")
@click.option("--resume", is_flag=True, help="Go on with the run --name, or the unfinished one.")
@measuring_options
@common_options
def command(common: Common, *, scenario: tuple[str, ...], timeout: float, **given: Any) -> int:
    """Measure scenarios (default: all) over increasing steps, and write the report."""
    check_run_name(given["name"])
    options = _Options(
        names=scenario,
        steps=parse_steps(given["steps"]),
        conditions=plan.Conditions(
            overrides=parse_settings(given["settings"]),
            device=plan.parse_device(given["device"]),
            limit_bytes=limit_of(given["limit"]),
            schedule=Schedule(given["schedule"]),
        ),
        repeats=given["repeats"],
        jobs=given["jobs"],
        timeline=given["timeline"],
        trace=given["trace"],
        wall_limit=limit_of(given["wall_limit"]),
        name=given["name"],
        resume=given["resume"],
    )
    with (
        Store(common.results, create=True) as store,
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_session(common, timeout_s=timeout) as session,
    ):
        run = _profile(common, options, store, session, report)
        report.stage("writing the report")
        folder = publish(common, run)
    print_failures(run)
    common.echo(f"next: stepwall report {run.name}  (or open {folder / 'report.html'})")
    return FAILED_POINT if _failed(run) else 0


def _profile(
    common: Common, options: _Options, store: Store, session: Session, report: Reporter
) -> Run:
    run = store.resume(options.name) if options.resume else None
    if run is None:
        store.check_free(options.name)
    report.stage("starting TensorFlow")
    listings = plan.select(options.names, usable_catalog(common, session))
    points = plan.expand(listings, options.steps, options.conditions, options.repeats)
    description = session.describe()
    plan.check_device(options.conditions.device, description["devices"])
    if run is None:
        run = store.start_run(options.name, command_line(), environment(description))
    campaign = reporting(
        report,
        session=session,
        store=store,
        run=run,
        on_probe=lambda p, probe: report.doing(_probe_line(p, probe)),
        on_wall=lambda w: report.done(f"{w.scenario}: wall {w.status.value} at {w.last_ok} steps"),
    )
    report.stage(f"{len(listings)} scenarios", len(points))
    campaign.measure(
        points,
        jobs=options.jobs,
        timeline=options.timeline,
        trace=Trace.ALONE if options.trace else None,
    )
    if options.wall_limit is not None:
        conditions = replace(options.conditions, limit_bytes=options.wall_limit)
        walls = [plan.point(listing, conditions, steps=1) for listing in listings]
        report.stage("searching walls", len(walls))
        campaign.find_walls(walls, max_steps=DEFAULT_MAX_STEPS)
    store.finish_run(run)
    return store.load(run.id)


def _failed(run: Run) -> bool:
    expected = {Status.OK, Status.OOM_DEVICE, Status.OOM_HOST}
    return any(m.outcome.status not in expected for m in run.measurements) or any(
        wall.status is WallStatus.UNPROVEN for wall in run.walls
    )


def _probe_line(point: Point, probe: Probe) -> str:
    return f"{point.scenario}: {probe.steps} steps {probe.outcome.status.value}"
