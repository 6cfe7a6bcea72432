"""``stepwall compare``: what changed between two runs, and whether that is too much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from profiler.baseline import read_baseline
from profiler.cli.common import OVER_BUDGET, Common, common_options
from profiler.results import Run
from profiler.store import Store

if TYPE_CHECKING:
    from profiler.comparison import Comparison, Row, Rule


@click.command("compare")
@click.argument("before", metavar="RUN_A")
@click.argument("after", metavar="RUN_B")
@click.option(
    "--fail",
    "rules",
    multiple=True,
    metavar="METRIC:N%",
    help="Exit with 3 if a metric became worse by more, as peak:5%, slope:0% or all:10%; "
    "or if a point fails now (repeatable).",
)
@click.option("--markdown", is_flag=True, help="Print what changed as Markdown.")
@common_options
def command(
    common: Common, *, before: str, after: str, rules: tuple[str, ...], markdown: bool
) -> int:
    """Compare two runs: names, ids, or baseline files that 'stepwall pin' wrote."""
    # Late, as laws need NumPy, and --help does not.
    from profiler.comparison import compare, parse_rule

    wanted = [parse_rule(rule) for rule in rules]
    comparison = compare(_run(common, before), _run(common, after))
    broken = list(_broken(comparison, wanted))
    _print(common, comparison, broken, markdown=markdown)
    for line in (*_unclear(comparison, wanted), *broken):
        click.echo(f"stepwall: {line}", err=True)
    return OVER_BUDGET if broken else 0


def _run(common: Common, name: str) -> Run:
    """Return a stored run, or the one of a baseline file."""
    if name.endswith(".json") or Path(name).is_file():
        return read_baseline(Path(name))
    with Store(common.results) as store:
        return store.load(None if name == "latest" else name)


def _broken(comparison: Comparison, rules: list[Rule]) -> Iterator[str]:
    from profiler.comparison import Mark
    from reports.comparison import breach_text

    for row in comparison.rows:
        rule = next((rule for rule in rules if rule.is_broken_by(row)), None)
        if rule is not None or (rules and row.mark is Mark.FAILS):
            yield breach_text(row, rule)


def _unclear(comparison: Comparison, rules: list[Rule]) -> Iterator[str]:
    from profiler.comparison import Mark
    from reports.comparison import unclear_text

    def asked(row: Row) -> bool:
        return any(rule.name == row.name for rule in rules)

    for row in comparison.rows:
        if row.mark is Mark.UNCLEAR and asked(row):
            yield unclear_text(row)


def _print(common: Common, comparison: Comparison, broken: list[str], *, markdown: bool) -> None:
    from reports.comparison import (
        comparison_document,
        comparison_grid,
        comparison_lines,
        comparison_markdown,
    )
    from reports.table import grid_table

    common.write_json(comparison_document(comparison, broken))
    if markdown:
        common.echo(comparison_markdown(comparison))
        return
    common.table(grid_table(comparison_grid(comparison), width=common.width))
    for line in comparison_lines(comparison):
        common.echo(line)
    common.echo(f"next: stepwall pin {comparison.after}  (to compare later runs with it)")
