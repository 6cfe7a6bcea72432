"""``stepwall list``: the scenarios, their parameters, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from profiler.cli import terminal
from profiler.cli.common import Common, common_options, group_options, next_command
from profiler.cli.opening import open_client
from profiler.cli.progress import reporter
from profiler.facts import SCHEMA, to_json
from profiler.lengths import STEPS
from profiler.parameters import describe_parameters
from profiler.planning.catalog import Listing
from profiler.planning.points import Group

if TYPE_CHECKING:
    from reports.tables.grid import Grid


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
        common.table(_grid(list(members)))
    for needs in dict.fromkeys(catalog.absent.values()):
        names = [name for name, text in catalog.absent.items() if text == needs]
        common.echo(f"\n{', '.join(names)}: each {needs}")
    for line in catalog.broken:
        terminal.warn(f"left out {line}")
    common.write_json(
        {
            "schema": SCHEMA,
            "scenarios": [
                {**to_json(listing), "axis": listing.lengths.axis} for listing in listings
            ],
            "broken": catalog.broken,
            "absent": catalog.absent,
        }
    )
    if not listings and catalog.absent:
        return 2 if catalog.broken else 0
    mine = [one.name for one in listings if not one.file.is_installed]
    example = [*mine, *(one.name for one in listings)][:1]
    common.echo(f"next: {next_command(common, {}, 'profile', *example)}")
    return 2 if catalog.broken else 0


def _heading(listing: Listing) -> tuple[str, str]:
    """Return what the scenarios of one heading share: their family, and their file."""
    path = Path(listing.file.path)
    return listing.family, path.name if listing.file.is_installed else str(path)


def _grid(listings: Sequence[Listing]) -> Grid:
    from reports.tables.grid import Grid, GridRow

    rows = []
    for item in listings:
        defaults = {parameter.name: parameter.default for parameter in item.parameters}
        over = [] if item.lengths.axis == STEPS else [f"over {item.lengths.axis}"]
        parameters = " · ".join(filter(None, [*over, describe_parameters(defaults)]))
        rows.append((item.name, " ".join(item.tags), parameters, item.summary))
    return Grid(
        headings=("scenario", "tags", "parameters", "what it builds"),
        numeric=(False,) * 4,
        rows=tuple(GridRow(cells=cells) for cells in rows),
        least=("tags", "parameters"),
    )
