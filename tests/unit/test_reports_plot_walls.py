"""Walls are drawn as what they prove: ends, bands, predictions and failing runs."""

from __future__ import annotations

import numpy as np
import pytest
import report_samples as samples
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D

from profiler.analysis.results import RunResults
from profiler.facts import WallStatus, replace
from reports.plots.measurements import Plot, draw, image
from reports.plots.specs import plot_specs


def _plot(results: RunResults, name: str) -> Plot:
    (spec,) = [one for one in plot_specs(results) if one.name == name]
    plot = draw(spec, results)
    assert plot is not None
    return plot


def _points(line: Line2D) -> list[tuple[float, float]]:
    return [(x, y) for x, y in np.asarray(line.get_xydata()).tolist()]


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def _markers(axes: Axes) -> list[str]:
    return [str(line.get_marker()) for line in axes.get_lines()]


def test_the_wall_stands_on_the_limit_at_the_last_survivor() -> None:
    """The diamond's coordinates are the certificate, and the legend names its steps."""
    peak = _plot(samples.contrast(), "device_memory").figure.axes[1]
    walls = [line for line in peak.get_lines() if line.get_marker() == "D"]

    limit = 64 * samples.MIB
    assert [_points(wall) for wall in walls] == [[(650, limit)], [(980, limit)]]
    assert [text.get_text() for text in peak.texts] == ["limit 64 MiB"]
    assert "static_rnn\n   survives 650 steps (predicted 647)" in _legend(peak)


@pytest.mark.parametrize(
    ("status", "last_ok", "marker", "text"),
    [
        (WallStatus.AT_LEAST, 5000, ">", "still survives 5,000 steps"),
        (WallStatus.AT_MOST, None, "<", "runs out even at 1 step"),
        (WallStatus.REPLAYED, 40, "*", "replayed wall: 40 steps"),
        (WallStatus.UNPROVEN, 40, ".", "no wall proven"),
    ],
)
def test_only_an_exact_wall_is_a_diamond(
    status: WallStatus, last_ok: int | None, marker: str, text: str
) -> None:
    """What was not found on both sides is not drawn as if it had been."""
    results = samples.loaded([], [samples.wall(last_ok=last_ok, status=status)])
    axes = _plot(results, "device_memory").figure.axes[-1]

    assert "D" not in _markers(axes)
    assert marker in _markers(axes)
    assert f"static_rnn\n   {text}" in _legend(axes)


def test_a_prediction_that_missed_is_a_mark_of_its_own() -> None:
    """At the steps that were predicted; one that was right is the wall itself."""
    missed = samples.wall("a", 650)
    right = replace(samples.wall("b", 650), predicted=650.4)
    peak = _plot(samples.loaded([], [missed, right]), "device_memory").figure.axes[-1]
    marks = [line for line in peak.get_lines() if line.get_marker() == "|"]

    assert [_points(mark) for mark in marks] == [[(647, 64 * samples.MIB)]]
    assert "predicted before any run near it" in _legend(peak)
    assert "b\n   survives 650 steps" in _legend(peak)


def test_a_band_is_a_shaded_zone_between_its_ends() -> None:
    """From the steps that survived every time to those that ran out every time."""
    peak = _plot(samples.loaded([], [samples.band(640, 660)]), "device_memory").figure.axes[-1]
    (zone,) = [c for c in peak.collections if isinstance(c, PolyCollection)]
    corners = np.asarray(zone.get_paths()[0].vertices)
    ends = [_points(line) for line in peak.get_lines() if line.get_marker() == "d"]

    limit = 64 * samples.MIB
    assert (corners[:, 0].min(), corners[:, 0].max(), corners[:, 1].max()) == (640, 660, limit)
    assert sorted(ends) == [[(640, limit)], [(660, limit)]]
    assert "static_rnn\n   band: 640 to 660 steps (predicted 637)" in _legend(peak)


def test_a_band_without_an_end_reaches_to_the_edge() -> None:
    """Where nothing ran out every time, nothing is marked as if it had."""
    wall = replace(samples.band(640), first_oom=None)
    peak = _plot(samples.loaded([], [wall]), "device_memory").figure.axes[-1]
    (zone,) = [c for c in peak.collections if isinstance(c, PolyCollection)]

    assert np.asarray(zone.get_paths()[0].vertices)[:, 0].max() == peak.get_xlim()[1]
    assert _markers(peak).count("d") == 1


