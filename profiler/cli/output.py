"""What measuring commands leave behind: tables on stdout, files in the run's report folder."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.cli import terminal
from profiler.cli.common import Common
from profiler.errors import UsageError
from profiler.facts import Run
from profiler.facts.labels import LabelledRun
from profiler.lengths import counted
from profiler.paths import usable
from profiler.store.runs import FILE_NAME, LATEST
from profiler.units import parse_size

if TYPE_CHECKING:
    from profiler.analysis.results import RunResults

# With it files are named, which may have 255.
_MOST_NAME_BYTES = 200


def limit_of(text: str | None) -> int | None:
    """Return the bytes of a limit; None for none.

    Raises:
        UsageError: for a text that is no size.
    """
    return None if text is None else parse_size(text)


def check_run_name(name: str | None) -> None:
    """Check that a run's name can be the name of its report folder.

    Raises:
        UsageError: if it cannot.
    """
    if name is not None and not _names_a_folder(name):
        raise UsageError(
            f"--name {name!r}: use letters, digits, '_', '-' and '.', "
            f"at most {_MOST_NAME_BYTES} bytes, and neither {LATEST} nor {FILE_NAME}"
        )


def run_folder(common: Common, run: Run) -> Path:
    """Return the report folder of a run.

    Raises:
        UsageError: if its name, which a file of others may hold, leads elsewhere.
    """
    if not _names_a_folder(run.name):
        raise UsageError(
            f"run {run.name!r}: its name cannot be the name of a folder: give --output DIR"
        )
    return common.results / run.name


def _names_a_folder(name: str) -> bool:
    if re.fullmatch(r"\w[\w.-]*", name) is None or len(name.encode()) > _MOST_NAME_BYTES:
        return False
    # The database has files beside it, as stepwall.sqlite-wal.
    return name != LATEST and not name.startswith(FILE_NAME)


def publish(common: Common, run: Run, *, plots: bool) -> Path:
    """Print the run's answer, write its report folder and JSON, and point ``latest`` to it."""
    from profiler.analysis.results import RunResults
    from reports.pages.exports import run_document
    from reports.tables.grid import measurement_grid, wall_grid
    from reports.tables.trade_offs import NOTE, trade_off_tables
    from reports.texts.graph_size import size_sentences
    from reports.texts.notes import note_sentences

    folder = run_folder(common, run)
    results = RunResults(run)
    print_answer(common, results)
    if common.verbose and run.measurements:
        common.table(measurement_grid(results))
    if common.verbose and run.walls:
        common.table(wall_grid(results))
    tables = trade_off_tables(results)
    for table in tables:
        common.lines([table.title])
        common.table(table.grid)
    common.lines([NOTE] if tables else [])
    common.lines([*size_sentences(results), *note_sentences(results)])
    write_folder(common, results, folder, plots=plots)
    common.write_json(run_document(results))
    return folder


def print_answer(common: Common, results: RunResults) -> None:
    """Print what a run is about, the sentences that answer first, and its small table."""
    from reports.tables.summary import summary_grid
    from reports.texts.answer import answer

    said = answer(results)
    common.lines([said.title, *(f"  {sentence}" for sentence in said.sentences)])
    common.table(summary_grid(results))


def write_folder(common: Common, results: RunResults, folder: Path, *, plots: bool = False) -> Path:
    """Write the run's report into ``folder``, with its plots if asked for, and say so.

    Raises:
        StepwallError: if the folder cannot be written.
    """
    from reports import write_report

    with usable("report folder", folder):
        write_report(results, folder, with_plots=plots)
        if folder.parent == common.results:
            _point_latest(folder)
    common.echo(f"Wrote {folder / 'report.html'}")
    return folder


def print_failures(run: Run) -> None:
    """Name every point that did not end well, on stderr."""
    for label, measurement in LabelledRun(run).measurements:
        point, end = measurement.point, measurement.outcome
        if end.status.is_failure:
            at = counted(point.steps, point.axis)
            terminal.tell(f"{label} at {at}: {end.sentence}")


def _point_latest(folder: Path) -> None:
    link = folder.parent / LATEST
    draft = folder.parent / f".{LATEST}-{folder.name}"
    # Replaced in one move, so that two runs at once leave one good link; some file systems
    # have no links at all.
    with contextlib.suppress(OSError):
        draft.unlink(missing_ok=True)
        draft.symlink_to(folder.name, target_is_directory=True)
        draft.replace(link)
