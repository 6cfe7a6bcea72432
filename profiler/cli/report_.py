"""``stepwall report``: a stored run as a page, as Markdown, or in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from profiler.cli import terminal
from profiler.cli.arguments import NewFile, Output, check_no_report
from profiler.cli.common import Common, common_options, next_command, plots_option
from profiler.cli.output import print_answer, run_folder, write_folder
from profiler.errors import UsageError
from profiler.facts import Run
from profiler.paths import check_folder, write
from profiler.store.runs import Store

if TYPE_CHECKING:
    from profiler.analysis.results import RunResults

# A chart as wide as a file's lines would be hard to read.
_WIDEST = 100


@click.command("report")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "-o",
    "--output",
    type=Output(),
    help="Folder (default: results/RUN, of several results/A_and_B); with --markdown a file "
    "(default: stdout).",
)
@click.option("-f", "--force", is_flag=True, help="Overwrite what is there.")
@click.option("--markdown", is_flag=True, help="Markdown for a pull request instead of a page.")
@click.option("--terminal", "charts", is_flag=True, help="Charts in the terminal, no page.")
@plots_option
@common_options
def command(  # noqa: PLR0913 (the options of the command line)
    common: Common,
    *,
    runs: tuple[str, ...],
    output: Path | None,
    force: bool,
    markdown: bool,
    charts: bool,
    plots: bool,
) -> None:
    """Write the report of a stored run (default: the newest) again.

    Of several runs, as of two frameworks: one report, with all of them side by side.
    """
    from profiler.analysis.results import RunResults
    from profiler.analysis.together import together

    if plots and (markdown or charts):
        raise UsageError("report --plots: goes with the page, not with --markdown or --terminal")
    if markdown and charts:
        raise UsageError("report: --markdown or --terminal, not both")
    if charts and output is not None:
        raise UsageError("report --terminal: writes no file, so leave --output out")
    if markdown and common.json_path == "-" and output is None:
        raise UsageError("report --markdown: --json - and Markdown cannot both go to stdout")
    _check(output, is_file=markdown, force=force)
    with Store(common.results) as store:
        results = RunResults(together([store.load(run) for run in runs or [None]]))
        if len(runs) > 1 and output is None and not (markdown or charts):
            _check_no_other_run(store, results.run)
    if markdown:
        _markdown(common, results, output)
    elif charts:
        _charts(common, results, runs or (results.run.name,))
    else:
        _page(common, results, output, plots=plots)


def _check(output: Path | None, *, is_file: bool, force: bool) -> None:
    if output is None:
        return
    context = click.get_current_context()
    if is_file:
        NewFile().checked("--output", output, context)
    else:
        check_folder("--output", output)
        check_no_report(context, lambda: [output])
    if force or not output.exists():
        return
    if is_file:
        raise UsageError(f"--output {str(output)!r}: it exists; --force overwrites a file")
    if any(output.iterdir()):
        raise UsageError(f"{str(output)!r} is not empty: choose another folder or add --force")


def _check_no_other_run(store: Store, run: Run) -> None:
    """Refuse to write the report of several runs where that of another one goes."""
    if any(one.name == run.name and one.id != run.id for one in store.summaries()):
        raise UsageError(f"a run named {run.name!r} has its report there: give --output DIR")


def _page(common: Common, results: RunResults, output: Path | None, *, plots: bool) -> None:
    run = results.run
    print_answer(common, results)
    folder = write_folder(common, results, output or run_folder(common, run), plots=plots)
    _write_json(common, results)
    common.echo(f"next: open {folder / 'report.html'}")


def _markdown(common: Common, results: RunResults, output: Path | None) -> None:
    from reports.pages.markdown import run_markdown

    text = run_markdown(results)
    _write_json(common, results)
    if output is None:
        common.echo(text.rstrip("\n"))
        return
    write("--output", output, text)
    common.echo(f"Wrote {output}")


def _charts(common: Common, results: RunResults, runs: tuple[str, ...]) -> None:
    from reports.pages.terminal import chart_lines
    from reports.tables.summary import summary_grid
    from reports.texts.answer import answer

    said = answer(results)
    common.lines([said.title, *(f"  {sentence}" for sentence in said.sentences), ""])
    common.lines(chart_lines(results, min(terminal.width(), _WIDEST)))
    common.table(summary_grid(results))
    _write_json(common, results)
    common.echo(f"next: {next_command(common, {}, 'report', *runs)}")


def _write_json(common: Common, results: RunResults) -> None:
    if common.json_path is not None:
        from reports.pages.exports import run_document

        common.write_json(run_document(results))
