"""``stepwall runs``: the stored runs."""

from __future__ import annotations

import click

from profiler.cli.common import Common, common_options, next_command
from profiler.facts import SCHEMA, to_json
from profiler.store.runs import RunSummary, Store


@click.command("runs")
@common_options
def command(common: Common) -> None:
    """List the stored runs, oldest first."""
    with Store(common.results) as store:
        runs = store.summaries()
    _print(common, runs)
    common.write_json({"schema": SCHEMA, "runs": [to_json(run) for run in runs]})
    words = ("report", runs[-1].name) if runs else ("profile",)
    common.echo(f"next: {next_command(common, {}, *words)}")


def _print(common: Common, runs: list[RunSummary]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "made at", "measurements", "walls", "state", "command")
    for run in runs:
        table.add_row(
            escape(run.name),
            run.created_at,
            str(run.measurements),
            str(run.walls),
            "complete" if run.finished else "unfinished",
            escape(run.command),
        )
    common.table(table)
