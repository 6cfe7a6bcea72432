"""A grid of a parameter: its series are told apart, its panels compare like with like."""

from __future__ import annotations

import report_samples as samples

from profiler.analysis.frontiers import Frontier, frontiers
from profiler.analysis.results import RunResults
from profiler.facts import Certificate, Measurement, WallStatus, replace
from profiler.parameters import ParameterValue
from reports.plots.frontier import frontier_plots
from reports.plots.law_panels import law_panels
from reports.plots.measurements import plots
from reports.tables.grid import frontier_grid
from reports.tables.versus import versus_grid


def measured(scenario: str, steps: int, **parameters: ParameterValue) -> Measurement:
    """Return a point of the family ``one``."""
    found = samples.measured(scenario, steps, family="one")
    return replace(found, point=replace(found.point, parameters=parameters))


def wall(scenario: str, last_ok: int | None, **parameters: ParameterValue) -> Certificate:
    """Return a wall of the family ``one``; without a survivor one that proves nothing."""
    status = WallStatus.EXACT if last_ok else WallStatus.UNPROVEN
    found = samples.wall(scenario, last_ok, family="one", status=status)
    return replace(found, parameters=parameters)


def grid(*names: str, walls: bool = True) -> RunResults:
    """Return a grid of two batches of each scenario; half the batch survives twice as far."""
    pairs = [(name, batch) for name in names for batch in (16, 32)]
    found = [wall(name, 6400 // batch, batch=batch, units=8) for name, batch in pairs]
    return samples.loaded(
        [
            measured(name, steps, batch=batch, units=8)
            for name, batch in pairs
            for steps in samples.DOUBLED
        ],
        found if walls else [],
    )


def heights(frontier: Frontier) -> dict[str, list[tuple[ParameterValue, int | None]]]:
    """Return where each line of a frontier lies."""
    return {
        line.label: [(value, one.last_ok) for value, one in line.walls] for line in frontier.lines
    }


class TestFacets:
    """What is shown together."""

    def test_one_scenario_is_shown_in_one_panel(self) -> None:
        """Its series are named by the parameter of the grid."""
        assert grid("a").families == {"one": ["a batch=16", "a batch=32"]}

    def test_several_scenarios_are_faceted_by_the_grid(self) -> None:
        """So that each panel compares builds of equal parameters."""
        assert grid("a", "b").families == {
            "one, batch=16": ["a batch=16", "b batch=16"],
            "one, batch=32": ["a batch=32", "b batch=32"],
        }

    def test_a_parameter_of_one_scenario_alone_is_no_facet(self) -> None:
        """The other one has no such values."""
        points = [
            measured("a", 8, batch=16),
            measured("a", 8, batch=32),
            measured("b", 8, batch=16),
        ]

        assert list(samples.loaded(points).families) == ["one"]

    def test_plots_have_a_row_for_each_facet(self) -> None:
        """Titled by it."""
        drawn = {one.name: one.figure for one in plots(grid("a", "b"))}
        titles = [axes.get_title(loc="left") for axes in drawn["device_memory"].axes]

        assert titles[::2] == [f"one, batch={batch}: backprop memory" for batch in (16, 32)]
        panels = law_panels(grid("a", "b"), grid("a", "b").series[0].metric)
        assert [panel.family for panel in panels] == ["one, batch=16", "one, batch=32"]

    def test_builds_are_compared_within_a_facet(self) -> None:
        """Not with those of another batch."""
        families = {row.cells[0] for row in versus_grid(grid("a", "b")).rows}
        texts = [row.cells[2] for row in versus_grid(grid("a", "b")).rows]

        assert families == {"one, batch=16", "one, batch=32"}
        assert not any("batch=16" in text and "batch=32" in text for text in texts)


class TestFrontiers:
    """The largest length that survives, for each value of a parameter."""

    def test_a_line_for_each_scenario(self) -> None:
        """Over the values of the parameter."""
        (found,) = frontiers(grid("a", "b"))

        assert (found.parameter, found.axis, found.values) == ("batch", "steps", [16, 32])
        assert heights(found) == {"a": [(16, 400), (32, 200)], "b": [(16, 400), (32, 200)]}

    def test_other_parameters_that_vary_tell_lines_apart(self) -> None:
        """The first one with numbers is the axis."""
        walls = [
            wall("a", units * 1000 // batch, cell=cell, batch=batch, units=units)
            for cell in ("basic", "lstm")
            for batch in (32, 16)
            for units in (8, 64)
        ]
        (found,) = frontiers(samples.loaded([], walls))

        assert (found.parameter, found.values) == ("batch", [16, 32])
        assert [line.label for line in found.lines] == [
            f"a cell={cell} units={units}" for cell in ("basic", "lstm") for units in (8, 64)
        ]

    def test_values_that_are_no_numbers_stand_side_by_side(self) -> None:
        """In their order: tuples, None, texts."""
        walls = [wall("a", 100, layers=(8, 8)), wall("a", 200, layers=None)]
        (found,) = frontiers(samples.loaded([], walls))

        assert found.values == [(8, 8), None]
        assert [found.place(value) for value in found.values] == [0, 1]
        assert frontier_plots(samples.loaded([], walls))

    def test_a_wall_that_proves_nothing_has_no_place(self) -> None:
        """One with one end has."""
        at_most = replace(
            wall("a", 100, batch=64), status=WallStatus.AT_MOST, last_ok=None, first_oom=1
        )
        walls = [wall("a", 400, batch=8), wall("a", None, batch=16), at_most]
        (found,) = frontiers(samples.loaded([], walls))

        assert found.values == [8, 64]

    def test_host_and_device_memory_have_frontiers_of_their_own(self) -> None:
        """A length that survives under one says nothing about the other."""
        walls = [
            replace(wall("a", steps // batch, batch=batch), kind=kind)
            for kind, steps in (("device", 6400), ("host", 3200))
            for batch in (16, 32)
        ]
        results = samples.loaded([], walls)
        device, host = frontiers(results)

        assert (device.kind, host.kind) == ("device", "host")
        assert heights(device) == {"a": [(16, 400), (32, 200)]}
        assert heights(host) == {"a": [(16, 200), (32, 100)]}
        (plot,) = frontier_plots(results)
        assert [axes.get_title(loc="left") for axes in plot.figure.axes] == [
            "under 64 MiB of device memory",
            "under 64 MiB of host memory",
        ]

    def test_a_band_in_a_grid_lies_where_every_run_survived(self) -> None:
        """The table has both ends and the status, the plot a mark and a key of its own."""
        band = replace(samples.band(150, 160), scenario="a", parameters={"batch": 32})
        results = samples.loaded([], [wall("a", 400, batch=16), band])
        (found,) = frontiers(results)
        (plot,) = frontier_plots(results)
        rows = {row.cells[0]: row.cells[1:] for row in frontier_grid(results).rows}

        assert heights(found) == {"a": [(16, 400), (32, 150)]}
        assert rows["32"][:2] == ("150", "160")
        assert "band" in rows["32"][2]
        (legend,) = [one for axes in plot.figure.axes if (one := axes.get_legend())]
        keys = [entry.get_text() for entry in legend.get_texts()]
        assert any(key.startswith("a band") for key in keys)

    def test_a_run_without_a_grid_has_none(self) -> None:
        """One wall, or walls of different scenarios."""
        assert frontiers(samples.contrast()) == []
        assert frontier_plots(samples.contrast()) == []
        assert frontiers(grid("a", walls=False)) == []

    def test_the_plot_names_parameter_axis_and_limit(self) -> None:
        """Twice as much fits half as often: a line on logarithmic axes."""
        (plot,) = frontier_plots(grid("a"))
        (axes,) = plot.figure.axes

        assert plot.name == "frontier"
        assert axes.get_title(loc="left") == "under 64 MiB of device memory"
        assert axes.get_xlabel() == "batch"
        assert axes.get_ylabel() == "time steps that survive"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "32"]

    def test_the_table_has_a_column_for_each_parameter_that_varies(self) -> None:
        """And the ends of each wall."""
        table = frontier_grid(grid("a"))

        assert table.headings[:3] == ("batch", "survives", "runs out")
        assert [row.cells[:3] for row in table.rows] == [("16", "400", "401"), ("32", "200", "201")]
