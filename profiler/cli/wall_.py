"""``stepwall wall``: the largest steps that survive a memory limit, and the first that do not."""

from __future__ import annotations

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
from profiler.cli.output import check_run_name, limit_of
from profiler.cli.progress import Reporter, reporter
from profiler.errors import UsageError
from profiler.facts import Certificate, Probe, Schedule, WallStatus
from profiler.forecast.certificate import DEFAULT_MAX_STEPS, DEVICE, HOST
from profiler.limits import machine
from profiler.limits.machine import environment
from profiler.measure.client import Session
from profiler.measure.runner import Campaign
from profiler.planning import points as plan
from profiler.store.runs import Store
from profiler.units import MAX_STEPS, MIB


@click.command("wall")
@click.argument("scenario")
@click.option(
    "--limit",
    metavar="SIZE",
    help="Cap of the memory, as 64MiB or 1.5GiB [default: what this machine has available].",
)
@click.option(
    "--kind",
    type=click.Choice([DEVICE, HOST]),
    default=DEVICE,
    show_default=True,
    help="device: cap the framework's allocator; host: cap the whole process.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(1, MAX_STEPS),
    default=DEFAULT_MAX_STEPS,
    show_default=True,
    help="Search no further than this.",
)
@click.option(
    "--confirm",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Run both ends N more times and say how often each held.",
)
@click.option("--resume", is_flag=True, help="Go on with the run --name, or the unfinished one.")
@schedule_option
@measuring_options
@common_options
def command(common: Common, *, scenario: str, timeout: float, **given: Any) -> int:
    """Find the steps at which a scenario runs out of memory; both sides are really run."""
    check_run_name(given["name"])
    conditions = _conditions(given)
    with (
        Store(common.results, create=True) as store,
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_session(common, timeout_s=timeout) as session,
    ):
        report.stage("starting TensorFlow")
        (listing,) = plan.select([scenario], usable_catalog(common, session))
        point = plan.point(listing, conditions, steps=1)
        campaign = _campaign(session, store, report, given, conditions.device)
        campaign.find_walls([point], max_steps=given["max_steps"], confirm=given["confirm"])
        store.finish_run(campaign.run)
        run = store.load(campaign.run.id)
    certificate = next(wall for wall in run.walls if wall.scenario == scenario)
    _print(common, certificate, run.name, given)
    return FAILED_POINT if certificate.status is WallStatus.UNPROVEN else 0


def _conditions(given: dict[str, Any]) -> plan.Conditions:
    device = plan.parse_device(given["device"])
    host = given["kind"] == HOST
    limit = limit_of(given["limit"])
    if limit is None:
        if device != "cpu" and not host:
            raise UsageError("wall: give --limit SIZE for a GPU, as 16GiB")
        limit = plan.whole_mib(machine.available_bytes())
    return plan.Conditions(
        overrides=parse_settings(given["settings"]),
        device=device,
        limit_bytes=None if host else limit,
        host_limit_bytes=limit if host else None,
        schedule=Schedule(given["schedule"]),
    )


def _campaign(
    session: Session, store: Store, report: Reporter, given: dict[str, Any], device: str
) -> Campaign:
    run = store.resume(given["name"]) if given["resume"] else None
    if run is None:
        store.check_free(given["name"])
    description = session.describe()
    plan.check_device(device, description["devices"])

    def tell(probe: Probe) -> None:
        peak = f", peak {probe.peak_bytes / MIB:.1f} MiB" if probe.peak_bytes else ""
        cut = ", cut short" if probe.outcome.cut_short else ""
        text = f"{probe.steps} steps: {probe.outcome.status.value}{peak}{cut}"
        report.done(f"{text} ({probe.seconds:.1f} s)")
        report.doing(text)

    report.stage("predicting")
    return Campaign(
        session=session,
        store=store,
        run=run or store.start_run(given["name"], command_line(), environment(description)),
        on_probe=lambda _, probe: tell(probe),
    )


def _print(common: Common, certificate: Certificate, run: str, given: dict[str, Any]) -> None:
    from reports.pages.exports import wall_document
    from reports.texts.certificate import certificate_lines

    for line in certificate_lines(certificate):
        common.echo(line)
    common.write_json(wall_document(certificate))
    common.echo(f"next: {_next(certificate, run, given)}")


def _next(wall: Certificate, run: str, given: dict[str, Any]) -> str:
    """Return the command that explains the last steps that fit, or the run's report."""
    if wall.explanation is None:
        return f"stepwall report {run}"
    options = [f"--steps {wall.last_ok}", f"--limit {wall.limit_bytes // MIB}MiB"]
    options += [f"--set {setting}" for setting in given["settings"]]
    options += [f"--device {given['device']}"] if given["device"] != "cpu" else []
    if wall.schedule is not Schedule.SERIAL:
        options.append(f"--schedule {wall.schedule.value}")
    return " ".join(["stepwall explain", wall.scenario, *options])
