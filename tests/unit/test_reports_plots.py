"""Plots show every series, every failed point, units and limits."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
import report_samples as samples
from matplotlib import image as matplotlib_image
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.results import RunResults
from reports.plots.measurements import Plot, draw, image, plots
from reports.plots.specs import plot_specs


def _plot(results: RunResults, name: str) -> Plot:
    (spec,) = [one for one in plot_specs(results) if one.name == name]
    plot = draw(spec, results)
    assert plot is not None
    return plot


@functools.cache
def _large() -> dict[str, Plot]:
    return {plot.name: plot for plot in plots(samples.large())}


@functools.cache
def _contrast() -> dict[str, Plot]:
    return {plot.name: plot for plot in plots(samples.contrast())}


def _tick_texts(figure: Figure, axis: str) -> list[str]:
    figure.draw_without_rendering()
    axes = figure.axes[0]
    ends = axes.get_xlim() if axis == "x" else axes.get_ylim()
    labels = axes.get_xticklabels() if axis == "x" else axes.get_yticklabels()
    places = [label.get_position()[axis == "y"] for label in labels]
    shown = zip(labels, places, strict=True)
    return [label.get_text() for label, at in shown if ends[0] <= at <= ends[1]]


def _points(line: Line2D) -> list[tuple[float, float]]:
    return [(x, y) for x, y in np.asarray(line.get_xydata()).tolist()]


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def _markers(axes: Axes) -> list[str]:
    return [str(line.get_marker()) for line in axes.get_lines()]


def test_a_whole_run_has_five_plots() -> None:
    """Graph, building, device memory, host memory and the step each have one."""
    assert list(_large()) == [
        "nodes",
        "build_time",
        "device_memory",
        "host_memory",
        "step_time",
    ]


def test_each_family_has_its_own_row() -> None:
    """Two families, forward and backward: four axes."""
    titles = [axes.get_title(loc="left") for axes in _large()["nodes"].figure.axes]

    assert titles == ["builds: forward", "builds: backward", "shapes: forward", "shapes: backward"]


def test_the_lines_are_the_measured_values() -> None:
    """A line's data is the closed form of the sample."""
    forward = _contrast()["nodes"].figure.axes[0]
    static = forward.get_lines()[0]

    assert _points(static) == [(t, (40 + 17 * t) // 3) for t in samples.DOUBLED]


def test_every_series_looks_different() -> None:
    """Eight series differ in colour, marker and dashes taken together."""
    axes = _large()["step_time"].figure.axes[1]
    lines = axes.get_lines()[:8]
    looks = {(str(line.get_color()), str(line.get_marker())) for line in lines}

    assert len(looks) == 8


def test_a_line_under_another_is_drawn_wider() -> None:
    """Series with equal values stay visible around each other."""
    results = samples.loaded(
        samples.measured(name, steps) for name in ("a", "b", "c") for steps in (8, 16)
    )
    widths = [line.get_linewidth() for line in _plot(results, "nodes").figure.axes[0].get_lines()]

    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_failed_points_are_marked_and_explained() -> None:
    """Running out of memory and crashing have marks of their own, and legend entries."""
    builds, shapes = _large()["step_time"].figure.axes

    assert "X" in _markers(builds)
    assert "P" in _markers(shapes)
    assert "ran out of device memory" in _legend(builds)
    assert "failed: crashed" in _legend(shapes)


def test_a_failed_point_without_a_value_stands_at_the_edge() -> None:
    """A series of which nothing ended well is still seen."""
    results = samples.loaded(
        [samples.measured("good"), samples.failed(samples.measured("bad", 16), samples.CRASH)]
    )
    axes = _plot(results, "step_time").figure.axes[0]
    mark = next(line for line in axes.get_lines() if line.get_marker() == "P")

    assert _points(mark) == [(16, 0.03)]
    assert mark.get_transform() == axes.get_xaxis_transform()


def test_steps_are_plain_numbers() -> None:
    """Doubled steps are labelled 8, 16, 32, not as powers."""
    texts = _tick_texts(_contrast()["nodes"].figure, "x")

    assert texts == [str(t) for t in samples.DOUBLED]


def test_memory_has_binary_units_at_the_ticks() -> None:
    """A byte axis reads in KiB and MiB."""
    texts = _tick_texts(_contrast()["device_memory"].figure, "y")

    assert texts
    assert all(text.endswith(("KiB", "MiB")) for text in texts)


def test_repeats_are_a_band_around_their_median() -> None:
    """Repeats that differ show their range."""
    first, second = samples.measured(), samples.measured(repeat=1)
    slower = samples.with_step(second, 1.0)
    axes = _plot(samples.loaded([first, slower]), "step_time").figure.axes[0]

    assert [c for c in axes.collections if isinstance(c, PolyCollection)]


def test_nothing_measured_is_no_plot() -> None:
    """No data gives no empty frames."""
    lost = samples.failed(samples.measured(), built=False)

    assert plots(samples.loaded()) == []
    assert plots(samples.loaded([lost])) == []


def test_a_quantity_that_nothing_has_takes_no_room() -> None:
    """A run of walls alone has the peak, and no empty axes for backprop memory beside it."""
    figure = _plot(samples.loaded([], [samples.wall()]), "device_memory").figure

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["builds: device peak"]


def test_an_axes_without_values_says_so() -> None:
    """A family without what another one has is not an empty frame without a word."""
    results = samples.loaded([samples.measured("a", family="first")], [samples.wall("b")])
    empty = next(
        axes
        for axes in _plot(results, "device_memory").figure.axes
        if axes.get_title(loc="left") == "builds: backprop memory"
    )

    assert [text.get_text() for text in empty.texts] == ["not measured"]


def test_an_image_is_the_same_every_time() -> None:
    """Equal data gives equal files."""
    first, second = (_plot(samples.contrast(), "nodes") for _ in range(2))

    assert image(first.figure, "svg") == image(second.figure, "svg")


def test_a_png_has_150_dots_per_inch() -> None:
    """The width of 10.5 inches is 1,575 pixels."""
    plot = _contrast()["nodes"]
    pixels = matplotlib_image.imread(io.BytesIO(image(plot.figure, "png")))

    assert pixels.shape[1] == 10.5 * 150


def test_panels_side_by_side_have_one_kind_of_steps_axis() -> None:
    """Walls lie anywhere: they must not straighten the axis of their panel alone."""
    found = dict(zip("abcdefgh", (96, 108, 132, 133, 153, 179, 200, 281), strict=True))
    points = [samples.measured(name, steps) for name in found for steps in samples.DOUBLED]
    walls = [samples.wall(name, steps) for name, steps in found.items()]
    plot = _plot(samples.loaded(points, walls), "device_memory")

    assert [axes.get_xscale() for axes in plot.figure.axes] == ["log", "log"]


@pytest.mark.parametrize("length", [80, 300, 3000])
@pytest.mark.parametrize("name", ["nodes", "device_memory", "step_time"])
def test_a_name_that_is_longer_than_the_figure_leaves_the_axes_room(name: str, length: int) -> None:
    """Its middle is left out; nothing is warned of."""
    names = [letter * length for letter in "ab"]
    points = [
        samples.measured(one, steps, family="f" * length) for one in names for steps in (8, 16)
    ]
    walls = [samples.wall(one) for one in names]
    figure = _plot(samples.loaded(points, walls), name).figure
    image(figure, "svg")
    axes = figure.axes[0]

    assert axes.get_position().width > 0.15
    assert any("aaa…aaa" in text for text in _legend(figure.axes[-1]))
