"""The data of the plots of laws: places, texts, residuals, and what may be forepredicted."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.prediction import REACH, predicted_value
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries
from profiler.facts import Measurement, replace
from reports.plots.law_panels import LawPanel, Line, law_panels

STEPS = samples.DOUBLED
LAST = STEPS[-1]


def panel(results: RunResults, metric: str) -> LawPanel:
    """Return the only panel of a metric."""
    (found,) = law_panels(results, BY_NAME[metric])
    return found


def line(results: RunResults, metric: str, label: str = "static_rnn") -> Line:
    """Return one line of it."""
    (found,) = [one for one in panel(results, metric).lines if one.series.label == label]
    return found


def of(values: Mapping[int, float], metric: str) -> Line:
    """Return the line of a series with these values."""
    point = replace(samples.measured().point, steps=0)
    points = tuple(sorted(values.items()))
    series = MetricSeries(label="a", conditions=point, metric=BY_NAME[metric], points=points)
    return Line(series=series, index=0)


def with_nodes(measurement: Measurement, total: int) -> Measurement:
    """Return the point with a graph of this size."""
    return replace(measurement, graph=samples.graph(total))


def test_two_families_are_two_panels() -> None:
    """Each with its own lines."""
    points = [samples.measured("a", n) for n in STEPS]
    points += [samples.measured("b", n, family="shapes") for n in STEPS]
    found = law_panels(samples.loaded(points), BY_NAME["nodes"])

    assert [one.family for one in found] == ["builds", "shapes"]
    assert [len(one.lines) for one in found] == [1, 1]


def test_two_lengths_have_no_panel() -> None:
    """A line through two points would prove nothing."""
    points = [samples.measured(steps=n) for n in STEPS[:2]]

    assert law_panels(samples.loaded(points), BY_NAME["nodes"]) == []


def test_a_family_without_a_clear_law_is_shown_too() -> None:
    """Its points are there, though no law is."""
    points = [
        samples.with_step(samples.measured(steps=n), 0.01 if n in {16, 128} else 0.001)
        for n in STEPS
    ]
    wild = panel(samples.loaded(points), "step_time")

    assert not wild.has_laws
    assert not wild.shows_residuals
    assert len(wild.lines[0].series.points) == len(STEPS)


def test_a_series_has_the_place_that_it_has_in_the_other_plots() -> None:
    """One of which every step failed has no peak, and keeps its colour for its nodes."""
    lost = [samples.failed(samples.measured("lost", n)) for n in STEPS]
    kept = [samples.measured("kept", n) for n in STEPS]
    results = samples.loaded([*lost, *kept])

    assert [one.index for one in panel(results, "nodes").lines] == [0, 1]
    assert [one.index for one in panel(results, "peak").lines] == [1]


def test_the_legend_holds_the_law_in_its_units() -> None:
    """A long one takes a line of its own."""
    long_name = "a_scenario_with_quite_a_long_name_of_its_own"
    points = [samples.measured(long_name, steps) for steps in STEPS]

    assert line(samples.contrast(), "nodes").text == "static_rnn: 40 + 17·T"
    assert line(samples.loaded(points), "nodes", long_name).text == f"{long_name}:\n   40 + 17·T"


def test_the_legend_names_the_walls() -> None:
    """In a line of their own, in the plot of the peak alone."""
    assert line(samples.contrast(), "peak").text.endswith("\n   survives 650 steps")
    assert "survives" not in line(samples.contrast(), "backprop").text


def test_the_legend_says_from_where_on_a_law_holds() -> None:
    """A first length that does not follow an exact law is not hidden."""
    numbers = {n: 40 + 17 * n + (5 if n == STEPS[0] else 0) for n in STEPS}

    assert of(numbers, "nodes").text == f"a: 40 + 17·T from {STEPS[1]} steps on"


def test_a_line_without_a_law_says_why() -> None:
    """Noise, or too few lengths."""
    wild = {n: 0.01 if n in {16, 128} else 0.001 for n in STEPS}

    assert of(wild, "step_time").text == "a: no clear law"
    assert of({8: 1.0, 16: 2.0}, "step_time").text == "a: 2 of 3 lengths"


def test_nodes_are_continued_to_eight_times_the_last_length() -> None:
    """Exactly: the interval is the value."""
    nodes = line(samples.contrast(), "nodes")
    far = nodes.ahead[-1]

    assert nodes.end == REACH * LAST
    assert (far.low, far.value, far.high) == (40 + 17 * REACH * LAST,) * 3
    assert nodes.ahead[0].steps == LAST


@pytest.mark.parametrize("metric", ["backprop", "peak", "host"])
def test_memory_is_not_continued(metric: str) -> None:
    """Longer graphs may bend it."""
    assert line(samples.contrast(), metric).ahead == ()
    assert not panel(samples.contrast(), metric).continued


def test_a_constant_is_continued_as_predict_does() -> None:
    """With an interval that widens: noise that hides a slope does not rule it out."""
    noise = dict(zip(STEPS, (0.004, -0.003, 0.005, -0.004, 0.003, -0.005), strict=True))
    steady = of({n: 0.1 * (1 + noise[n]) for n in STEPS}, "build_time")
    predicted = predicted_value(steady.series, steady.end)
    law = steady.series.clear_law

    assert law is not None
    assert law.kind == "constant"
    assert (steady.ahead[-1].low, steady.ahead[-1].high) == (predicted.low, predicted.high)
    assert steady.ahead[-1].high > law.interval_at(LAST)[1]


def test_a_law_is_continued_only_as_far_as_its_interval_is_narrow() -> None:
    """It ends before eight times the last length, or is not continued where that is a stub."""
    noise = dict(zip(STEPS, (1, -1, 1, -1, 1, -1), strict=True))
    some = of({n: 0.1 * (1 + 0.003 * noise[n]) for n in STEPS}, "build_time")
    much = of({n: 0.1 * (1 + 0.02 * noise[n]) for n in STEPS}, "build_time")

    assert 2 * LAST <= some.end < REACH * LAST
    assert predicted_value(some.series, REACH * LAST).value is None
    assert much.ahead == ()
    assert predicted_value(much.series, LAST + 1).value is not None


def test_residuals_are_shares_of_the_law() -> None:
    """A point that is five nodes above its law, and the others on it."""
    numbers = {n: 40 + 17 * n + (5 if n == STEPS[0] else 0) for n in STEPS}
    shares = dict(of(numbers, "nodes").residuals)

    assert shares.pop(STEPS[0]) == pytest.approx(100 * 5 / (40 + 17 * STEPS[0]))
    assert set(shares.values()) == {0}


def test_an_outlier_of_an_exact_law_is_a_residual() -> None:
    """No point may be off in secret."""
    exact = [with_nodes(samples.measured(steps=n), 40 + 17 * n) for n in STEPS]
    bent = [with_nodes(exact[0], 40 + 17 * STEPS[0] + 5), *exact[1:]]

    assert not panel(samples.loaded(exact), "nodes").shows_residuals
    assert panel(samples.loaded(bent), "nodes").shows_residuals


def test_repeats_are_all_in_the_series() -> None:
    """Their median only sets how wide a line is drawn."""
    points = [
        replace(samples.with_step(m, 0.001 * n * factor), point=replace(m.point, repeat=repeat))
        for n in STEPS
        for repeat, factor in enumerate((1.0, 1.01, 1.03))
        for m in [samples.measured(steps=n)]
    ]
    drawn = line(samples.loaded(points), "step_time")

    assert len(drawn.series.points) == 3 * len(STEPS)
    assert drawn.medians == {n: pytest.approx(0.00101 * n) for n in STEPS}


def test_a_panel_reaches_to_its_last_wall() -> None:
    """A wall beyond the measured lengths is in sight, with its limit."""
    peak = panel(samples.contrast(), "peak")

    assert (peak.first, peak.last, peak.end) == (STEPS[0], LAST, 980)
    assert max(peak.values) == 64 * samples.MIB
