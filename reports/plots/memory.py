"""Plots of what holds memory: the roles stacked, over one training step and over the steps."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from profiler.analysis.results import RunResults
from profiler.facts import Explanation, Role
from reports.plots import look
from reports.plots.axes import set_linear
from reports.plots.measurements import Plot
from reports.texts.explanation import ExplainedStep, explained_steps
from reports.texts.numbers import axes_title, bytes_text

__all__ = ["ORDER", "explaining_plots", "over_lengths", "over_one_step"]

_ONE_STEP = (
    "What the device's allocator has handed out over one training step, by what it is held for. "
    "Every allocation and release was recorded and replayed; the axis counts them, it is not time. "
    "Drawn after some of them, including the peak."
)
_LENGTHS = "What is held at the peak of a training step, by what it is held for."

# From the bottom up: what is there all the time, then what comes and goes.
ORDER = (
    Role.WEIGHTS,
    Role.OPTIMIZER,
    Role.CONSTANTS,
    Role.INPUTS,
    Role.FORWARD,
    Role.BOOKKEEPING,
    Role.ACTIVATION_GRADIENTS,
    Role.WEIGHT_GRADIENTS,
    Role.TEMPORARY,
    Role.SCRATCH,
    Role.UNKNOWN,
    Role.ROUNDING,
)

# Text stays readable where a line crosses it.
_BEHIND = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}


def explaining_plots(results: RunResults) -> dict[str, list[Plot]]:
    """Return the plots of each explained training step, by its name."""
    return {step.name: _plots(step) for step in explained_steps(results)}


def _plots(step: ExplainedStep) -> list[Plot]:
    found = [
        Plot(
            name=f"one_step_{step.name}",
            title=f"{step.title}: memory over one step",
            caption=_ONE_STEP,
            figure=over_one_step(step.title, step.explained),
        )
    ]
    if step.shorter:
        found.append(
            Plot(
                name=f"peak_{step.name}",
                title=f"{step.title}: what holds the peak",
                caption=_LENGTHS,
                figure=over_lengths(step.title, [*step.shorter, step.explained]),
            )
        )
    return found


def over_one_step(label: str, explained: Explanation) -> Figure:
    """Return the plot of what is held over one training step, coloured by role."""
    over = explained.over_step
    with mpl.rc_context(look.LOOK):
        figure, axes = _figure(f"{label}: memory over one step")
        total = _stack(axes, over.event, over.bytes)
        axes.axvline(over.backward, color="black", linewidth=1, linestyle=(0, (4, 2)))
        _note(axes, "backward begins", over.backward, over.event[-1])
        axes.plot(over.peak, explained.peak_bytes, "v", color="black", markersize=7, clip_on=False)
        axes.annotate(
            f"peak {bytes_text(explained.peak_bytes)}",
            xy=(over.peak, explained.peak_bytes),
            xytext=(0, 8),
            textcoords="offset points",
            ha="right" if over.peak > over.event[-1] / 2 else "left",
            bbox=_BEHIND,
        )
        axes.set_xlabel(f"allocations and releases in a {explained.step} step, in order")
        _finish(axes, total, over.event)
    return figure


def over_lengths(label: str, explained: Sequence[Explanation]) -> Figure:
    """Return the plot of what is held at the peak over the time steps, coloured by role."""
    ordered = sorted(explained, key=lambda one: one.steps)
    steps = [one.steps for one in ordered]
    roles = {role for one in ordered for role in one.by_role}
    sizes = {role: [one.by_role.get(role, 0) for one in ordered] for role in roles}
    with mpl.rc_context(look.LOOK):
        figure, axes = _figure(f"{label} and fewer: what holds the peak")
        total = _stack(axes, steps, sizes)
        axes.plot(steps, total, ".", color="black", markersize=5, clip_on=False)
        axes.set_xlabel(axes_title(one.axis for one in ordered))
        _finish(axes, total, steps)
    return figure


def _figure(title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure, figure.subplots()


def _stack(axes: Axes, xs: Sequence[int], sizes: dict[str, list[int]]) -> list[int]:
    """Draw the roles that occur, and return their sum at each x."""
    roles = [role for role in ORDER if role.value in sizes]
    heights = [sizes[role.value] for role in roles]
    axes.stackplot(
        xs,
        heights,
        labels=[role.value for role in roles],
        colors=[look.ROLE_COLOURS[role] for role in roles],
        linewidth=0,
    )
    return [sum(values) for values in zip(*heights, strict=True)]


def _note(axes: Axes, text: str, x: float, last: float) -> None:
    axes.annotate(
        text,
        xy=(x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(5 if x < last / 2 else -5, -3),
        textcoords="offset points",
        ha="left" if x < last / 2 else "right",
        va="top",
        bbox=_BEHIND,
    )


def _finish(axes: Axes, total: Sequence[int], xs: Sequence[int]) -> None:
    set_linear(axes.yaxis, axes.set_ylim, (0.0, 1.2 * max(total) or 1.0), "bytes")
    ends = (xs[0], xs[-1] if xs[-1] > xs[0] else xs[0] + 1)
    set_linear(axes.xaxis, axes.set_xlim, ends, "nodes")
    axes.set_ylabel("device memory")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        frameon=False,
        fontsize=8.5,
    )
