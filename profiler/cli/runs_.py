"""``stepwall runs``: the stored runs."""

from __future__ import annotations

import click

from profiler.cli import terminal
from profiler.cli.common import Common, common_options, next_command
from profiler.facts import SCHEMA, to_json
from profiler.plain_text import one_line
from profiler.store.runs import RunSummary, Store


@click.command("runs")
@common_options
def command(common: Common) -> None:
    """List the stored runs, oldest first."""
    with Store(common.results) as store:
        runs = store.summaries()
        faults = store.faults()
    _print(common, runs)
    common.write_json({"schema": SCHEMA, "runs": [to_json(run) for run in runs]})
    words = ("report", runs[-1].name) if runs else ("profile",)
    common.echo(f"next: {next_command(common, {}, *words)}")
    for line in faults:
        terminal.warn(line)


def _print(common: Common, runs: list[RunSummary]) -> None:
    from reports.tables.grid import Grid, GridRow
    from reports.texts.numbers import DASH

    rows = (
        (
            one_line(run.name),
            run.created_at,
            *(DASH if n is None else f"{n:,}" for n in (run.measurements, run.walls)),
            "complete" if run.finished else "unfinished",
            one_line(run.command),
        )
        for run in runs
    )
    common.table(
        Grid(
            headings=("run", "made at", "measurements", "walls", "state", "command"),
            numeric=(False, False, True, True, False, False),
            rows=tuple(GridRow(cells=cells) for cells in rows),
            least=("made at", "state", "walls", "measurements"),
        )
    )
