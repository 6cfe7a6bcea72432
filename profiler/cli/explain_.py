"""``stepwall explain``: what holds the peak of one training step, and what would move it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profiler.cli import terminal
from profiler.cli.common import (
    FAILED_POINT,
    Common,
    common_options,
    measuring_options,
    parse_settings,
    schedule_option,
)
from profiler.cli.opening import chosen_scenarios, note_rounding, opened
from profiler.cli.output import check_run_name, limit_of, print_failures, run_folder, write_folder
from profiler.facts import Measurement, Run, Schedule
from profiler.measure.runner import Explain
from profiler.planning import points as planning
from profiler.units import MAX_STEPS

if TYPE_CHECKING:
    from profiler.analysis.results import RunResults

_MOST_ROWS = 10
# By role, by operation, and what was tried.
_FIRST = 3


@click.command("explain")
@click.argument("scenario")
@click.option(
    "--steps",
    type=click.IntRange(1, MAX_STEPS),
    required=True,
    help="The length of the training step to explain: a number on the scenario's axis.",
)
@click.option(
    "--remedies/--no-remedies",
    default=True,
    show_default=True,
    help="Also try what may lower the peak: half of what is fed, other values of parameters.",
)
@click.option(
    "--limit", metavar="SIZE", help="Cap the device memory at this, such as 64MiB or 1.5GiB."
)
@schedule_option
@measuring_options
@common_options
def command(common: Common, *, scenario: str, steps: int, timeout: float, **given: Any) -> int:
    """Say what holds the memory of a training step at its peak, to the byte, and why."""
    from profiler.analysis.results import RunResults

    check_run_name(given["name"])
    conditions = planning.Conditions(
        overrides=parse_settings(given["settings"]),
        device=planning.parse_device(given["device"]),
        limit_bytes=limit_of(given["limit"]),
        schedule=Schedule(given["schedule"]),
    )
    with opened(common, timeout_s=timeout, name=given["name"]) as opening:
        (listing,) = chosen_scenarios(common, opening.client, [scenario], given)
        planning.check_steps(listing, steps)
        point = planning.point(listing, conditions, steps=steps)
        note_rounding(conditions.limit_bytes, point)
        run = opening.run([point], name=given["name"])
        opening.report.stage(f"measuring and recording {scenario}, {listing.lengths.text(steps)}")
        explain = Explain.REMEDIES if given["remedies"] else Explain.GROWTH
        opening.runner(run).measure([point], explain=explain)
        opening.store.finish_run(run)
        run = opening.store.load(run.id)
    (measurement,) = run.measurements
    results = RunResults(run)
    _print(common, results)
    write_folder(common, results, run_folder(common, run))
    _write_json(common, measurement, run)
    print_failures(run)
    if measurement.trace is None:
        _say_why(measurement)
        return FAILED_POINT
    common.echo(f"next: open {run_folder(common, run) / 'report.html'}")
    return 0


def _print(common: Common, results: RunResults) -> None:
    from reports.texts.explanation import explained_steps, explanation_section, section_lines

    for step in explained_steps(results):
        section = explanation_section(step, most=_MOST_ROWS)
        common.lines(section_lines(section, results.run.measurements[0].point))
        shown = section.tables if common.verbose else section.tables[:_FIRST]
        for title, grid in shown:
            common.echo(f"\n{title}")
            common.table(grid)
        more = [title for title, _ in section.tables[len(shown) :]]
        common.lines([f"(with -v, and in the report: {'; '.join(more)})"] if more else [])


def _write_json(common: Common, measurement: Measurement, run: Run) -> None:
    from reports.pages.exports import measurement_document

    common.write_json(measurement_document(measurement, run))


def _say_why(measurement: Measurement) -> None:
    reason = measurement.missing.get("trace")
    if reason is not None:
        terminal.warn(f"no explanation: {reason}")
