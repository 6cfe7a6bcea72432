"""``stepwall plot``: one figure of a stored run, for a paper, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profiler.cli import terminal
from profiler.cli.arguments import NewFile, Number, check_free
from profiler.cli.common import Common, common_options, next_command
from profiler.errors import UsageError, did_you_mean
from profiler.facts import SCHEMA, Run, Schedule, replace
from profiler.paths import write
from profiler.store.runs import Store

if TYPE_CHECKING:  # plots need matplotlib, and --help does not
    from profiler.analysis.metrics import Metric
    from profiler.analysis.results import RunResults
    from reports.plots.sheet import Drawing, Sheet

_KINDS = ("growth", "wall", "roles", "remedies")
_ENDINGS = ("pdf", "svg", "png")
_LOGARITHMIC = ("x", "y", "xy", "none")
# A page of a paper is no taller.
_PAGE_INCHES = 9.5


@click.command("plot")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=NewFile(),
    help="The figure, as .pdf, .svg or .png; its numbers go next to it, as .csv "
    "[default: KIND.pdf].",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite both files.")
@click.option(
    "--scenario", "names", multiple=True, metavar="NAME", help="Only this one (repeatable)."
)
@click.option(
    "--family", "families", multiple=True, metavar="F", help="Only this one (repeatable)."
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="M",
    help="For growth: nodes, build_time, first_step_time, step_time, backprop, peak or host "
    "(repeatable) [default: nodes, build_time and peak].",
)
@click.option(
    "--schedule",
    type=click.Choice([item.value for item in Schedule]),
    help="Only what was measured in this schedule.",
)
@click.option(
    "--predicted/--no-predicted",
    default=True,
    show_default=True,
    help="For growth: continue the laws beyond what was measured.",
)
@click.option("--pareto", is_flag=True, help="For remedies: step time against wall, not bars.")
@click.option(
    "--width",
    default="single",
    show_default=True,
    help="A column: single (3.5in), text (5.5in) or double (7.16in); or a size such as 3.3in, "
    "89mm, 8.9cm or 252pt.",
)
@click.option("--height", help="Height of the whole figure [default: what its panels need].")
@click.option("--aspect", type=Number(0.1, 10), help="Width over height, instead of --height.")
@click.option(
    "--font-size",
    type=Number(4, 24),
    default=8.0,
    show_default=True,
    help="Font size, in points.",
)
@click.option("--style", metavar="FILE", help="A matplotlib style file, or the name of a style.")
@click.option(
    "--log",
    "logarithmic",
    type=click.Choice(_LOGARITHMIC),
    help="Logarithmic axes [default: as the lengths are spaced].",
)
@common_options
def command(common: Common, *, kind: str, run: str | None, **given: Any) -> None:
    r"""Draw one figure of a stored run (default: the newest), and write its numbers next to it.

    \b
    growth    nodes, times and memory against the steps, with their laws
    wall      where memory ends: predicted, proven, band
    roles     what holds the memory, stacked over the steps
    remedies  how far each build goes under a limit, and what its step costs
    """
    output, sheet = _checked(kind, given)
    numbers = output.with_suffix(".csv")
    check_free(click.get_current_context(), [numbers], "the numbers go there, as CSV")
    if given["output"] is None:
        check_free(click.get_current_context(), [output], "the figure goes there")
    with Store(common.results) as store:
        chosen = _chosen(store.load(run), given)
    drawing = _drawing(kind, chosen, sheet, given)
    write("--output", output, sheet.saved(drawing.figure, output.suffix[1:]))
    write("--output", numbers, drawing.table)
    width, height = drawing.figure.get_size_inches()
    common.echo(f"Wrote {output} ({width:.2f} by {height:.2f} inches) and {numbers}")
    if height > _PAGE_INCHES:
        terminal.warn(
            f"{height:.1f} inches is taller than a page: choose with --scenario, --family or "
            "--metric, or take --width double"
        )
    common.write_json(
        {
            "schema": SCHEMA,
            "run": chosen.run.name,
            "figure": str(output),
            "numbers": str(numbers),
            "width_inches": float(width),
            "height_inches": float(height),
            "rows": list(drawing.rows),
        }
    )
    common.echo(f"next: {next_command(common, {}, 'report', chosen.run.name)}")


def _checked(kind: str, given: dict[str, Any]) -> tuple[Path, Sheet]:
    """Return where the figure goes and its sheet; refuse what cannot be, before anything is read.

    Raises:
        UsageError: naming the option.
    """
    from reports.plots.sheet import Sheet, inches

    output: Path = given["output"] or Path(f"{kind}.pdf")
    if output.suffix[1:] not in _ENDINGS:
        raise UsageError(f"--output {str(output)!r}: end it in .{', .'.join(_ENDINGS)}")
    for path in (output, output.with_suffix(".csv")):
        if path.exists() and not given["force"]:
            raise UsageError(f"--output {str(path)!r}: it exists; --force overwrites a file")
        NewFile().checked("--output", path, click.get_current_context())
    for name, only in (("metrics", "growth"), ("pareto", "remedies")):
        if given[name] and kind != only:
            raise UsageError(f"plot {kind}: --{name.removesuffix('s')} is for plot {only}")
    width = inches(given["width"], "--width")
    height = inches(given["height"], "--height") if given["height"] else None
    if given["aspect"] is not None:
        if height is not None:
            raise UsageError("--aspect: give it or --height, not both")
        height = width / given["aspect"]
    chosen = given["logarithmic"]
    sheet = Sheet(
        width=width,
        height=height,
        font=given["font_size"],
        style=given["style"],
        logarithmic=chosen.replace("none", "") if chosen is not None else None,
    )
    with sheet.look():  # a style that cannot be read is refused here
        return output, sheet


def _chosen(run: Run, given: dict[str, Any]) -> RunResults:
    """Return the part of a run that was asked for.

    Raises:
        UsageError: if it holds nothing of that, naming what it holds.
    """
    from profiler.analysis.results import RunResults

    whole = RunResults(run)
    labels = {label for label, _ in (*whole.measurements, *whole.walls)}
    scenarios = {m.point.scenario for m in run.measurements} | {w.scenario for w in run.walls}
    _check(run, "scenario", given["names"], scenarios | labels)
    families = {m.point.family for m in run.measurements} | {w.family for w in run.walls}
    _check(run, "family", given["families"], families)

    def wanted(label: str, scenario: str, family: str, schedule: Schedule) -> bool:
        return (
            (not given["names"] or bool({label, scenario} & {*given["names"]}))
            and (not given["families"] or family in given["families"])
            and given["schedule"] in {None, schedule.value}
        )

    part = replace(
        run,
        measurements=[
            m
            for label, m in whole.measurements
            if wanted(label, m.point.scenario, m.point.family, m.point.schedule)
        ],
        walls=[w for label, w in whole.walls if wanted(label, w.scenario, w.family, w.schedule)],
    )
    if not part.measurements and not part.walls:
        why = f"in the {given['schedule']} schedule" if given["schedule"] else "of that"
        raise UsageError(f"run {run.name!r} has nothing {why}")
    return RunResults(part)


def _check(run: Run, option: str, given: Sequence[str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(
                f"--{option} {name!r}: not in run {run.name!r}{did_you_mean(name, known)}"
            )


def _metrics(names: Sequence[str]) -> list[Metric]:
    from profiler.analysis.metrics import BY_NAME
    from reports.plots.growth import DEFAULT_METRICS

    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"--metric {name!r}: no such metric{did_you_mean(name, BY_NAME)}")
    return [BY_NAME[name] for name in dict.fromkeys(names) or DEFAULT_METRICS]


def _drawing(kind: str, results: RunResults, sheet: Sheet, given: dict[str, Any]) -> Drawing:
    from reports.plots import growth, remedies, roles, walls

    makers = {
        "growth": lambda: growth.growth(
            results, _metrics(given["metrics"]), sheet, predicted=given["predicted"]
        ),
        "wall": lambda: walls.walls(results, sheet),
        "roles": lambda: roles.roles(results, sheet),
        "remedies": lambda: remedies.remedies(results, sheet, pareto=given["pareto"]),
    }
    drawing = makers[kind]()
    if drawing is None:
        reasons = {
            "growth": lambda _: "none of these metrics was measured",
            "wall": walls.no_walls,
            "roles": roles.no_roles,
            "remedies": remedies.no_remedies,
        }
        why = reasons[kind](results)
        raise UsageError(f"plot {kind}: nothing to draw in run {results.run.name!r}: {why}")
    return drawing
