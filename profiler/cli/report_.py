"""``stepwall report``: write the report of a stored run again."""

from __future__ import annotations

from pathlib import Path

import click

from profiler.cli.common import Common, common_options, plots_option
from profiler.cli.output import write_folder
from profiler.errors import UsageError
from profiler.store.runs import Store


@click.command("report")
@click.argument("run", required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder (default: results/RUN)."
)
@click.option("-f", "--force", is_flag=True, help="Overwrite what is in the --output folder.")
@plots_option
@common_options
def command(
    common: Common, *, run: str | None, output: Path | None, force: bool, plots: bool
) -> None:
    """Write the report of a stored run (default: the newest) again."""
    if output is not None and not force and output.exists() and any(output.iterdir()):
        raise UsageError(f"{str(output)!r} is not empty: choose another folder or add --force")
    with Store(common.results) as store:
        loaded = store.load(run)
    folder = write_folder(common, loaded, output or common.results / loaded.name, plots=plots)
    if common.json_path is not None:
        from reports.pages.exports import run_document

        common.write_json(run_document(loaded))
    common.echo(f"next: open {folder / 'report.html'}")
