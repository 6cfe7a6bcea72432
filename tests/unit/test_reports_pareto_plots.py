"""The plot of choices: a mark and an entry in the legend for each build."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import report_samples as samples
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.crossover.costs import build_costs
from profiler.analysis.results import RunResults
from profiler.analysis.series import metric_series
from profiler.facts import WallStatus, replace
from reports.plots import look
from reports.plots.measurements import image
from reports.plots.pareto import ParetoPanel, pareto_figure, pareto_plots

KIB, MIB = samples.KIB, samples.MIB
# Two times that no noise in them can explain: a step of the loop takes 1.4 times as long.
PACES = (0.98, 1.0, 1.03)


def _figure(results: RunResults) -> Figure:
    (plot,) = pareto_plots(results)
    return plot.figure


@functools.cache
def _large() -> Figure:
    return _figure(samples.large())


@functools.cache
def _repeated() -> Figure:
    return _figure(_repeats())


def _repeats() -> RunResults:
    """Return static_rnn and dynamic_rnn at 8 to 256 steps, three times each."""
    results = samples.contrast()
    points = [
        replace(
            one,
            point=replace(one.point, repeat=repeat),
            step=replace(one.step, median_s=one.step.median_s * pace),
        )
        for one in results.run.measurements
        for repeat, pace in enumerate(PACES)
        if one.step
    ]
    return samples.loaded(points, results.run.walls)


def _marks(axes: Axes) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_markersize() == 9]


def _place(line: Line2D) -> tuple[float, float]:
    ((x, y),) = np.asarray(line.get_xydata()).tolist()
    return x, y


def _labels(axes: Axes) -> list[str]:
    """Return the texts of the legend."""
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_each_family_has_a_panel_at_its_largest_common_length() -> None:
    """One build of the first family failed at 256 steps."""
    titles = [axes.get_title(loc="left") for axes in _large().axes]

    assert titles == ["builds at 128 steps", "shapes at 256 steps"]


def test_a_mark_stands_at_peak_and_time() -> None:
    """A MiB and 96 KiB per step; 0.1 ms per step."""
    static = _marks(_repeated().axes[0])[0]

    assert _place(static) == pytest.approx((MIB + 256 * 96 * KIB, 0.0256))


def test_marks_look_like_the_other_plots() -> None:
    """Colour and marker are those of the build's position in its family."""
    for axes in _large().axes:
        shown = [(line.get_color(), line.get_marker()) for line in _marks(axes)]
        styles = [look.style_of(at) for at in range(len(shown))]

        assert shown == [(style["color"], style["marker"]) for style in styles]


def test_bars_span_the_repeats() -> None:
    """From the fastest to the slowest."""
    (bars, *_) = [c for c in _repeated().axes[0].containers if hasattr(c, "has_yerr")]
    upright = bars[2][1].get_segments()[0]

    assert upright[:, 1].tolist() == pytest.approx([0.0256 * PACES[0], 0.0256 * PACES[2]])


def test_every_mark_has_its_entry_in_the_legend() -> None:
    """In the order of the builds, with the same marker; builds in one place, too."""
    names = ("one", "two", "three", "four", "five")
    points = [samples.measured(name, n) for name in names for n in samples.DOUBLED]
    (axes,) = _figure(samples.loaded(points)).axes
    legend = axes.get_legend()
    assert legend is not None

    assert [label.split(",")[0] for label in _labels(axes)] == list(names)
    markers = [str(line.get_marker()) for line in legend.get_lines()]
    assert markers == [str(line.get_marker()) for line in _marks(axes)]


def test_the_legends_leave_the_axes_their_room() -> None:
    """Twelve builds in two panels."""
    figure = _large()
    figure.draw_without_rendering()

    assert all(axes.get_position().width > 0.4 for axes in figure.axes)


def test_a_label_names_the_verdict_and_the_wall() -> None:
    """Both are worth choosing; their walls were proven."""
    assert _labels(_repeated().axes[0]) == [
        "static_rnn, Pareto-optimal\n   wall 650 steps under 64 MiB",
        "dynamic_rnn, Pareto-optimal\n   wall 980 steps under 64 MiB",
    ]


def test_the_line_joins_the_optimal_builds() -> None:
    """From the smallest to the fastest."""
    front = _repeated().axes[0].get_lines()[0]
    x, y = np.asarray(front.get_xydata()).T.tolist()

    assert x == pytest.approx([MIB + 256 * 64 * KIB, MIB + 256 * 96 * KIB])
    assert y == pytest.approx([0.0256 * 1.4, 0.0256])


def test_unknown_noise_is_said_and_not_joined() -> None:
    """One repeat at one length proves nothing."""
    results = samples.loaded([samples.measured("a"), samples.measured("b")])
    axes = _figure(results).axes[0]

    assert _labels(axes) == ["a, perhaps Pareto-optimal", "b, perhaps Pareto-optimal"]
    assert np.asarray(axes.get_lines()[0].get_xydata()).size == 0


def test_a_limit_in_range_is_a_line() -> None:
    """64 MiB, where stacked_static needs 66; far from what the other family needs."""
    builds, shapes = _large().axes

    assert [t.get_text() for t in shapes.texts if t.get_text() == "limit 64 MiB"]
    assert not [t.get_text() for t in builds.texts if t.get_text() == "limit 64 MiB"]


def test_what_was_not_run_is_hollow() -> None:
    """A mark that a law set looks unlike one that was measured."""
    run = _repeats().run
    found = metric_series(run)

    def drawn(steps: int) -> tuple[str, set[str]]:
        panel = ParetoPanel(title="t", steps=steps, builds=tuple(build_costs(found, steps=steps)))
        (axes,) = pareto_figure([panel]).axes
        faces = {str(line.get_markerfacecolor()) for line in _marks(axes)}
        return axes.get_title(loc="left"), faces

    assert drawn(100) == ("t at 100 steps (hollow: not run, by its law)", {"white"})
    assert drawn(256) == ("t at 256 steps", {look.style_of(0)["color"], "white"})


def test_a_build_without_a_time_keeps_the_others_colours() -> None:
    """The third build looks as in every other plot, though the second has no mark."""
    found = metric_series(_repeats().run)
    (static, dynamic) = build_costs(found, steps=256)
    untimed = dataclasses.replace(static, label="untimed", costs={})
    panel = ParetoPanel(title="t", steps=256, builds=(static, untimed, dynamic))
    colours = [line.get_color() for line in _marks(pareto_figure([panel]).axes[0])]

    assert colours == [look.style_of(0)["color"], look.style_of(2)["color"]]


@pytest.mark.parametrize(
    "results",
    [
        samples.loaded(),
        samples.loaded([], [samples.wall()]),
        samples.loaded([samples.measured("alone")]),
        samples.loaded([samples.measured("a", 8), samples.measured("b", 16)]),
    ],
    ids=["nothing", "a wall alone", "one build", "no common length"],
)
def test_nothing_to_choose_is_no_plot(results: RunResults) -> None:
    """Two builds at one length are the fewest."""
    assert pareto_plots(results) == []


def test_an_unproven_wall_is_no_number() -> None:
    """Its label says so."""
    walls = [samples.wall("static_rnn", 244, status=WallStatus.UNPROVEN)]
    run = samples.contrast().run
    texts = _labels(_figure(samples.loaded(run.measurements, walls)).axes[0])

    assert any("wall not proven" in text for text in texts)
    assert not any("244" in text for text in texts)


def test_an_image_is_the_same_every_time() -> None:
    """Equal data gives equal files."""
    first, second = (image(_figure(samples.contrast()), "svg") for _ in range(2))

    assert first == second
