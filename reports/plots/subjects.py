"""What each plot of a report is about: its metrics, its heading and its caption."""

from __future__ import annotations

from dataclasses import dataclass

from reports.plots.panels import Metric

__all__ = ["SUBJECTS", "Subject"]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One plot: its metrics side by side; the caption says how they were measured."""

    name: str
    title: str
    caption: str
    metrics: tuple[Metric, ...]


SUBJECTS = (
    Subject(
        name="nodes",
        title="Graph size",
        caption=(
            "Nodes of the training graph as built, before the framework's optimizer. "
            "Counted in the graph itself, forward and backward apart; nodes inside loop "
            "bodies are library nodes and not counted here."
        ),
        metrics=(
            Metric(columns=("forward_nodes",), title="forward", unit="nodes", from_failed=True),
            Metric(columns=("backward_nodes",), title="backward", unit="nodes", from_failed=True),
        ),
    ),
    Subject(
        name="build_time",
        title="Time before training starts",
        caption=(
            "Wall-clock time to build the graph, gradients included, and of the first step, "
            "in which the framework optimizes the graph and sets up its executor."
        ),
        metrics=(
            Metric(
                columns=("build_forward_s", "build_gradients_s"),
                title="building the graph",
                unit="seconds",
                from_failed=True,
            ),
            Metric(columns=("first_step_s",), title="first step", unit="seconds"),
        ),
    ),
    Subject(
        name="device_memory",
        title="Device memory and the wall",
        caption=(
            "Left: what one training step adds to the memory resident before it. Right: the "
            "whole peak, which is what a limit bounds. Read from the framework's own allocator; "
            "a diamond is the largest number of steps that really survived under the limit, "
            "with the next one run too and out of memory; dots are other runs of that search. "
            "A shaded band reaches from the steps that survived every time to those that ran "
            "out every time. A bar is where the wall was predicted, if it was found elsewhere."
        ),
        metrics=(
            Metric(columns=("backprop_bytes",), title="backprop memory", unit="bytes"),
            Metric(
                columns=("device_peak_bytes",),
                title="whole device peak",
                unit="bytes",
                wall_kind="device",
            ),
        ),
    ),
    Subject(
        name="host_memory",
        title="Host memory",
        caption=(
            "The process's peak over its baseline (Python and the framework already loaded), "
            "while the forward graph is built and over all phases: "
            "graph objects, optimizer, runtime, and on CPU the tensors too. The kernel's "
            "high-water mark, reset at every phase. A host limit counts the whole process, "
            "Python and the framework included, so its walls stand in a panel of their own."
        ),
        metrics=(
            Metric(
                columns=("host_build_peak_bytes",),
                title="peak while building",
                unit="bytes",
            ),
            Metric(
                columns=("host_peak_bytes",),
                title="peak over all phases",
                unit="bytes",
            ),
            Metric(
                columns=("host_capped_peak_bytes",),
                title="whole process, limited",
                unit="bytes",
                wall_kind="host",
            ),
        ),
    ),
    Subject(
        name="step_time",
        title="Time of one training step",
        caption="Wall-clock time of one training step once it runs steadily: median of several.",
        metrics=(Metric(columns=("step_s",), title="steady step", unit="seconds"),),
    ),
)
