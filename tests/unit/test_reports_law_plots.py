"""The plots of laws show what was measured, the law, and only what may be predicted."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import report_samples as samples
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from profiler.analysis.metrics import BY_NAME, METRICS
from profiler.analysis.prediction import REACH
from profiler.analysis.results import RunResults
from profiler.facts import DeviceMemory, Measurement, replace
from reports.plots.laws import law_plot, law_plots
from reports.plots.measurements import Plot, image

STEPS = samples.DOUBLED
LAST = STEPS[-1]


def plot(results: RunResults, metric: str) -> Plot:
    """Return one plot."""
    found = law_plot(results, BY_NAME[metric])
    assert found is not None
    return found


def texts(axes: Axes) -> list[str]:
    """Return what is written into the axes."""
    return [text.get_text() for text in axes.texts]


def legend(axes: Axes) -> list[str]:
    """Return the texts of the legend."""
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def with_backprop(measurement: Measurement, count: int) -> Measurement:
    """Return the point whose step takes so many bytes."""
    memory = DeviceMemory(
        fed_bytes=0,
        resident_bytes=samples.MIB,
        steady_peak_bytes=samples.MIB + count,
        peak_bytes=samples.MIB + count,
    )
    return replace(measurement, device=memory)


def test_every_metric_that_follows_a_law_has_a_plot() -> None:
    """In the order of the metrics, with what was measured and how it is to be read."""
    found = law_plots(samples.contrast())

    assert [one.name for one in found] == [f"law_{metric.name}" for metric in METRICS]
    assert all("one measured repeat" in one.caption for one in found)


def test_a_run_of_one_length_has_no_plot() -> None:
    """Nothing grows."""
    assert law_plots(samples.loaded([samples.measured(steps=8)])) == []


def test_what_was_not_run_is_shaded_dashed_and_said_so() -> None:
    """To eight times the last length, in the plot, its legend and its caption."""
    found = plot(samples.contrast(), "nodes")
    (main,) = found.figure.axes
    beyond = [one for one in main.get_lines() if np.max(one.get_xdata()) > LAST]

    assert {float(np.max(one.get_xdata())) for one in beyond} == {REACH * LAST}
    assert {float(np.min(one.get_xdata())) for one in beyond} == {LAST}
    assert {one.get_linestyle() for one in beyond} == {"--"}
    assert texts(main) == ["predicted"]
    assert legend(main)[-1] == "continued: predicted"
    assert "nothing was run" in found.caption


def test_what_is_predicted_has_its_interval() -> None:
    """A band, which exact laws do not need."""
    points = [
        samples.with_step(samples.measured(steps=n), 0.001 * n * (1.01 if n in {16, 64} else 1))
        for n in STEPS
    ]
    noisy = plot(samples.loaded(points), "step_time").figure.axes[0]
    exact = plot(samples.loaded(points), "nodes").figure.axes[0]

    assert [one for one in noisy.collections if isinstance(one, PolyCollection)]
    assert not [one for one in exact.collections if isinstance(one, PolyCollection)]


@pytest.mark.parametrize("metric", ["backprop", "peak", "host"])
def test_memory_is_not_continued(metric: str) -> None:
    """Longer graphs may bend it; the caption names the command that knows."""
    found = plot(samples.contrast(), metric)

    assert "stepwall predict" in found.caption
    assert "nothing was run" not in found.caption
    assert "predicted" not in chain.from_iterable(map(texts, found.figure.axes))


def test_exact_laws_alone_have_no_axes_for_residuals() -> None:
    """There is nothing to show; beside another family, an empty one says so."""
    exact = [samples.measured("a", n) for n in STEPS]
    bent = [samples.measured("b", n, family="shapes") for n in STEPS]
    off = replace(bent[0], graph=samples.graph(40 + 17 * STEPS[0] + 5))
    alone = plot(samples.loaded(exact), "nodes").figure.axes
    mixed = plot(samples.loaded([*exact, off, *bent[1:]]), "nodes").figure.axes

    assert len(alone) == 1
    assert texts(mixed[1]) == ["every law is exact:\nno residual"]
    assert texts(mixed[3]) == []


def test_residuals_stand_beside_the_law() -> None:
    """A point that is a tenth above its line stands near a tenth."""
    points = [
        samples.with_step(samples.measured(steps=n), 0.001 * n * (1.1 if n == LAST // 2 else 1))
        for n in STEPS
    ]
    side = plot(samples.loaded(points), "step_time").figure.axes[1]
    drawn = [np.asarray(one.get_ydata()) for one in side.get_lines()]
    (shares,) = [each for each in drawn if len(each) > 2]

    assert shares.max() == pytest.approx(10, abs=4)


def test_rounding_does_not_fill_the_residuals() -> None:
    """Points that follow their law lie on the line of 0."""
    low, high = plot(samples.contrast(), "peak").figure.axes[1].get_ylim()

    assert (low, high) == (-0.1, 0.1)


def test_a_family_without_a_law_says_so_where_its_residuals_would_be() -> None:
    """Beside a family that has them."""
    tame = [
        samples.with_step(samples.measured("tame", n), 0.001 * n + 0.0001 * (n == 64))
        for n in STEPS
    ]
    wild = [
        samples.with_step(
            samples.measured("wild", n, family="shapes"), 0.01 if n in {16, 128} else 0.001
        )
        for n in STEPS
    ]
    axes = plot(samples.loaded([*tame, *wild]), "step_time").figure.axes

    assert texts(axes[3]) == ["no clear law"]
    assert texts(axes[1]) == []


def test_every_repeat_is_a_mark() -> None:
    """And the law is one line through them all."""
    points = [
        replace(samples.with_step(m, 0.001 * n * factor), point=replace(m.point, repeat=repeat))
        for n in STEPS
        for repeat, factor in enumerate((1.0, 1.01))
        for m in [samples.measured(steps=n)]
    ]
    main = plot(samples.loaded(points), "step_time").figure.axes[0]
    marks = [one for one in main.get_lines() if one.get_marker() == "o"]

    assert [len(np.asarray(one.get_xdata())) for one in marks] == [2 * len(STEPS)]


def test_points_without_a_clear_law_are_drawn_without_a_line() -> None:
    """Beside one that has a law, so that there is a plot."""
    wild = [
        samples.with_step(samples.measured("wild", n), 0.01 if n in {16, 128} else 0.001)
        for n in STEPS
    ]
    tame = [samples.with_step(samples.measured("tame", n), 0.001 * n) for n in STEPS]
    main, side = plot(samples.loaded([*wild, *tame]), "step_time").figure.axes
    colour = next(one.get_color() for one in main.get_lines() if one.get_marker() == "o")
    of_wild = [
        one for one in main.get_lines() if one.get_color() == colour and np.size(one.get_xydata())
    ]

    assert [one.get_linestyle() for one in of_wild] == ["None"]
    assert legend(side)[0] == "wild: no clear law"


def test_a_short_sweep_has_logarithmic_axes_too() -> None:
    """Three doubled lengths, none of them continued."""
    main = plot(samples.loaded([samples.measured(steps=n) for n in (8, 16, 32)]), "peak").figure
    axes = main.axes[0]

    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [tick for tick in axes.get_xticks() if 8 <= tick <= 32] == [8, 16, 32]


def test_a_law_below_zero_does_not_break_the_logarithmic_axis() -> None:
    """Its points are positive; the law falls below their shortest."""
    points = [
        samples.with_step(samples.measured(steps=n), max(0.001 * n - 0.009, 0.0002)) for n in STEPS
    ]
    found = plot(samples.loaded(points), "step_time")
    axes = found.figure.axes[0]
    lowest = min(
        float(np.min(one.get_ydata())) for one in axes.get_lines() if np.size(one.get_xdata())
    )

    assert image(found.figure, "png").startswith(b"\x89PNG")
    assert axes.get_yscale() == "log"
    assert lowest < 0 < axes.get_ylim()[0]


def test_a_value_of_zero_is_in_sight() -> None:
    """No logarithm holds it, so the axis is linear."""
    points = [with_backprop(samples.measured(steps=n), 1024 * (n - STEPS[0])) for n in STEPS]
    axes = plot(samples.loaded(points), "backprop").figure.axes[0]

    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0


def test_walls_stand_in_the_plot_of_the_peak() -> None:
    """Where they were found, on their limit."""
    found = plot(samples.contrast(), "peak")
    main = found.figure.axes[0]
    marks = {
        (float(np.asarray(drawn.get_xdata())[0]), float(np.asarray(drawn.get_ydata())[0]))
        for drawn in main.get_lines()
        if drawn.get_marker() == "D"
    }

    assert marks == {
        (float(wall.last_ok or 0), float(wall.limit_bytes)) for wall in samples.contrast().run.walls
    }
    assert texts(main) == ["limit 64 MiB"]
    assert "wall" in found.caption


def test_an_image_is_the_same_every_time() -> None:
    """Equal data gives equal files, in whatever order the kinds are asked for."""
    first, second = (plot(samples.contrast(), "step_time").figure for _ in range(2))
    image(first, "svg")

    assert image(first, "png") == image(first, "png")
    assert image(first, "svg") == image(second, "svg")
