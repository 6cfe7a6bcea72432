"""``stepwall compare``: what changed between two runs, and whether that is too much."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profiler.cli import terminal
from profiler.cli.arguments import NewFile
from profiler.cli.common import OVER_BUDGET, Common, common_options, next_command
from profiler.errors import UsageError
from profiler.facts import Run
from profiler.paths import write
from profiler.store.baseline import read_baseline
from profiler.store.runs import Store

if TYPE_CHECKING:
    from profiler.analysis.compare.comparison import Comparison


@click.command("compare")
@click.argument("before", metavar="RUN_A")
@click.argument("after", metavar="RUN_B")
@click.option(
    "--fail",
    "rules",
    multiple=True,
    metavar="METRIC:N%",
    help="Exit with 3 if a metric became worse by more than this, such as peak:5%, slope:0% or "
    "all:10%, or if a point fails now (repeatable).",
)
@click.option("--markdown", is_flag=True, help="Print what changed as Markdown.")
@click.option(
    "--html",
    type=NewFile(),
    help="Write a page with both runs laid over each other.",
)
@common_options
def command(common: Common, *, before: str, after: str, **given: Any) -> int:
    """Show what changed between two runs: names, ids, or baseline files of 'stepwall pin'."""
    # Late, as laws need NumPy, and --help does not.
    from profiler.analysis.compare.comparison import parse_rule
    from profiler.analysis.compare.runs import compare
    from reports.tables.comparison import breach_lines, inconclusive_lines

    wanted = [parse_rule(rule) for rule in given["rules"]]
    runs = _run(common, before), _run(common, after)
    comparison = compare(*runs)
    broken = breach_lines(comparison, wanted)
    _print(common, comparison, broken, markdown=given["markdown"])
    if given["html"] is not None:
        from reports.pages.comparison import comparison_page

        write("--html", given["html"], comparison_page(*runs, comparison))
    if not given["markdown"]:
        if given["html"] is not None:
            common.echo(f"Wrote {given['html']}")
        again = next_command(common, {}, "compare", before, after, "--fail", "peak:5%")
        common.echo(f"next: {again}  (exit code 3 if worse by more)")
    for line in (*inconclusive_lines(comparison, wanted), *broken):
        terminal.warn(line)
    return OVER_BUDGET if broken else 0


def _run(common: Common, name: str) -> Run:
    """Return a stored run, else the run of a baseline file of that name."""
    path = Path(name)
    if path.suffix == ".json" or path.name != name:
        return read_baseline(path)
    try:
        with Store(common.results) as store:
            return store.load(name)
    except UsageError:
        if os.path.isfile(path):  # noqa: PTH113 (a name that no file can have is none)
            return read_baseline(path)
        raise


def _print(common: Common, comparison: Comparison, broken: list[str], *, markdown: bool) -> None:
    from reports.tables.comparison import (
        LEGEND,
        changed,
        comparison_document,
        comparison_grid,
        comparison_lines,
        comparison_markdown,
        comparison_text,
    )

    common.write_json(comparison_document(comparison, broken))
    if markdown:
        common.echo(comparison_markdown(comparison))
        return
    common.lines([comparison_text(comparison)])
    grid = comparison_grid(comparison if common.verbose else changed(comparison))
    if grid.rows:
        common.table(grid)
        common.lines([LEGEND])
    if len(grid.rows) < len(comparison.rows):
        common.lines(["(only what changed is shown: -v shows every number, --json too)"])
    common.lines(comparison_lines(comparison))
