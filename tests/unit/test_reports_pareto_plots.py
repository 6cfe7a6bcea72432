"""The plot of choices: a mark for each build, labels that can be read, and honest marks."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import report_samples as samples
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from profiler.analysis.crossover.choices import choices
from profiler.analysis.series import curves
from profiler.facts import WallStatus
from profiler.store.frames import LoadedRun
from reports.plots import look
from reports.plots.measurements import image
from reports.plots.pareto import Panel, pareto_figure, pareto_plots

KIB, MIB = samples.KIB, samples.MIB
# Two times that no noise in them can explain: a step of the loop takes 1.4 times as long.
PACES = (0.98, 1.0, 1.03)


def _figure(loaded: LoadedRun) -> Figure:
    (plot,) = pareto_plots(loaded)
    return plot.figure


@functools.cache
def _large() -> Figure:
    return _figure(samples.large())


@functools.cache
def _repeated() -> Figure:
    return _figure(_repeats())


def _repeats() -> LoadedRun:
    """Return static_rnn and dynamic_rnn at 8 to 256 steps, three times each."""
    loaded = samples.contrast()
    points = [
        replace(
            one,
            point=replace(one.point, repeat=repeat),
            time=replace(one.time, step_s=(one.time.step_s or 0) * pace),
        )
        for one in loaded.run.measurements
        for repeat, pace in enumerate(PACES)
        if one.time
    ]
    return samples.loaded(points, loaded.run.walls)


def _marks(axes: Axes) -> list[Line2D]:
    return [line for line in axes.get_lines() if line.get_markersize() == 9]


def _place(line: Line2D) -> tuple[float, float]:
    ((x, y),) = np.asarray(line.get_xydata()).tolist()
    return x, y


def _labels(axes: Axes) -> list[Annotation]:
    """Return the texts beside marks: neither limits nor the lines that lead to a text."""
    texts = [text for text in axes.texts if isinstance(text, Annotation)]
    return [text for text in texts if text.get_text() and not text.get_rotation()]


def _all_labels(figure: Figure) -> Iterator[tuple[Axes, list[Annotation]]]:
    figure.draw_without_rendering()
    yield from ((axes, _labels(axes)) for axes in figure.axes)


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


def test_labels_overlap_neither_each_other_nor_a_mark() -> None:
    """Twelve builds, some of them in nearly the same place."""
    for axes, labels in _all_labels(_large()):
        boxes = [label.get_window_extent() for label in labels]
        spots = [axes.transData.transform(_place(line)) for line in _marks(axes)]

        assert len(labels) == len(spots)
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert not any(box.contains(x, y) for box in boxes for x, y in spots)


def test_builds_in_one_place_can_be_told_apart() -> None:
    """Five marks on each other: five labels, apart, led to by a line."""
    names = ("one", "two", "three", "four", "five")
    points = [samples.measured(name, n) for name in names for n in samples.DOUBLED]
    ((_, labels),) = _all_labels(_figure(samples.loaded(points)))
    boxes = [label.get_window_extent() for label in labels]

    assert {label.get_text().split(",")[0] for label in labels} == set(names)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_labels_stay_inside_the_axes() -> None:
    """None is cut off at the edge."""
    for axes, labels in _all_labels(_large()):
        frame = axes.get_window_extent().padded(1)
        corners = [c for label in labels for c in label.get_window_extent().corners().tolist()]

        assert all(frame.contains(x, y) for x, y in corners)


def test_a_label_names_the_verdict_and_the_wall() -> None:
    """Both are worth choosing; their walls were proven."""
    texts = [label.get_text() for label in _labels(_repeated().axes[0])]

    assert sorted(texts) == [
        "dynamic_rnn, Pareto-optimal\nwall 980 steps under 64 MiB",
        "static_rnn, Pareto-optimal\nwall 650 steps under 64 MiB",
    ]


def test_the_line_joins_the_optimal_builds() -> None:
    """From the smallest to the fastest."""
    front = _repeated().axes[0].get_lines()[0]
    x, y = np.asarray(front.get_xydata()).T.tolist()

    assert x == pytest.approx([MIB + 256 * 64 * KIB, MIB + 256 * 96 * KIB])
    assert y == pytest.approx([0.0256 * 1.4, 0.0256])


def test_unknown_noise_is_said_and_not_joined() -> None:
    """One repeat at one length proves nothing."""
    loaded = samples.loaded([samples.measured("a"), samples.measured("b")])
    axes = _figure(loaded).axes[0]

    assert [text.get_text() for text in _labels(axes)] == [
        "a, Pareto-optimal?",
        "b, Pareto-optimal?",
    ]
    assert np.asarray(axes.get_lines()[0].get_xydata()).size == 0


def test_a_limit_in_range_is_a_line() -> None:
    """64 MiB, where stacked_static needs 66; far from what the other family needs."""
    builds, shapes = _large().axes

    assert [t.get_text() for t in shapes.texts if t.get_text() == "limit 64 MiB"]
    assert not [t.get_text() for t in builds.texts if t.get_text() == "limit 64 MiB"]


def test_a_limit_runs_through_no_label() -> None:
    """The line stays whole, and the texts can be read."""
    for axes, labels in _all_labels(_large()):
        x = axes.transData.transform((64 * MIB, 0))[0]

        assert not any(box.x0 < x < box.x1 for box in (t.get_window_extent() for t in labels))


def test_what_was_not_run_is_hollow() -> None:
    """A mark that a law set looks unlike one that was measured."""
    run = _repeats().run
    found = curves(run)

    def drawn(steps: int) -> tuple[str, set[str]]:
        panel = Panel(title="t", steps=steps, builds=tuple(choices(found, steps=steps)))
        (axes,) = pareto_figure([panel]).axes
        faces = {str(line.get_markerfacecolor()) for line in _marks(axes)}
        return axes.get_title(loc="left"), faces

    assert drawn(100) == ("t at 100 steps (hollow: not run, by its law)", {"white"})
    assert drawn(256) == ("t at 256 steps", {look.style_of(0)["color"], "white"})


def test_a_build_without_a_time_keeps_the_others_colours() -> None:
    """The third build looks as in every other plot, though the second has no mark."""
    found = curves(_repeats().run)
    (static, dynamic) = choices(found, steps=256)
    untimed = replace(static, label="untimed", readings={})
    panel = Panel(title="t", steps=256, builds=(static, untimed, dynamic))
    colours = [line.get_color() for line in _marks(pareto_figure([panel]).axes[0])]

    assert colours == [look.style_of(0)["color"], look.style_of(2)["color"]]


@pytest.mark.parametrize(
    "loaded",
    [
        samples.loaded(),
        samples.loaded([], [samples.wall()]),
        samples.loaded([samples.measured("alone")]),
        samples.loaded([samples.measured("a", 8), samples.measured("b", 16)]),
    ],
    ids=["nothing", "a wall alone", "one build", "no common length"],
)
def test_nothing_to_choose_is_no_plot(loaded: LoadedRun) -> None:
    """Two builds at one length are the fewest."""
    assert pareto_plots(loaded) == []


def test_an_unproven_wall_is_no_number() -> None:
    """Its label says so."""
    walls = [samples.wall("static_rnn", 244, status=WallStatus.UNPROVEN)]
    run = samples.contrast().run
    texts = [t.get_text() for t in _figure(samples.loaded(run.measurements, walls)).axes[0].texts]

    assert any("wall not proven" in text for text in texts)
    assert not any("244" in text for text in texts)


def test_an_image_is_the_same_every_time() -> None:
    """Equal data gives equal files."""
    first, second = (image(_figure(samples.contrast()), "svg") for _ in range(2))

    assert first == second
