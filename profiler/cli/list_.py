"""``stepwall list``: the scenarios, their parameters, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from profiler.cli.common import Common, common_options, group_options, next_command
from profiler.cli.opening import open_client
from profiler.cli.progress import reporter
from profiler.facts import SCHEMA, to_json
from profiler.lengths import STEPS
from profiler.parameters import describe_parameters
from profiler.planning.catalog import Listing
from profiler.planning.points import Group


@click.command("list")
@group_options
@common_options
def command(common: Common, *, suite: str | None, tags: tuple[str, ...]) -> int:
    """List scenarios by family, their parameters and tags, and where they come from."""
    with reporter(quiet=common.quiet, verbose=False) as report, open_client(common) as client:
        report.stage("loading scenarios")
        catalog = client.catalog()
    listings = Group(suite=suite, tags=tags).of(catalog.scenarios.values())
    for (family, source), members in groupby(listings, key=_heading):
        common.echo(f"\n{family}  ({source})")
        common.table(_table(list(members)))
    for line in catalog.broken:
        click.echo(f"stepwall: left out {line}", err=True)
    common.write_json(
        {
            "schema": SCHEMA,
            "scenarios": [
                {**to_json(listing), "axis": listing.lengths.axis} for listing in listings
            ],
            "broken": catalog.broken,
        }
    )
    mine = [one.name for one in listings if not one.file.is_installed]
    example = [*mine, *(one.name for one in listings)][:1]
    common.echo(f"next: {next_command(common, {}, 'profile', *example)}")
    return 2 if catalog.broken else 0


def _heading(listing: Listing) -> tuple[str, str]:
    """Return what the scenarios of one heading share: their family, and their file."""
    path = Path(listing.file.path)
    return listing.family, path.name if listing.file.is_installed else str(path)


def _table(listings: Sequence[Listing]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("scenario", "what it builds", "parameters", "tags"):
        table.add_column(heading, no_wrap=heading == "scenario")
    for item in listings:
        defaults = {parameter.name: parameter.default for parameter in item.parameters}
        over = [] if item.lengths.axis == STEPS else [f"over {item.lengths.axis}"]
        parameters = " · ".join(filter(None, [*over, describe_parameters(defaults)]))
        cells = (item.name, item.summary, parameters, " ".join(item.tags))
        table.add_row(*map(Text, cells))
    return table
