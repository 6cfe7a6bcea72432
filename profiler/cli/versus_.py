"""``stepwall versus``: from which length on one build beats the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profiler.cli.arguments import NewFile
from profiler.cli.common import Common, common_options, group_options, next_command
from profiler.cli.opening import Opening, chosen_scenarios, opened
from profiler.cli.output import check_run_name
from profiler.cli.stored import StoredPoints, measured, source_options
from profiler.errors import StepwallError, UsageError
from profiler.facts import Schedule
from profiler.facts import replace as changed
from profiler.frameworks import Mode
from profiler.lengths import counted
from profiler.measure.schedules import parallel_points
from profiler.parameters import describe_parameters
from profiler.paths import write
from profiler.planning import points as planning
from profiler.planning.catalog import Listing
from profiler.units import MAX_STEPS

if TYPE_CHECKING:  # laws need NumPy, and --help does not
    from profiler.analysis.crossover.costs import BuildCost
    from profiler.analysis.crossover.crossovers import Crossover
    from profiler.analysis.series import MetricSeries

_FORMATS = (".png", ".svg")
_PAIR = 2
_FEW = "{}: name at least two different scenarios, or a suite or a tag that two have"


@click.command("versus")
@click.argument("scenario", nargs=-1)
@group_options
@click.option(
    "--steps",
    type=click.IntRange(1, MAX_STEPS),
    help="Length at which the table compares costs [default: the largest measured for all].",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=NewFile(),
    help="Also plot step time against device peak at that length, as .png or .svg.",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the plot.")
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Run short points in the parallel schedule: does memory have the same order there?",
)
@source_options
@common_options
def command(
    common: Common, *, scenario: tuple[str, ...], output: Path | None, force: bool, **given: Any
) -> None:
    """Compare two or more builds: from which length on one is faster, or needs less."""
    group = planning.Group(suite=given.pop("suite"), tags=given.pop("tags"))
    names = tuple(dict.fromkeys(scenario))
    if len(names) < _PAIR and (names or group == planning.Group()):
        raise UsageError(_FEW.format(" ".join(["versus", *scenario])))
    _check_output(output, force=force)
    check_run_name(given["name"])
    with opened(common, timeout_s=given["timeout"], name=given["name"]) as opening:
        listings = chosen_scenarios(common, opening.client, names, given, group)
        if len(listings) < _PAIR:
            raise UsageError(_FEW.format(f"versus: only {listings[0].name} has these tags"))
        _check_axes(listings)
        for listing in listings if given["steps"] else ():
            planning.check_steps(listing, given["steps"])
        source = measured(common, opening, listings, given)
        answer = _answer(source, listings, given["steps"])
        if given["check"]:
            answer = _checked(answer, opening)
    _print(common, answer)
    if output:
        _draw(common, answer, output)
    common.echo(f"next: {_next(common, answer, given)}")


def _check_axes(listings: Sequence[Listing]) -> None:
    """Refuse scenarios whose numbers count different things."""
    if len({listing.lengths.axis for listing in listings}) > 1:
        axes = ", ".join(f"{one.name} over {one.lengths.axis}" for one in listings)
        raise UsageError(f"versus: only scenarios over one axis can be compared, not {axes}")


def _check_output(output: Path | None, *, force: bool) -> None:
    """Refuse a file that cannot be written, before anything is measured."""
    if output is None:
        return
    if output.suffix not in _FORMATS:
        raise UsageError(f"--output {str(output)!r}: end it in {' or '.join(_FORMATS)}")
    if output.exists() and not force:
        raise UsageError(f"--output {str(output)!r}: the file exists; --force overwrites it")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """The builds compared: by length, and at one length."""

    source: StoredPoints
    crossovers: Sequence[Crossover]
    builds: Sequence[BuildCost]
    steps: int
    measured: tuple[int, int]
    unchecked: str | None = "--no-check"

    @property
    def axis(self) -> str:
        return self.builds[0].conditions.axis

    @property
    def is_serial(self) -> bool:
        return all(one.conditions.schedule is Schedule.SERIAL for one in self.builds)


def _checked(answer: _Answer, opening: Opening) -> _Answer:
    """Return the answer with the order of memory in the parallel schedule, from runs made now."""
    from profiler.analysis.crossover.costs import PARETO_METRICS
    from profiler.analysis.crossover.schedules import (
        ParallelRuns,
        lengths_to_check,
        with_parallel,
        without_contradicted,
    )

    if not answer.is_serial:
        return answer
    lengths = lengths_to_check(answer.crossovers)
    opening.report.stage("comparing the schedules", len(lengths) * len(answer.builds))
    checks = []
    for steps in lengths:
        runs = {}
        for one in answer.builds:
            point = changed(one.conditions, steps=steps)
            runs[one.label] = [
                opening.client.measure(each, mode=Mode(inspect=False))
                for each in parallel_points(point)
            ]
            opening.report.done(f"{one.label} {steps}: in the parallel schedule")
        checks.append(ParallelRuns(steps=steps, runs=runs))
    found = with_parallel(answer.crossovers, checks)
    return replace(
        answer,
        crossovers=found,
        builds=without_contradicted(answer.builds, found, PARETO_METRICS),
        unchecked=None,
    )


def _answer(source: StoredPoints, listings: Sequence[Listing], steps: int | None) -> _Answer:
    from profiler.analysis.crossover.costs import build_costs, common_length
    from profiler.analysis.crossover.crossovers import crossovers
    from profiler.analysis.series import metric_series

    wanted = list(source.series.values())
    found = [series for series in metric_series(source.run) if series.conditions in wanted]
    found.sort(key=lambda series: wanted.index(series.conditions))
    _check_measured(source, found)
    steps = steps or common_length(found) or _longest(found, listings)
    return _Answer(
        source=source,
        crossovers=crossovers(found),
        builds=build_costs(found, source.run.walls, steps=steps),
        steps=steps,
        measured=_ends(found),
    )


def _check_measured(source: StoredPoints, found: Sequence[MetricSeries]) -> None:
    for name, conditions in source.series.items():
        if conditions not in [series.conditions for series in found]:
            raise StepwallError(f"run {source.run.name!r} has no point of {name} that was measured")


def _longest(found: Sequence[MetricSeries], listings: Sequence[Listing]) -> int:
    """Return the longest length that all authors allow, of those up to which all were measured."""
    _, last = _ends(found)
    allowed = (
        steps for steps in range(last, 0, -1) if all(one.lengths.allow(steps) for one in listings)
    )
    return next(allowed, last)


def _ends(found: Sequence[MetricSeries]) -> tuple[int, int]:
    return max(series.points[0][0] for series in found), min(series.last for series in found)


def _print(common: Common, answer: _Answer) -> None:
    from reports.tables.costs import cost_grid, cost_notes
    from reports.tables.versus import crossover_lines, schedule_lines, versus_document

    common.lines(_heading(answer))
    common.lines(f"  {line}" for line in crossover_lines(answer.crossovers))
    if answer.is_serial:
        checked = schedule_lines(answer.crossovers, unchecked=answer.unchecked)
        common.lines(f"  {line}" for line in checked)
    common.echo()
    common.echo(f"at {counted(f'{answer.steps:,}', answer.axis)}")
    common.table(cost_grid(answer.builds))
    common.lines(cost_notes(answer.builds, measured_to=answer.measured[1]))
    common.write_json(
        versus_document(
            answer.crossovers, answer.builds, run=answer.source.run.name, steps=answer.steps
        )
    )


def _heading(answer: _Answer) -> list[str]:
    """Return what is compared, and which parameters differ."""
    points = [one.conditions for one in answer.builds]
    texts = list(dict.fromkeys(describe_parameters(point.parameters) for point in points))
    conditions = [texts[0]] if len(texts) == 1 else []
    conditions += [points[0].device, points[0].schedule.value]
    first, last = answer.measured
    span = counted(f"{first:,} to {last:,}", answer.axis)
    who = " against ".join(point.scenario for point in points)
    lines = [
        f"{who}   {' · '.join(filter(None, conditions))}",
        f"  measured from {span} (run {answer.source.run.name})",
    ]
    if len(texts) > 1:
        lines += [f"  {p.scenario}: {describe_parameters(p.parameters)}" for p in points]
    return lines


def _draw(common: Common, answer: _Answer, output: Path) -> None:
    """Plot the builds at one length.

    Raises:
        StepwallError: if none of them can be plotted, or the file cannot be written.
    """
    from reports.plots.measurements import image
    from reports.plots.pareto import ParetoPanel, pareto_figure

    title = " against ".join(one.label for one in answer.builds)
    panel = ParetoPanel(title=title, steps=answer.steps, builds=tuple(answer.builds))
    if not panel.shown:
        raise StepwallError(
            f"--output {str(output)!r}: no build has a known steady step and device peak "
            f"at {counted(f'{answer.steps:,}', answer.axis)}"
        )
    write("--output", output, image(pareto_figure([panel]), output.suffix[1:]))
    common.echo(f"Wrote {output}")


def _next(common: Common, answer: _Answer, given: dict[str, Any]) -> str:
    """Return the command that would add most: repeats if anything is too noisy, else a wall."""
    names = [one.conditions.scenario for one in answer.builds]
    helpful = {missing.options for one in answer.crossovers for missing in one.missing_laws}
    repeats = next((text.split() for text in helpful if text.startswith("--repeats")), None)
    if repeats:
        return next_command(common, given, "profile", *names, *repeats)
    unwalled = [one.conditions.scenario for one in answer.builds if not one.walls]
    if unwalled:
        return next_command(common, given, "wall", unwalled[0], "--limit", "64MiB")
    return next_command(common, {}, "report", answer.source.run.name)
