"""What each plot of a run is about: its metrics, its heading and its caption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from profiler.analysis.metrics import BY_NAME, HOST_BUILD, HOST_LIMITED, part_nodes, stage_nodes
from profiler.analysis.results import RunResults
from reports.plots.panels import BoundedMetric
from reports.texts.numbers import list_text

__all__ = ["PlotSpec", "plot_specs"]


@dataclass(frozen=True, kw_only=True)
class PlotSpec:
    """One plot: its metrics side by side; the caption says how they were measured."""

    name: str
    title: str
    caption: str
    metrics: tuple[BoundedMetric, ...]


_SPECS = (
    PlotSpec(
        name="build_time",
        title="Time before training starts",
        caption=(
            "Wall-clock time to build the graph, gradients included, and of the first step, "
            "in which the framework optimizes the graph and sets up its executor."
        ),
        metrics=(
            BoundedMetric(metric=BY_NAME["build_time"]),
            BoundedMetric(metric=BY_NAME["first_step_time"]),
        ),
    ),
    PlotSpec(
        name="device_memory",
        title="Device memory and the wall",
        caption=(
            "Left: what one training step adds to the memory resident before it. Right: the "
            "whole peak, which is what a limit bounds. Read from the framework's own allocator. "
            "A diamond is the largest length that survived under the limit; the next "
            "one was run too and ran out of memory. Dots are other runs of that search. "
            "A shaded band reaches from the length that survived every time to the one that ran "
            "out every time. A bar is the predicted wall, where it differs from the one found."
        ),
        metrics=(
            BoundedMetric(metric=BY_NAME["backprop"]),
            BoundedMetric(metric=BY_NAME["peak"], wall_kind="device"),
        ),
    ),
    PlotSpec(
        name="host_memory",
        title="Host memory",
        caption=(
            "The process's peak over its baseline (Python and the framework already loaded), "
            "while the graph is built and over all phases: "
            "graph objects, optimizer, runtime, and on CPU the tensors too. The kernel's "
            "high-water mark, reset at every phase. A host limit counts the whole process, "
            "Python and the framework included, so its walls stand in a panel of their own."
        ),
        metrics=(
            BoundedMetric(metric=HOST_BUILD),
            BoundedMetric(metric=BY_NAME["host"]),
            BoundedMetric(metric=HOST_LIMITED, wall_kind="host"),
        ),
    ),
    PlotSpec(
        name="step_time",
        title="Time of one training step",
        caption="Wall-clock time of one training step once it runs steadily: median of several.",
        metrics=(BoundedMetric(metric=BY_NAME["step_time"]),),
    ),
)


def plot_specs(results: RunResults) -> tuple[PlotSpec, ...]:
    """Return the plots of a run, the first of its graph, by the parts that the graph has."""
    return (_graph_spec(results), *_SPECS)


def _counted(results: RunResults) -> Iterator[str]:
    """Yield what is counted, of each framework and stage that graphs of the run begin with."""
    for _, measurement in results.measurements:
        built = measurement.graph.built if measurement.graph else None
        if built is not None:
            framework = results.run.framework(measurement.point.framework)
            details = {stage.name: stage.detail for stage in framework.stages}
            yield f"{framework.title}: {details.get(built.name, 'nodes')}"


def _graph_spec(results: RunResults) -> PlotSpec:
    graphs = [m.graph for _, m in results.measurements if m.graph and m.graph.built]
    parts = dict.fromkeys(
        part for one in graphs for stage in one.stages[:1] for part in stage.parts
    )
    beside = dict.fromkeys(stage.name for one in graphs for stage in one.beside if stage.nodes)
    frameworks = results.run.environment.frameworks.values()
    titles = {stage.name: stage.title for one in frameworks for stage in one.stages}
    shown = [part_nodes(part) for part in parts]
    shown += [stage_nodes(name, titles.get(name, name)) for name in beside]
    # Without parts there is one number, and it holds the nodes beside these.
    apart = f", {list_text([metric.title for metric in shown])} apart" if parts else ""
    return PlotSpec(
        name="nodes",
        title="Graph size",
        caption=(
            f"{'; '.join(dict.fromkeys(_counted(results))) or 'Nodes of the training graph'}. "
            f"Counted in the graph itself{apart}."
        ),
        metrics=tuple(BoundedMetric(metric=metric) for metric in shown if parts)
        or (BoundedMetric(metric=BY_NAME["nodes"]),),
    )
