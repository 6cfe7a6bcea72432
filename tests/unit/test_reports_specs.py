"""Every plot says what it shows, and the graph's has the parts that were measured."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import GraphSize, GraphStage, replace
from reports.plots.specs import plot_specs


def test_every_plot_has_a_name_a_title_and_a_caption() -> None:
    """Names are file names, so they are distinct."""
    specs = plot_specs(samples.contrast())

    assert len({spec.name for spec in specs}) == len(specs)
    assert all(spec.title and spec.caption.endswith(".") for spec in specs)


def test_a_graph_with_parts_has_a_panel_for_each() -> None:
    """As the framework names them."""
    (nodes, *_) = plot_specs(samples.contrast())

    assert [bounded.metric.title for bounded in nodes.metrics] == ["forward", "backward"]
    assert "forward and backward apart" in nodes.caption


def test_a_graph_without_parts_has_one_panel() -> None:
    """Of all its nodes."""
    bare = GraphSize(stages=[GraphStage(name="built", nodes=5)])
    (nodes, *_) = plot_specs(samples.loaded([replace(samples.measured(), graph=bare)]))

    assert [bounded.metric.name for bounded in nodes.metrics] == ["nodes"]
    assert "apart" not in nodes.caption
