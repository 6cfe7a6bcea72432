"""``stepwall pin``: a run as a small JSON file, to commit and to compare with."""

from __future__ import annotations

from pathlib import Path

import click

from profiler.cli.arguments import NewFile, check_free
from profiler.cli.common import Common, common_options, next_command
from profiler.errors import UsageError
from profiler.facts import SCHEMA
from profiler.paths import write
from profiler.store.baseline import baseline_text
from profiler.store.runs import Store


@click.command("pin")
@click.argument("run", required=False)
@click.option(
    "-o",
    "--output",
    type=NewFile(),
    help="The file to write [default: RUN.baseline.json].",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite the file.")
@common_options
def command(common: Common, *, run: str | None, output: Path | None, force: bool) -> None:
    """Write a stored run (default: the newest) as a baseline file for 'stepwall compare'."""
    with Store(common.results) as store:
        pinned = store.load(run)
    path = output or Path(f"{pinned.name}.baseline.json")
    check_free(click.get_current_context(), [path] * (output is None), "the baseline goes there")
    if path.exists() and not force:
        raise UsageError(f"{str(path)!r} exists: choose another --output or add --force")
    write("--output", path, baseline_text(pinned))
    common.write_json({"schema": SCHEMA, "run": pinned.name, "path": str(path)})
    common.echo(f"Wrote {path}")
    again = next_command(common, {}, "compare", path, pinned.name, "--fail", "peak:5%")
    common.echo(f"next: {again}  (or a newer run than {pinned.name})")