def test_runs_of_the_search_that_failed_stand_on_the_limit() -> None:
    """Each number of steps once, with a legend entry."""
    peak = _plot(samples.loaded([], [samples.band(640, 660)]), "device_memory").figure.axes[-1]
    marks = [line for line in peak.get_lines() if line.get_marker() == "x"]

    limit = 64 * samples.MIB
    assert [_points(mark) for mark in marks] == [[(641, limit), (660, limit)]]
    assert "a run of the search that failed" in _legend(peak)


def test_host_walls_stand_in_the_panel_of_the_whole_process() -> None:
    """Their limit counts what the other panels leave out, so it is drawn in no other."""
    point = samples.measured()
    assert point.host is not None
    capped = replace(point, host=replace(point.host, capped_peak_bytes=500 * samples.MIB))
    results = samples.loaded([capped], [samples.wall(kind="host")])
    build, phases, process = _plot(results, "host_memory").figure.axes

    assert process.get_title(loc="left") == "builds: whole process, limited"
    assert "D" in _markers(process)
    assert [text.get_text() for text in process.texts] == ["limit 64 MiB"]
    assert not [*build.texts, *phases.texts]


def test_the_host_limit_of_a_point_is_drawn() -> None:
    """Without a wall search too."""
    point = samples.measured()
    assert point.host is not None
    capped = replace(
        point,
        point=replace(point.point, host_limit_bytes=2**30),
        host=replace(point.host, capped_peak_bytes=500 * samples.MIB),
    )
    process = _plot(samples.loaded([capped]), "host_memory").figure.axes[-1]

    assert [text.get_text() for text in process.texts] == ["limit 1 GiB"]


def test_two_limits_are_kept_apart() -> None:
    """Where several limits are drawn, the legend says which wall belongs to which."""
    walls = [samples.wall(last_ok=650), replace(samples.wall(last_ok=300), limit_bytes=2**25)]
    axes = _plot(samples.loaded([], walls), "device_memory").figure.axes[-1]

    assert _legend(axes)[0] == (
        "static_rnn\n   survives 650 steps under 64 MiB (predicted 647)"
        "\n   survives 300 steps under 32 MiB (predicted 297)"
    )


def test_walls_of_every_kind_leave_the_axes_their_room() -> None:
    """The legend fits its row, and the axes beside it are no slivers."""
    run = samples.large().run
    band = replace(samples.band(300, 420), scenario="stacked_dynamic", family="shapes")
    figure = _plot(samples.loaded(run.measurements, [*run.walls, band]), "device_memory").figure
    image(figure, "svg")

    assert all(axes.get_position().width > 0.2 for axes in figure.axes)
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())]
    places = [legend.get_window_extent() for legend in legends]
    assert places[0].y0 > places[1].y1
    assert places[1].y0 >= 0


def test_panels_of_a_row_share_their_values() -> None:
    """A panel that nothing of its family has says so, and does not bend the others' axis."""
    results = samples.loaded(
        [
            *(samples.measured("a", steps, family="first") for steps in samples.DOUBLED),
            samples.failed(samples.measured("a", 512, family="first"), samples.CRASH),
        ],
        [samples.wall("b", kind="host")],
    )
    _, phases, process, *_ = _plot(results, "host_memory").figure.axes

    assert (phases.get_yscale(), process.get_yscale()) == ("log", "log")
    assert phases.get_ylim() == process.get_ylim()
    assert [text.get_text() for text in process.texts] == ["not measured"]
    assert not process.get_lines()


def test_a_point_without_a_host_limit_is_not_in_the_panel_of_limits() -> None:
    """It crashed elsewhere: this panel has nothing to say of it."""
    results = samples.loaded(
        [samples.measured(steps=8), samples.failed(samples.measured(steps=16), samples.CRASH)],
        [samples.wall(kind="host")],
    )
    process = _plot(results, "host_memory").figure.axes[-1]

    assert "P" not in _markers(process)
