"""Progress on stderr: what is measured now, how many of how many, and the time to go."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from profiler.cli import terminal
from profiler.cli.time_to_go import TimeToGo, left_text
from profiler.facts import Measurement, Point
from profiler.lengths import counted
from profiler.measure.runner import Runner
from profiler.plain_text import encodable, one_line

_SHOW_AFTER_S = 2.0
# Where stderr is no terminal, a line so often.
_LINE_EVERY_S = 60.0
_BAR_FROM = 60


class Reporter:
    """Tells the user what goes on; thread-safe, silent if nothing takes over two seconds."""

    def __init__(
        self,
        progress: Progress | None,
        *,
        verbose: bool,
        lines: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Report to a bar, or to none; ``lines``: a line at times where there is none."""
        self._progress = progress
        self._verbose = verbose
        self._lines = lines
        self._clock = clock
        self._lock = threading.Lock()
        self._last_line = clock()
        self._task = progress.add_task("", total=None, left="") if progress else None
        self._begin("", None, (), 1)

    def _begin(self, text: str, total: int | None, points: Sequence[Point], at_once: int) -> None:
        self._text, self._total, self._done = text, total, 0
        self._began = self._clock()
        self._started: dict[str, float] = {}
        self._at_once = at_once
        self._to_go = TimeToGo(points) if points else None

    def stage(
        self,
        text: str,
        total: int | None = None,
        *,
        points: Sequence[Point] = (),
        at_once: int = 1,
    ) -> None:
        """Begin a stage of ``total`` parts, or of these points, so many of them at once."""
        with self._lock:
            self._begin(text, len(points) or total, points, at_once)
            if self._progress and self._task is not None:
                self._progress.reset(self._task, total=self._total, description=self._shown(text))
                self._progress.update(self._task, left="")

    def doing(self, text: str, point: Point | None = None) -> None:
        """Say what is being done now."""
        with self._lock:
            if point is not None:
                self._started.setdefault(point.key, self._clock())
            self._text = text
            self._tell()

    def done(
        self, text: str, parts: int = 1, *, point: Point | None = None, skipped: bool = False
    ) -> None:
        """Count parts of the stage, or a point of it, as done."""
        with self._lock:
            self._done += parts
            if point is not None and self._to_go is not None:
                began = self._started.get(point.key)
                took = None if skipped or began is None else self._clock() - began
                self._to_go.done(point, took)
            if self._progress and self._task is not None:
                self._progress.advance(self._task, parts)
            self._tell()
        if self._verbose:
            self.line(text)

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        if self._progress:
            self._progress.console.print(self._shown(text), markup=False, highlight=False)
        else:
            terminal.tell(text)

    @property
    def left(self) -> str:
        """The time to go in this stage, in words; empty where nothing is known of it."""
        if self._to_go is not None:
            return left_text(self._to_go.seconds(self._at_once))
        if not self._total or not self._done:
            return ""
        took = self._clock() - self._began
        return left_text(took / self._done * max(0, self._total - self._done))

    def _tell(self) -> None:
        if self._progress and self._task is not None:
            self._progress.update(self._task, description=self._shown(self._text), left=self.left)
        elif self._lines and self._clock() - self._last_line >= _LINE_EVERY_S:
            self._last_line = self._clock()
            of = f"{self._done} of {self._total} done" if self._total else ""
            terminal.warn(", ".join(filter(None, (self._text, of, self.left))))

    def _shown(self, text: str) -> str:
        assert self._progress is not None  # noqa: S101 (only called where there is one)
        return encodable(one_line(text), self._progress.console.encoding)


def reporting(report: Reporter, **parts: Any) -> Runner:
    """Return a runner (``parts``: its client, store, run and hooks) that reports its points."""
    return Runner(
        on_start=lambda p: report.doing(f"{p.scenario}, {counted(p.steps, p.axis)}", p),
        on_measurement=lambda m: report.done(_line(m), point=m.point),
        on_skip=lambda p: report.done(
            f"{p.scenario} {p.steps}: skipped, fewer ran out of memory", point=p, skipped=True
        ),
        **parts,
    )


def _line(measurement: Measurement) -> str:
    point, end = measurement.point, measurement.outcome
    why = f" ({end.reason})" if end.reason else ""
    return f"{point.scenario} {point.steps}: {end.status.value} in {measurement.seconds:.1f} s{why}"


@contextlib.contextmanager
def reporter(*, quiet: bool, verbose: bool) -> Iterator[Reporter]:
    """Open the progress display, shown once the work has taken two seconds."""
    console = Console(stderr=True, emoji=False)
    if quiet or not console.is_terminal:
        yield Reporter(None, verbose=verbose and not quiet, lines=not quiet)
        return
    is_wide = console.width >= _BAR_FROM
    progress = Progress(
        # What is measured gives way to the numbers where the terminal is narrow.
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        *([BarColumn(bar_width=16)] if is_wide else []),
        MofNCompleteColumn(),
        *([TimeElapsedColumn()] if is_wide else []),
        TextColumn("{task.fields[left]}", markup=False, table_column=Column(no_wrap=True)),
        console=console,
        transient=True,
        expand=True,
    )
    late = threading.Timer(_SHOW_AFTER_S, progress.start)
    late.daemon = True
    late.start()
    try:
        yield Reporter(progress, verbose=verbose)
    finally:
        late.cancel()
        progress.stop()
