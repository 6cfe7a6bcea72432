"""``stepwall wall``: the largest steps that survive a memory limit, and the first that do not."""

from __future__ import annotations

from typing import Any

import click

from profiler import plan
from profiler.campaign import Campaign
from profiler.cli.common import (
    FAILED_POINT,
    Common,
    command_line,
    common_options,
    measuring_options,
    open_session,
    parse_settings,
    usable_catalog,
)
from profiler.cli.output import check_run_name, limit_of
from profiler.cli.progress import Reporter, reporter
from profiler.errors import UsageError
from profiler.machine import environment
from profiler.registry import describe_parameters
from profiler.results import Certificate, Probe, WallStatus
from profiler.session import Session
from profiler.store import Store
from profiler.units import MAX_STEPS, MIB
from profiler.wall import DEFAULT_MAX_STEPS


@click.command("wall")
@click.argument("scenario")
@click.option("--limit", metavar="SIZE", help="Cap of the device memory, as 64MiB or 1.5GiB.")
@click.option(
    "--max-steps",
    type=click.IntRange(1, MAX_STEPS),
    default=DEFAULT_MAX_STEPS,
    show_default=True,
    help="Search no further than this.",
)
@measuring_options
@common_options
def command(common: Common, *, scenario: str, timeout: float, **given: Any) -> int:
    """Find the steps at which a scenario runs out of memory; both sides are really run."""
    check_run_name(given["name"])
    limit = limit_of(given["limit"])
    if limit is None:
        raise UsageError("wall: give --limit SIZE, as 64MiB or 1.5GiB")
    conditions = plan.Conditions(
        overrides=parse_settings(given["settings"]),
        device=plan.parse_device(given["device"]),
        limit_bytes=limit,
    )
    with (
        Store(common.results, create=True) as store,
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_session(common, timeout_s=timeout) as session,
    ):
        report.stage("starting TensorFlow")
        (listing,) = plan.select([scenario], usable_catalog(common, session))
        point = plan.point(listing, conditions, steps=1)
        campaign = _campaign(session, store, report, given["name"], conditions.device)
        (certificate,) = campaign.find_walls([point], max_steps=given["max_steps"])
        store.finish_run(campaign.run)
    _print(common, certificate, campaign.run.name)
    return FAILED_POINT if certificate.status is WallStatus.UNPROVEN else 0


def _campaign(
    session: Session, store: Store, report: Reporter, name: str | None, device: str
) -> Campaign:
    description = session.describe()
    plan.check_device(device, description["devices"])

    def tell(probe: Probe) -> None:
        peak = f", peak {probe.peak_bytes / MIB:.1f} MiB" if probe.peak_bytes else ""
        text = f"{probe.steps} steps: {probe.outcome.status.value}{peak}"
        report.done(f"{text} ({probe.seconds:.1f} s)")
        report.doing(text)

    report.stage("searching")
    return Campaign(
        session=session,
        store=store,
        run=store.start_run(name, command_line(), environment(description)),
        on_probe=lambda _, probe: tell(probe),
    )


def _print(common: Common, certificate: Certificate, run: str) -> None:
    from reports.exports import wall_document

    for line in describe(certificate):
        common.echo(line)
    common.write_json(wall_document(certificate))
    common.echo(f"next: stepwall report {run}")


def describe(wall: Certificate) -> list[str]:
    """Return a certificate in words."""
    conditions = [
        describe_parameters(wall.parameters),
        wall.device.upper() + (" (BFC allocator)" if wall.device == "cpu" else ""),
        wall.schedule.value,
        f"limit {wall.limit_bytes // MIB} MiB",
    ]
    lines = [f"{wall.scenario}   {' · '.join(filter(None, conditions))}"]
    probes = {probe.steps: probe for probe in wall.probes}
    if wall.predicted is not None:
        seen = f"from {len(wall.predicted_from)} points of at most {max(wall.predicted_from)} steps"
        lines.append(f"  predicted   {wall.predicted:.0f} steps   {seen}")
    if wall.last_ok is not None:
        peak = probes[wall.last_ok].peak_bytes
        held = f"   peak {peak / MIB:.1f} MiB" if peak is not None else ""
        lines.append(f"  survives    {wall.last_ok} steps{held}")
    if wall.first_oom is not None:
        end = probes[wall.first_oom].outcome
        lines.append(f"  runs out    {wall.first_oom} steps   in {end.phase}: {end.reason}")
    if wall.status is WallStatus.AT_LEAST:
        lines.append("  nothing ran out up to --max-steps: the wall lies beyond")
    if wall.reason is not None:
        lines.append(f"  unproven    {wall.reason}")
    lines.append(f"  price       {len(wall.probes)} probes, {wall.seconds:.0f} s")
    return lines
