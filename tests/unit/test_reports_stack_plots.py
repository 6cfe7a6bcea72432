"""What is drawn of an explanation: every role once, the peak, and where backward begins."""

from __future__ import annotations

import numpy as np
import report_samples as samples
from report_samples import EXPLANATION

from profiler.facts import Role, replace
from reports.plots import look
from reports.plots.measurements import image, plots
from reports.plots.memory import explaining_plots, over_lengths, over_one_step


def test_every_role_has_a_colour_of_its_own() -> None:
    """Two equal colours would be one."""
    assert set(look.ROLE_COLOURS) == set(Role)
    assert len(set(look.ROLE_COLOURS.values())) == len(Role)


def test_one_step_is_stacked_by_role_up_to_the_peak() -> None:
    """A legend entry for each role that occurs; the mark stands on the peak."""
    figure = over_one_step("static_rnn", EXPLANATION)
    (axes,) = figure.axes
    labels = {text.get_text() for text in axes.get_legend().get_texts()}  # type: ignore[union-attr]
    marks = [line for line in axes.lines if line.get_marker() == "v"]

    assert labels == set(EXPLANATION.over_step.bytes)
    assert np.asarray(marks[0].get_ydata()).tolist() == [EXPLANATION.peak_bytes]
    assert axes.get_ylim()[1] > EXPLANATION.peak_bytes
    assert "MiB" in axes.get_yticklabels()[2].get_text()


def test_lengths_are_stacked_in_their_order() -> None:
    """Whatever order they come in."""
    some = [replace(EXPLANATION, steps=steps) for steps in (200, 50, 100)]
    (axes,) = over_lengths("static_rnn", some).axes

    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [50, 100, 200]


def test_a_series_gets_a_plot_of_its_lengths_too() -> None:
    """One point alone has no lengths to compare."""
    points = [
        replace(samples.measured(steps=n), trace=replace(EXPLANATION, steps=n)) for n in (8, 64)
    ]
    one = explaining_plots(samples.loaded(points[:1]))
    two = explaining_plots(samples.loaded(points))

    assert [plot.name for plot in one["static_rnn"]] == ["one_step_static_rnn"]
    assert [plot.name for plot in two["static_rnn"]] == ["one_step_static_rnn", "peak_static_rnn"]


def test_a_picture_is_the_same_every_time() -> None:
    """Reports of one run are equal files."""
    first, second = (over_one_step("static_rnn", EXPLANATION) for _ in range(2))

    assert image(first, "svg") == image(second, "svg")


def test_a_run_that_explains_one_length_draws_no_growth() -> None:
    """A plot of one dot says nothing; without an explanation it is all there is."""
    point = samples.measured(steps=64)

    assert plots(samples.loaded([replace(point, trace=EXPLANATION)])) == []
    assert plots(samples.loaded([point])) != []
