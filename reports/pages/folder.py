"""The report folder of a run: the only place where reports write files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from profiler.analysis.results import RunResults
from profiler.store.frames import frames
from reports.pages.exports import json_text, laws_csv, measurements_csv, run_document, walls_csv
from reports.pages.page import Picture, Pictures, page, render
from reports.plots.frontier import frontier_plots
from reports.plots.laws import law_plots
from reports.plots.measurements import Plot, image, plots
from reports.plots.memory import explaining_plots
from reports.plots.pareto import pareto_plots

__all__ = ["write_folder"]


def write_folder(results: RunResults, folder: Path, *, with_plots: bool = False) -> list[Path]:
    """Write ``report.html``, the data of a run and its plots if asked for; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files(results, with_plots=with_plots):
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return written


def _files(results: RunResults, *, with_plots: bool) -> Iterator[tuple[str, bytes]]:
    drawn = _drawn(plots(results))
    explaining = {name: _drawn(found) for name, found in explaining_plots(results).items()}
    shown = {name: _pictures(found) for name, found in explaining.items()}
    frontier = _drawn(frontier_plots(results))
    laws = _drawn(law_plots(results))
    choices = _drawn(pareto_plots(results))
    pictures = Pictures(
        whole=_pictures(drawn),
        walls=_pictures(frontier),
        laws=_pictures(laws),
        choices=_pictures(choices),
        explaining=shown,
    )
    yield "report.html", render(page(results), pictures).encode()
    loaded = frames(results)
    yield "measurements.csv", measurements_csv(loaded).encode()
    yield "walls.csv", walls_csv(loaded).encode()
    yield "laws.csv", laws_csv(results).encode()
    yield "measurements.json", json_text(run_document(results.run)).encode()
    if not with_plots:
        return
    for plot, svg in chain(drawn, frontier, laws, choices, *explaining.values()):
        yield f"{plot.name}.svg", svg
        yield f"{plot.name}.png", image(plot.figure, "png")


def _drawn(found: Iterable[Plot]) -> list[tuple[Plot, bytes]]:
    return [(plot, image(plot.figure, "svg")) for plot in found]


def _pictures(drawn: Iterable[tuple[Plot, bytes]]) -> list[Picture]:
    return [
        Picture(name=plot.name, title=plot.title, caption=plot.caption, svg=svg)
        for plot, svg in drawn
    ]
