"""The growth laws of a run: one row per series and metric."""

from __future__ import annotations

from collections.abc import Mapping

from profiler.analysis.laws import LAW_KINDS, LINEAR, Law, TooFewLengths
from profiler.analysis.metrics import Metric
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries, kinds_of_nodes
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import DASH, UNIT_TEXTS, axes_text, count_text, one_text

__all__ = ["law_grid", "law_text", "metric_title", "step_text"]


def law_grid(results: RunResults) -> Grid:
    """Return the laws of a run as a table; an empty one for a run of one length."""
    if len({measurement.point.steps for measurement in results.run.measurements}) < 2:  # noqa: PLR2004
        return Grid(headings=(), numeric=(), rows=())
    kinds = kinds_of_nodes(results.series)
    return Grid(
        headings=(
            *("scenario", "metric", f"law (T: {axes_text(results.axes)})"),
            f"one more {one_text(results.axes)}",
            *("measured", "residual", "outliers", "hold-out error"),
        ),
        numeric=(False, False, False, True, True, True, True, True),
        rows=tuple(GridRow(cells=_cells(one, metric_title(one, kinds))) for one in results.series),
        least=("outliers", "residual", "measured", "hold-out error"),
    )


def metric_title(one: MetricSeries, kinds: Mapping[str, object]) -> str:
    """Return the metric of a series; of nodes also what they are, where there are more kinds."""
    is_told = one.counts and len(kinds) > 1
    return f"{one.metric.title}: {one.counts}" if is_told else one.metric.title


def _cells(one: MetricSeries, title: str) -> tuple[str, ...]:
    law = one.law
    if isinstance(law, TooFewLengths):
        needed = f"{law.lengths} of {law.needed} lengths: profile it with more --steps"
        return one.label, title, needed, DASH, DASH, DASH, DASH, DASH
    return (
        one.label,
        title,
        law_text(law, one.metric) if law.is_clear else "no clear law: too noisy, use --repeats",
        step_text(law, one.metric) if law.is_clear else DASH,
        f"{count_text(law.first)} to {count_text(law.last)}",
        f"exact at {_lengths(law)} lengths" if law.exact else _percent(law.error),
        _outliers(law),
        DASH if one.holdout_error is None else _percent(one.holdout_error),
    )


def _lengths(law: Law) -> int:
    """Return how many distinct lengths lie on an exact law."""
    return len({point.steps for point in law.points if not point.outlier})


def _outliers(law: Law) -> str:
    """Return the steps at which points do not follow the law."""
    steps = dict.fromkeys(count_text(point.steps) for point in law.outliers)
    return f"at {', '.join(steps)}" if steps else "none"


def law_text(law: Law, metric: Metric) -> str:
    """Return ``46 + 17·T``, each coefficient in the metric's unit."""
    text = UNIT_TEXTS[metric.unit]
    parts: list[str] = []
    for coefficient, term in zip(law.coefficients, LAW_KINDS[law.kind].terms, strict=True):
        value = float(coefficient)
        sign = "- " if value < 0 else "+ " if parts else ""
        factor = term.text.replace("J", str(law.jump[1])) if law.jump else term.text
        parts.append(f"{sign}{text(abs(value))}·{factor}".removesuffix("·"))
    return " ".join(parts)


def step_text(law: Law, metric: Metric) -> str:
    """Return what the last measured step added, with the 95 % interval of a line's slope.

    A dash where values differ, and follow no law that grows.
    """
    text = UNIT_TEXTS[metric.unit]
    value = law.per_step
    if value is None:
        return DASH
    added = f"{'-' if value < 0 else ''}{text(abs(value))}" if value else "0"
    if law.exact or law.kind != LINEAR.name:
        return added
    low, high = map(float, law.intervals[1])
    return f"{added} ± {text((high - low) / 2)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 10 else f"{share:,.0f} \N{MULTIPLICATION SIGN}"  # noqa: PLR2004
