"""Figures for a paper: nothing overlaps or is cut off, and every number is beside them."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import report_samples as samples
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from report_samples import EXPLANATION

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from profiler.errors import UsageError
from profiler.facts import Remedy, replace
from reports.plots.growth import groups, growth
from reports.plots.law_panels import metric_panels
from reports.plots.remedies import remedies
from reports.plots.roles import roles
from reports.plots.sheet import Drawing, Sheet, inches
from reports.plots.walls import walls

MILLIMETRES = 25.4
Maker = Callable[[Sheet], Drawing | None]
SHEETS = [Sheet(width=3.5), Sheet(width=7.16, font=10)]
LONG = "a_scenario_with_an_extraordinarily_long_name_of_someone"


def named(results: RunResults, old: str, new: str) -> RunResults:
    """Return a run of which one scenario has another name."""
    run = results.run

    def point(one: object) -> object:
        return replace(one, scenario=new) if one.scenario == old else one  # type: ignore[attr-defined, type-var]

    return RunResults(
        replace(
            run,
            measurements=[replace(m, point=point(m.point)) for m in run.measurements],
            walls=[point(wall) for wall in run.walls],
        )
    )


def explained() -> RunResults:
    """Return a run with a step that is explained at three lengths, and remedies."""
    tried = [
        Remedy(name="batch=16", steps=200, before_bytes=1000, peak_bytes=600),
        Remedy(name="cell=lstm", steps=200, before_bytes=1000, reason="it failed"),
    ]
    return samples.loaded(
        [
            replace(
                samples.measured(steps=n),
                trace=replace(EXPLANATION, steps=n, remedies=tried if n == 64 else []),
            )
            for n in (8, 16, 64)
        ]
    )


def makers() -> dict[str, Maker]:
    """Return every kind of figure."""
    both = samples.contrast()
    long = named(both, "static_rnn", LONG)
    metrics = [BY_NAME[name] for name in ("nodes", "build_time", "peak")]
    band = samples.loaded([], [samples.band(), samples.wall()])
    return {
        "growth": lambda sheet: growth(both, metrics, sheet, predicted=True),
        "long names": lambda sheet: growth(long, metrics, sheet, predicted=False),
        "walls": lambda sheet: walls(both, sheet),
        "walls, long names": lambda sheet: walls(long, sheet),
        "band": lambda sheet: walls(band, sheet),
        "areas": lambda sheet: roles(explained(), sheet),
        "trade-offs": lambda sheet: remedies(long, sheet, pareto=False),
        "pareto": lambda sheet: remedies(long, sheet, pareto=True),
        "tried": lambda sheet: remedies(explained(), sheet, pareto=False),
    }


def texts(figure: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return every text that is drawn, and its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    found = []
    for one in figure.findobj(Text):
        # Ticks beyond the ends of an axis are not drawn.
        if one.get_visible() and one.get_text().strip() and one.axes is not None:
            box = one.get_window_extent(renderer)
            place = one.axes.get_window_extent(renderer)
            is_tick = one in [*one.axes.get_xticklabels(), *one.axes.get_yticklabels()]
            outside = is_tick and not (
                place.x0 - 1 <= (box.x0 + box.x1) / 2 <= place.x1 + 1
                or place.y0 - 1 <= (box.y0 + box.y1) / 2 <= place.y1 + 1
            )
            if not outside and one.axes.axison:
                found.append((one.get_text(), (box.x0, box.y0, box.x1, box.y1)))
    for axes in figure.axes:
        legend = axes.get_legend()
        for one in legend.get_texts() if legend is not None else ():
            box = one.get_window_extent(renderer)
            found.append((one.get_text(), (box.x0, box.y0, box.x1, box.y1)))
    return found


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Return whether two boxes share more than a pixel."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return across > 1 and up > 1


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: f"{sheet.width:g}in-{sheet.font:g}pt")
@pytest.mark.parametrize("kind", makers())
def test_no_text_overlaps_another_or_leaves_the_figure(kind: str, sheet: Sheet) -> None:
    """At the width of a column and of a page, with small letters and large ones."""
    drawing = makers()[kind](sheet)
    assert drawing is not None
    with sheet.look():
        found = texts(drawing.figure)
        width, height = drawing.figure.bbox.size

    cut = [text for text, box in found if box[0] < -1 or box[2] > width + 1]
    cut += [text for text, box in found if box[1] < -1 or box[3] > height + 1]
    both = [
        (a, b) for (a, one), (b, other) in itertools.combinations(found, 2) if overlap(one, other)
    ]
    assert cut == []
    assert both == []


def test_a_figure_has_the_width_that_was_asked_for() -> None:
    """And the height, where one was."""
    drawing = walls(samples.contrast(), Sheet(width=3.25, height=2.5))

    assert drawing is not None
    assert drawing.figure.get_size_inches().tolist() == [3.25, 2.5]


def test_a_figure_that_is_too_small_is_refused() -> None:
    """An empty picture would be no answer; the height that would do is told."""
    with pytest.raises(UsageError, match=r"too small .* --height \d") as raised:
        growth(samples.contrast(), [BY_NAME["peak"]], Sheet(height=1.0, font=12), predicted=True)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "length"),
    [("single", 3.5), ("89mm", 89 / MILLIMETRES), ("8.9 cm", 8.9 / 2.54), ("252pt", 3.5), ("4", 4)],
)
def test_lengths_are_read_in_the_units_of_journals(text: str, length: float) -> None:
    """Or by the name of a column."""
    assert inches(text, "--width") == pytest.approx(length)


@pytest.mark.parametrize("text", ["", "wide", "3 ft", "-3in", "0.2in", "400cm", "nan", "1e3"])
def test_other_lengths_are_refused_in_one_line(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(UsageError, match="give 1 to 40 inches") as raised:
        inches(text, "--width")

    assert "\n" not in str(raised.value)


def test_letters_of_a_pdf_are_embedded_as_truetype() -> None:
    """Journals refuse Type 3 fonts."""
    sheet = Sheet()
    drawing = walls(samples.contrast(), sheet)
    assert drawing is not None
    content = sheet.saved(drawing.figure, "pdf")
    parts = [content]
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            parts.append(zlib.decompress(found[1]))
        except zlib.error:
            continue
    whole = b"".join(parts)

    assert b"/FontFile2" in whole
    assert b"/Type3" not in whole
    again = walls(samples.contrast(), sheet)
    assert again is not None
    assert content == sheet.saved(again.figure, "pdf")


def test_a_dollar_in_a_name_is_no_formula() -> None:
    """Nor does a broken one end the command."""
    results = named(samples.contrast(), "static_rnn", r"cost$\frac{$x_")
    sheet = Sheet()
    drawing = walls(results, sheet)

    assert drawing is not None
    assert sheet.saved(drawing.figure, "svg").startswith(b"<?xml")


def test_lines_that_coincide_are_one_and_named_together() -> None:
    """Equal at every length; one that is less than half a percent off is said to be near."""
    points = [
        samples.measured(name, steps=n, kib_per_step=96.0 * factor)
        for name, factor in (("a", 1.0), ("b", 1.0), ("c", 1.004), ("d", 1.1))
        for n in samples.DOUBLED
    ]
    (panel,) = metric_panels(samples.loaded(points), BY_NAME["backprop"])
    equal = dataclasses.replace(panel, lines=panel.lines[:2])

    assert [group.text for group in groups(panel)] == ["a, b, c (within 0.5 %)", "d"]
    assert [group.text for group in groups(equal)] == ["a, b (equal)"]


def rows(drawing: Drawing | None) -> list[dict[str, str]]:
    """Return the numbers beside a figure."""
    assert drawing is not None
    return list(csv.DictReader(io.StringIO(drawing.table)))


def test_the_numbers_of_growth_are_beside_it() -> None:
    """Each that was measured, the law at its length, and what is predicted with its interval."""
    found = rows(growth(samples.contrast(), [BY_NAME["nodes"]], Sheet(), predicted=True))
    mine = [row for row in found if row["label"] == "static_rnn"]
    measured = {int(row["x"]): float(row["value"]) for row in mine if row["kind"] == "measured"}

    assert measured == {n: 40 + 17 * n for n in samples.DOUBLED}
    assert {row["kind"] for row in mine} == {"measured", "law", "predicted"}
    assert {(row["unit"], row["x_unit"]) for row in mine} == {("nodes", "steps")}


def test_the_numbers_of_a_wall_are_beside_it() -> None:
    """Both ends and the prediction, in steps, under so many bytes."""
    found = rows(walls(samples.contrast(), Sheet()))
    mine = {row["kind"]: row for row in found if row["label"] == "static_rnn"}

    assert {kind: float(row["value"]) for kind, row in mine.items()} == {
        "survives": 650,
        "runs out": 651,
        "predicted": 647,
    }
    assert mine["survives"]["x"] == str(64 * samples.MIB)


def test_the_numbers_of_roles_add_up_to_the_peak() -> None:
    """At each length."""
    found = rows(roles(explained(), Sheet()))
    sums = {n: sum(int(row["value"]) for row in found if int(row["x"]) == n) for n in (8, 16, 64)}

    assert set(sums.values()) == {sum(EXPLANATION.by_role.values())}


def test_nothing_to_draw_is_told() -> None:
    """Empty runs have no figure."""
    empty = samples.loaded()

    assert growth(empty, [BY_NAME["nodes"]], Sheet(), predicted=True) is None
    assert walls(empty, Sheet()) is None
    assert roles(empty, Sheet()) is None
    assert remedies(empty, Sheet(), pareto=False) is None


def test_a_style_file_is_applied(tmp_path: Path) -> None:
    """Its colours, too; but names stay no LaTeX."""
    path = tmp_path / "paper.mplstyle"
    path.write_text("text.usetex: True\naxes.prop_cycle: cycler('color', ['ff0000', '00ff00'])\n")
    sheet = Sheet(style=str(path))
    drawing = walls(samples.contrast(), sheet)

    assert sheet.style_of(1)["color"].strip("#") == "00ff00"
    assert drawing is not None
    assert sheet.saved(drawing.figure, "pdf").startswith(b"%PDF")


@pytest.mark.parametrize(
    "content", [None, b"no.such.key: 1\n", b"font.size: huge\n", b"\x00\xff\xfe"]
)
def test_a_style_that_cannot_be_used_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    """Also where matplotlib would only log it."""
    path = tmp_path / "bad.mplstyle"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match="--style ") as raised, Sheet(style=str(path)).look():
        pass

    assert "\n" not in str(raised.value)


def test_a_style_is_never_fetched() -> None:
    """Reports need no network."""
    with pytest.raises(UsageError, match="not a file"), Sheet(style="https://x/y.mplstyle").look():
        pass
