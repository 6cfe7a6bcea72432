"""The report folder of a run: the only place where reports write files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.analysis.results import RunResults
from profiler.paths import replace
from profiler.store.frames import frames
from reports.pages.exports import (
    json_text,
    laws_csv,
    measurements_csv,
    run_document,
    trade_offs_csv,
    walls_csv,
)
from reports.pages.page import report_page

if TYPE_CHECKING:
    from reports.plots.measurements import Plot

__all__ = ["write_folder"]


def write_folder(results: RunResults, folder: Path, *, with_plots: bool = False) -> list[Path]:
    """Write ``report.html``, the data of a run and its plots if asked for; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files(results, with_plots=with_plots):
        path = folder / name
        replace(path, content)  # two reports of a run may be written at once
        written.append(path)
    return written


def _files(results: RunResults, *, with_plots: bool) -> Iterator[tuple[str, bytes]]:
    yield "report.html", report_page(results).encode()
    loaded = frames(results)
    yield "measurements.csv", measurements_csv(loaded).encode()
    yield "walls.csv", walls_csv(loaded).encode()
    yield "laws.csv", laws_csv(results).encode()
    yield "trade_offs.csv", trade_offs_csv(results).encode()
    yield "measurements.json", json_text(run_document(results)).encode()
    if not with_plots:
        return
    # Late: a report without plots needs no matplotlib.
    from reports.plots.measurements import image

    for plot in _plots(results):
        yield f"{plot.name}.svg", image(plot.figure, "svg")
        yield f"{plot.name}.png", image(plot.figure, "png")


def _plots(results: RunResults) -> Iterator[Plot]:
    from reports.plots.frontier import frontier_plots
    from reports.plots.laws import law_plots
    from reports.plots.measurements import plots
    from reports.plots.memory import explaining_plots
    from reports.plots.pareto import pareto_plots

    for make in (plots, frontier_plots, law_plots, pareto_plots):
        yield from make(results)
    for explaining in explaining_plots(results).values():
        yield from explaining
