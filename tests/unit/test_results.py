"""What reports read of a run: its series, fitted once, under the labels of the run."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import replace


def test_the_laws_of_a_run_are_fitted_once() -> None:
    """Whoever asks for its series gets the same ones, by family too."""
    results = samples.large()
    grouped = [series for found in results.family_series.values() for series in found]

    assert results.series is results.series
    assert {id(series) for series in grouped} == {id(series) for series in results.series}
    assert list(results.family_series) == ["builds", "shapes"]


def test_walls_stand_in_the_order_of_the_measurements() -> None:
    """Searches run side by side and end in any order."""
    points = [samples.measured("one"), samples.measured("two")]
    results = samples.loaded(points, [samples.wall("two"), samples.wall("one")])

    assert [label for label, _ in results.walls] == ["one", "two"]


def test_the_labels_of_each_family_are_those_of_its_points_and_walls() -> None:
    """Each once, in the order of the run."""
    points = [samples.measured("one", steps=steps) for steps in (8, 16)]
    other = replace(samples.wall("two"), family="others")
    results = samples.loaded(points, [samples.wall("one"), other])

    assert results.families == {"builds": ["one"], "others": ["two"]}
