"""``stepwall list``: the scenarios, their parameters, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from profiler.cli.common import Common, common_options, next_command
from profiler.cli.opening import open_client
from profiler.cli.progress import reporter
from profiler.facts import SCHEMA, to_json
from profiler.lengths import STEPS
from profiler.parameters import describe_parameters
from profiler.planning.catalog import Listing


@click.command("list")
@common_options
def command(common: Common) -> int:
    """List scenarios, their parameters, and where they come from."""
    with reporter(quiet=common.quiet, verbose=False) as report, open_client(common) as client:
        report.stage("loading scenarios")
        catalog = client.catalog()
    common.table(_table(catalog.scenarios.values()))
    for line in catalog.broken:
        click.echo(f"stepwall: left out {line}", err=True)
    common.write_json(
        {
            "schema": SCHEMA,
            "scenarios": [
                {**to_json(listing), "axis": listing.lengths.axis}
                for listing in catalog.scenarios.values()
            ],
            "broken": catalog.broken,
        }
    )
    mine = [one.name for one in catalog.scenarios.values() if not one.file.is_installed]
    example = [*mine, *catalog.scenarios][:1]
    common.echo(f"next: {next_command(common, {}, 'profile', *example)}")
    return 2 if catalog.broken else 0


def _table(listings: Iterable[Listing]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("scenario", "parameters", "what it builds", "from")
    for item in listings:
        defaults = {parameter.name: parameter.default for parameter in item.parameters}
        over = [] if item.lengths.axis == STEPS else [f"over {item.lengths.axis}"]
        parameters = " · ".join(filter(None, [*over, describe_parameters(defaults)]))
        source = item.source.rpartition("/")[2]
        table.add_row(item.name, escape(parameters), escape(item.summary), escape(source))
    return table
