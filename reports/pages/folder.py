"""The report folder of a run: the only place where reports write files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from profiler.store.frames import LoadedRun
from reports.pages.exports import json_text, laws_csv, measurements_csv, run_document, walls_csv
from reports.pages.page import Picture, Pictures, page, render
from reports.plots.laws import law_plots
from reports.plots.measurements import Plot, image, plots
from reports.plots.memory import explaining_plots
from reports.plots.pareto import pareto_plots

__all__ = ["write_folder"]


def write_folder(loaded: LoadedRun, folder: Path) -> list[Path]:
    """Write ``report.html``, the plots and the data of a run, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _files(loaded):
        path = folder / name
        path.write_bytes(content)
        written.append(path)
    return written


def _files(loaded: LoadedRun) -> Iterator[tuple[str, bytes]]:
    drawn = _drawn(plots(loaded))
    explaining = {name: _drawn(found) for name, found in explaining_plots(loaded).items()}
    shown = {name: _pictures(found) for name, found in explaining.items()}
    laws = _drawn(law_plots(loaded))
    choices = _drawn(pareto_plots(loaded))
    pictures = Pictures(
        whole=_pictures(drawn),
        laws=_pictures(laws),
        choices=_pictures(choices),
        explaining=shown,
    )
    yield "report.html", render(page(loaded), pictures).encode()
    yield "measurements.csv", measurements_csv(loaded).encode()
    yield "walls.csv", walls_csv(loaded).encode()
    yield "laws.csv", laws_csv(loaded).encode()
    yield "measurements.json", json_text(run_document(loaded.run)).encode()
    for plot, svg in chain(drawn, laws, choices, *explaining.values()):
        yield f"{plot.name}.svg", svg
        yield f"{plot.name}.png", image(plot.figure, "png")


def _drawn(found: Iterable[Plot]) -> list[tuple[Plot, bytes]]:
    return [(plot, image(plot.figure, "svg")) for plot in found]


def _pictures(drawn: Iterable[tuple[Plot, bytes]]) -> list[Picture]:
    return [
        Picture(name=plot.name, title=plot.title, caption=plot.caption, svg=svg)
        for plot, svg in drawn
    ]
