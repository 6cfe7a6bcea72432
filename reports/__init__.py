"""Reports of stored runs: plots, tables, a page and data files; nothing here measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from profiler.analysis.results import RunResults

__all__ = ["write_report"]


def write_report(results: RunResults, folder: Path, *, with_plots: bool = False) -> list[Path]:
    """Write the report of a run into a folder, which is created where it does not exist.

    Args:
        results: the run, as ``profiler.store.frames.load_run`` returns it.
        folder: where ``report.html``, ``measurements.csv``, ``walls.csv``, ``laws.csv`` and
            ``measurements.json`` go; files of an earlier report are replaced.
        with_plots: whether to draw the plots as PNG and SVG files, too.

    Returns:
        The paths of the written files, ``report.html`` first.
    """
    # Late: the command line imports this package, and needs pandas and matplotlib only here.
    from reports.pages.folder import write_folder

    return write_folder(results, folder, with_plots=with_plots)
