"""Progress on stderr: the current point, a bar, elapsed and remaining time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from profiler.cli import terminal
from profiler.facts import Measurement
from profiler.lengths import counted
from profiler.measure.runner import Runner

_SHOW_AFTER_S = 2.0


class Reporter:
    """Tells the user what goes on; thread-safe, silent if nothing takes over two seconds."""

    def __init__(self, progress: Progress | None, *, verbose: bool) -> None:
        """Report to a bar, or to none."""
        self._progress = progress
        self._verbose = verbose
        self._task = progress.add_task("", total=None) if progress else None

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` parts."""
        if self._progress and self._task is not None:
            self._progress.reset(self._task, total=total, description=text)

    def doing(self, text: str) -> None:
        """Say what is being done now."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=text)

    def done(self, text: str, parts: int = 1) -> None:
        """Count parts of the stage as done."""
        if self._progress and self._task is not None:
            self._progress.advance(self._task, parts)
        if self._verbose:
            self.line(text)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        if self._progress:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            terminal.tell(text)


def reporting(report: Reporter, **parts: Any) -> Runner:
    """Return a runner (``parts``: its client, store, run and hooks) that reports its points."""
    return Runner(
        on_start=lambda p: report.doing(f"{p.scenario}, {counted(p.steps, p.axis)}"),
        on_measurement=lambda m: report.done(_line(m)),
        on_skip=lambda p: report.done(f"{p.scenario} {p.steps}: skipped, fewer ran out of memory"),
        **parts,
    )


def _line(measurement: Measurement) -> str:
    point, end = measurement.point, measurement.outcome
    why = f" ({end.reason})" if end.reason else ""
    return f"{point.scenario} {point.steps}: {end.status.value} in {measurement.seconds:.1f} s{why}"


@contextlib.contextmanager
def reporter(*, quiet: bool, verbose: bool) -> Iterator[Reporter]:
    """Open the progress display, shown once the work has taken two seconds."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield Reporter(None, verbose=verbose and not quiet)
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("· left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    late = threading.Timer(_SHOW_AFTER_S, progress.start)
    late.daemon = True
    late.start()
    try:
        yield Reporter(progress, verbose=verbose)
    finally:
        late.cancel()
        progress.stop()
