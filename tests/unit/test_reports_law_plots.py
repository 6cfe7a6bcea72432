"""The plots of laws show what was measured, the law, and only what may be foretold."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import report_samples as samples
from matplotlib.axes import Axes

from profiler.frames import LoadedRun
from profiler.metrics import BY_NAME, METRICS
from profiler.results import Measurement, Times
from reports.law_plots import REACH, LawPanel, Line, law_panels, law_plots
from reports.plots import Plot, image

STEPS = samples.DOUBLED
LAST = STEPS[-1]


def panel(loaded: LoadedRun, metric: str) -> LawPanel:
    """Return the only panel of a metric."""
    (found,) = law_panels(loaded, BY_NAME[metric])
    return found


def line(loaded: LoadedRun, metric: str, label: str = "static_rnn") -> Line:
    """Return one line of it."""
    (found,) = [one for one in panel(loaded, metric).lines if one.curve.label == label]
    return found


def plot(loaded: LoadedRun, metric: str) -> Plot:
    """Return one plot."""
    (found,) = [one for one in law_plots(loaded) if one.name == f"law_{metric}"]
    return found


def texts(axes: Axes) -> list[str]:
    """Return what is written into the axes."""
    return [text.get_text() for text in axes.texts]


def with_step(measurement: Measurement, step_s: float) -> Measurement:
    """Return the point with this steady step."""
    return replace(measurement, time=Times(build_forward_s=0.1, step_s=step_s))


def test_every_metric_that_follows_a_law_has_a_plot() -> None:
    """In the order of the metrics, with what was measured and how it is to be read."""
    found = law_plots(samples.contrast())

    assert [one.name for one in found] == [f"law_{metric.name}" for metric in METRICS]
    assert all("Marks were measured" in one.caption for one in found)


def test_a_run_of_one_length_has_no_plot() -> None:
    """Nothing grows."""
    assert law_plots(samples.loaded([samples.measured(steps=8)])) == []


def test_nodes_are_continued_to_eight_times_the_last_length() -> None:
    """They are exact; the shaded part and the dashes say that nothing was run there."""
    nodes = line(samples.contrast(), "nodes")
    main = plot(samples.contrast(), "nodes").figure.axes[0]
    furthest = max(np.max(drawn.get_xdata()) for drawn in main.get_lines())

    assert nodes.end == REACH * LAST
    assert furthest == REACH * LAST
    assert "predicted" in texts(main)


@pytest.mark.parametrize("metric", ["backprop", "peak", "host"])
def test_memory_is_not_continued(metric: str) -> None:
    """Longer graphs may bend it; the caption names the command that knows."""
    found = plot(samples.contrast(), metric)

    assert line(samples.contrast(), metric).end == LAST
    assert "stepwall predict" in found.caption
    assert "predicted" not in chain.from_iterable(map(texts, found.figure.axes))


def test_the_legend_holds_the_law_in_its_units() -> None:
    """A long one takes a line of its own."""
    long_name = "a_scenario_with_quite_a_long_name_of_its_own"
    points = [samples.measured(long_name, steps) for steps in STEPS]

    assert line(samples.contrast(), "nodes").text == "static_rnn: 40 + 17·T"
    assert line(samples.loaded(points), "nodes", long_name).text == f"{long_name}:\n   40 + 17·T"


def test_exact_laws_have_no_residuals() -> None:
    """The other axes say so."""
    assert texts(plot(samples.contrast(), "nodes").figure.axes[1]) == [
        "every law is exact:\nno residual"
    ]


def test_residuals_are_shares_of_the_law() -> None:
    """A point that is a tenth above its line stands near a tenth."""
    points = [
        with_step(samples.measured(steps=n), 0.001 * n * (1.1 if n == LAST // 2 else 1))
        for n in STEPS
    ]
    side = plot(samples.loaded(points), "step_time").figure.axes[1]
    drawn = [np.asarray(one.get_ydata()) for one in side.get_lines()]
    (shares,) = [each for each in drawn if len(each) > 2]

    assert shares.max() == pytest.approx(10, abs=4)


def test_points_without_a_clear_law_are_drawn_without_a_line() -> None:
    """Beside one that has a law, so that there is a plot."""
    wild = [
        with_step(samples.measured("wild", n), 0.01 if n in {16, 128} else 0.001) for n in STEPS
    ]
    tame = [with_step(samples.measured("tame", n), 0.001 * n) for n in STEPS]
    loaded = samples.loaded([*wild, *tame])

    assert line(loaded, "step_time", "wild").text == "wild: no clear law"
    assert line(loaded, "step_time", "wild").end == LAST


def test_a_law_below_zero_does_not_break_the_logarithmic_axis() -> None:
    """What is not positive is left out."""
    points = [with_step(samples.measured(steps=n), 0.001 * n - 0.007) for n in STEPS]
    found = plot(samples.loaded(points), "step_time")

    assert image(found.figure, "png").startswith(b"\x89PNG")
    assert found.figure.axes[0].get_yscale() == "log"


def test_walls_stand_in_the_plot_of_the_peak() -> None:
    """Where they were found, under their limit."""
    main = plot(samples.contrast(), "peak").figure.axes[0]
    marks = {
        (float(np.asarray(drawn.get_xdata())[0]), float(np.asarray(drawn.get_ydata())[0]))
        for drawn in main.get_lines()
        if drawn.get_marker() == "D"
    }

    assert marks == {
        (float(wall.last_ok or 0), float(wall.limit_bytes)) for wall in samples.contrast().run.walls
    }


def test_two_families_stand_in_two_rows() -> None:
    """Each with its own lines."""
    points = [samples.measured("a", n) for n in STEPS]
    points += [samples.measured("b", n, family="shapes") for n in STEPS]
    found = law_panels(samples.loaded(points), BY_NAME["nodes"])

    assert [one.family for one in found] == ["builds", "shapes"]
    assert [len(one.lines) for one in found] == [1, 1]
