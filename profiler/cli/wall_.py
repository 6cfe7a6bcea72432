"""``stepwall wall``: the largest steps that survive a memory limit, and the first that do not."""

from __future__ import annotations

from typing import Any

import click

from profiler.cli import terminal
from profiler.cli.arguments import MOST_REPEATS
from profiler.cli.common import (
    FAILED_POINT,
    Common,
    common_options,
    measuring_options,
    next_command,
    parse_settings,
    schedule_option,
)
from profiler.cli.opening import chosen_scenarios, note_rounding, opened
from profiler.cli.output import check_run_name, limit_of, run_folder, write_folder
from profiler.cli.progress import Reporter
from profiler.errors import UsageError
from profiler.facts import (
    SCHEMA,
    Certificate,
    Point,
    Probe,
    Run,
    Schedule,
    WallStatus,
    replace,
)
from profiler.facts.labels import Labels
from profiler.forecast.certificate import DEFAULT_MAX_STEPS, DEVICE, HOST
from profiler.lengths import counted
from profiler.limits import machine
from profiler.planning import points as planning
from profiler.units import MAX_STEPS, MIB, size_option


@click.command("wall")
@click.argument("scenario")
@click.option(
    "--limit",
    metavar="SIZE",
    help="Cap of the memory, such as 64MiB or 1.5GiB [default: what this machine has available].",
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
    help="Search no further than this, whatever the axis is called.",
)
@click.option(
    "--confirm",
    type=click.IntRange(0, MOST_REPEATS),
    default=0,
    metavar="N",
    help="Run both ends N more times and report how often each held.",
)
@click.option(
    "--resume", is_flag=True, help="Continue the run --name, or the newest that is unfinished."
)
@schedule_option
@measuring_options
@common_options
def command(common: Common, *, scenario: str, timeout: float, **given: Any) -> int:
    """Find the steps at which a scenario runs out of memory; both sides are really run.

    With several values of a parameter, as --set batch=8,16,32, one wall for each of them: their
    frontier.
    """
    check_run_name(given["name"])
    conditions = _conditions(given)
    name = None if given["resume"] else given["name"]
    with opened(common, timeout_s=timeout, name=name) as opening:
        store = opening.store
        resumed = store.resume(given["name"]) if given["resume"] else None
        (listing,) = chosen_scenarios(common, opening.client, [scenario], given)
        if listing.lengths.first > given["max_steps"]:
            planning.check_steps(listing, given["max_steps"])
        points = planning.points(listing, conditions, steps=1)
        note_rounding(limit_of(given["limit"]), points[0])
        run = opening.run(points, name=given["name"], resumed=resumed)
        opening.report.stage("predicting")
        label = Labels(points)
        runner = opening.runner(
            run,
            on_probe=lambda point, probe: _tell(
                opening.report, label(point) if points[1:] else None, point, probe
            ),
        )
        walls = runner.find_walls(points, max_steps=given["max_steps"], confirm=given["confirm"])
        store.finish_run(run)
        run = store.load(run.id) if points[1:] else store.header(run.id)
    if points[1:]:
        _print_frontier(common, walls, run)
    else:
        _print(common, walls[0], run, {**given, "timeout": timeout})
    unproven = any(wall.status is WallStatus.UNPROVEN for wall in walls)
    return FAILED_POINT if unproven else 0


def _conditions(given: dict[str, Any]) -> planning.Conditions:
    device = planning.parse_device(given["device"])
    host = given["kind"] == HOST
    limit = limit_of(given["limit"])
    if limit is None:
        if device != "cpu" and not host:
            raise UsageError("wall: give --limit SIZE for a GPU, such as 16GiB")
        limit = machine.available_bytes() // MIB * MIB
    return planning.Conditions(
        overrides=parse_settings(given["settings"]),
        device=device,
        limit_bytes=None if host else limit,
        host_limit_bytes=limit if host else None,
        schedule=Schedule(given["schedule"]),
    )


def _tell(report: Reporter, label: str | None, point: Point, probe: Probe) -> None:
    peak = f", peak {probe.peak_bytes / MIB:.1f} MiB" if probe.peak_bytes else ""
    cut = ", cut short" if probe.outcome.cut_short else ", replayed" if probe.replayed else ""
    of = f"{label} at " if label else ""
    text = f"{of}{counted(probe.steps, point.axis)}: {probe.outcome.status.value}{peak}{cut}"
    report.done(f"{text} ({probe.seconds:.1f} s)")
    report.doing(text)


def _print(common: Common, certificate: Certificate, run: Run, given: dict[str, Any]) -> None:
    from reports.pages.exports import wall_document
    from reports.texts.certificate import certificate_lines

    common.lines(certificate_lines(certificate, run.framework(certificate.framework)))
    if certificate.status is WallStatus.UNPROVEN:
        common.complain(f"{certificate.scenario}: {certificate.reason or 'no reason given'}")
    common.write_json(wall_document(certificate))
    common.echo(f"next: {_next(common, certificate, run.name, given)}")


def _print_frontier(common: Common, walls: list[Certificate], run: Run) -> None:
    """Print the walls of a grid as one table, and write the report with their plot."""
    from profiler.analysis.results import RunResults
    from reports.pages.exports import wall_document
    from reports.tables.grid import frontier_grid
    from reports.texts.certificate import certificate_lines

    results = RunResults(replace(run, measurements=[], walls=walls))
    shared = {
        name: value
        for name, value in walls[0].parameters.items()
        if name not in results.labels.varied(walls[0])
    }
    one = replace(walls[0], parameters=shared)
    common.lines(certificate_lines(one, run.framework(one.framework))[:1])
    common.table(frontier_grid(results))
    for label, wall in results.walls:
        if wall.status is WallStatus.UNPROVEN:
            terminal.warn(f"{label}: {wall.reason or 'no reason given'}")
    write_folder(common, RunResults(run), run_folder(common, run))
    common.write_json(
        {"schema": SCHEMA, "run": run.name, "walls": [wall_document(wall) for wall in walls]}
    )
    common.echo(f"next: {next_command(common, {}, 'report', run.name)}")


def _next(common: Common, wall: Certificate, run: str, given: dict[str, Any]) -> str:
    """Return the command that explains the last steps that fit, or the run's report."""
    if wall.explanation is None:
        return next_command(common, {}, "report", run)
    options = ["--steps", wall.last_ok, "--limit", size_option(wall.limit_bytes)]
    return next_command(common, given, "explain", wall.scenario, *options)
