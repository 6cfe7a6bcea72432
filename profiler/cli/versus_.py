"""``stepwall versus``: from which length on one build beats the others."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profiler.cli.common import Common, common_options
from profiler.cli.stored import Source, measured, source_options
from profiler.errors import StepwallError, UsageError
from profiler.scenario import describe_parameters
from profiler.units import MAX_STEPS

if TYPE_CHECKING:  # laws need NumPy, and --help does not
    from profiler.analysis.crossover.choices import BuildCost
    from profiler.analysis.crossover.contests import Crossover
    from profiler.analysis.series import MetricSeries

_KINDS = (".png", ".svg")
# What a narrow terminal does without, in this order; --json holds all.
_LESS_IMPORTANT = (
    "first step",
    "building the graph",
    "backprop memory",
    "host memory",
    "nodes",
    "wall",
)


@click.command("versus")
@click.argument("scenario", nargs=-1, required=True)
@click.option(
    "--steps",
    type=click.IntRange(1, MAX_STEPS),
    help="The length of the table [default: the largest that was measured of all].",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also draw step time against device peak there, as .png or .svg.",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite that file.")
@source_options
@common_options
def command(
    common: Common, *, scenario: tuple[str, ...], output: Path | None, force: bool, **given: Any
) -> None:
    """Say from which length on one of two or more builds is faster, or needs less."""
    names = tuple(dict.fromkeys(scenario))
    if len(names) < 2:  # noqa: PLR2004 - a comparison
        raise UsageError(f"versus {' '.join(scenario)}: name two different scenarios or more")
    _check_output(output, force=force)
    answer = _answer(measured(common, names, given), given["steps"])
    _print(common, answer)
    if output:
        _draw(common, answer, output)
    common.echo(f"next: {_next(common, answer, given)}")


def _check_output(output: Path | None, *, force: bool) -> None:
    """Refuse a file that cannot be written before anything is measured for it."""
    if output is None:
        return
    if output.suffix not in _KINDS:
        raise UsageError(f"--output {str(output)!r}: end it in {' or '.join(_KINDS)}")
    if not output.resolve().parent.is_dir() or output.is_dir():
        raise UsageError(f"--output {str(output)!r}: no file can be written there")
    if output.exists() and not force:
        raise UsageError(f"--output {str(output)!r}: the file exists; --force overwrites it")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What is known of the builds."""

    source: Source
    contests: Sequence[Crossover]
    builds: Sequence[BuildCost]
    steps: int
    measured: tuple[int, int]


def _answer(source: Source, steps: int | None) -> _Answer:
    from profiler.analysis.crossover.choices import choices, common_length
    from profiler.analysis.series import curves
    from reports.tables.versus import contests

    wanted = list(source.series.values())
    found = [curve for curve in curves(source.run) if curve.conditions in wanted]
    found.sort(key=lambda curve: wanted.index(curve.conditions))
    _check_measured(source, found)
    steps = steps or common_length(found) or _longest(found)
    return _Answer(
        source=source,
        contests=contests(found),
        builds=choices(found, source.run.walls, steps=steps),
        steps=steps,
        measured=_ends(found),
    )


def _check_measured(source: Source, found: Sequence[MetricSeries]) -> None:
    for name, conditions in source.series.items():
        if conditions not in [curve.conditions for curve in found]:
            raise StepwallError(f"run {source.run.name!r} has no point of {name} that was measured")


def _longest(found: Sequence[MetricSeries]) -> int:
    """Return the length up to which all were measured, where they have none in common."""
    return min(curve.last for curve in found)


def _ends(found: Sequence[MetricSeries]) -> tuple[int, int]:
    return max(curve.points[0][0] for curve in found), _longest(found)


def _print(common: Common, answer: _Answer) -> None:
    from reports.tables.choices import choice_grid, choice_notes
    from reports.tables.grid import grid_table
    from reports.tables.versus import contest_lines, versus_document

    for line in _heading(answer):
        common.echo(line)
    for line in contest_lines(answer.contests):
        common.echo(f"  {line}")
    common.echo()
    common.echo(f"at {answer.steps:,} steps")
    grid = choice_grid(answer.builds)
    common.table(grid_table(grid, less_important=_LESS_IMPORTANT, width=common.width))
    for note in choice_notes(answer.builds, measured_to=answer.measured[1]):
        common.echo(note)
    common.write_json(
        versus_document(
            answer.contests, answer.builds, run=answer.source.run.name, steps=answer.steps
        )
    )


def _heading(answer: _Answer) -> list[str]:
    """Return what is compared, and in what its conditions differ."""
    points = [one.conditions for one in answer.builds]
    texts = list(dict.fromkeys(describe_parameters(point.parameters) for point in points))
    conditions = [texts[0]] if len(texts) == 1 else []
    conditions += [points[0].device, points[0].schedule.value]
    first, last = answer.measured
    who = " against ".join(point.scenario for point in points)
    lines = [
        f"{who}   {' · '.join(filter(None, conditions))}",
        f"  measured from {first:,} to {last:,} steps (run {answer.source.run.name})",
    ]
    if len(texts) > 1:
        lines += [f"  {p.scenario}: {describe_parameters(p.parameters)}" for p in points]
    return lines


def _draw(common: Common, answer: _Answer, output: Path) -> None:
    from reports.plots.measurements import image
    from reports.plots.pareto import Panel, pareto_figure

    title = " against ".join(one.label for one in answer.builds)
    panel = Panel(title=title, steps=answer.steps, builds=tuple(answer.builds))
    try:
        output.write_bytes(image(pareto_figure([panel]), output.suffix[1:]))
    except OSError as error:
        raise StepwallError(f"--output {str(output)!r}: {error.strerror}") from None
    common.echo(f"Wrote {output}")


def _next(common: Common, answer: _Answer, given: dict[str, Any]) -> str:
    """Return what would say more: repeats where noise hides something, else a wall."""
    names = [one.conditions.scenario for one in answer.builds]
    options = [part for setting in given["settings"] for part in ("--set", setting)]
    options += ["--device", given["device"]] if given["device"] != "cpu" else []
    options += ["--schedule", given["schedule"]] if given["schedule"] != "serial" else []
    options += [part for path in common.scenarios for part in ("--scenarios", path)]
    lacking = {lack.options for one in answer.contests for lack in one.missing_laws}
    repeats = next((text.split() for text in lacking if text.startswith("--repeats")), None)
    if repeats:
        return shlex.join(["stepwall", "profile", *names, *repeats, *options])
    unwalled = [one.conditions.scenario for one in answer.builds if not one.walls]
    if unwalled:
        return shlex.join(["stepwall", "wall", unwalled[0], "--limit", "64MiB", *options])
    return f"stepwall report {answer.source.run.name}"
