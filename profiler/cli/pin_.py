"""``stepwall pin``: one run as a small JSON file, to be committed and compared with."""

from __future__ import annotations

from pathlib import Path

import click

from profiler.baseline import baseline_text
from profiler.cli.common import Common, common_options
from profiler.errors import StepwallError, UsageError
from profiler.results import SCHEMA
from profiler.store import Store


@click.command("pin")
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("stepwall-baseline.json"),
    show_default=True,
    help="The file to write.",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the file.")
@common_options
def command(common: Common, *, run: str | None, output: Path, force: bool) -> None:
    """Write a stored run (default: the newest) as a baseline file for 'stepwall compare'."""
    if output.exists() and not force:
        raise UsageError(f"{str(output)!r} exists: choose another --output or add --force")
    with Store(common.results) as store:
        pinned = store.load(run)
    try:
        output.write_text(baseline_text(pinned))
    except OSError as error:
        raise StepwallError(f"{str(output)!r}: {error.strerror or error}") from None
    common.write_json({"schema": SCHEMA, "run": pinned.name, "path": str(output)})
    common.echo(f"Wrote {output}")
    common.echo(f"next: stepwall compare {output} RUN --fail peak:5%")
