"""The tables of a page as columns of raw values: the page sorts, filters and exports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from profiler.analysis.crossover.costs import (
    PARETO_METRICS,
    BuildCost,
    Cost,
    build_costs,
    common_length,
)
from profiler.analysis.crossover.trade_offs import TradeOff, searched, trade_offs
from profiler.analysis.laws import Law
from profiler.analysis.metrics import METRICS
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries, kinds_of_nodes
from profiler.facts import Certificate, Measurement, Status, WallStatus
from profiler.lengths import one_of
from reports.pages.columns import BUILD, Number, Table, axes_of
from reports.pages.walls import PROOFS
from reports.tables.grid import node_columns, outcome_sentence
from reports.tables.laws import law_text, step_text
from reports.texts.numbers import size_text, steps_text
from reports.texts.story import biggest_text

__all__ = [
    "answer_table",
    "choice_tables",
    "failure_table",
    "law_table",
    "measurement_table",
    "no_law",
    "remedy_table",
    "unknown_table",
]

_PAIR = 2


def answer_table(results: RunResults, number: Number) -> Table:
    """Return for each build its walls, what one more step costs, and what a step takes."""
    each = " or ".join(map(one_of, results.axes))
    kinds = kinds_of_nodes(results.series)
    heads = [
        BUILD,
        ("limit", "limit", "size"),
        ("last_ok", "survives", "count"),
        ("first_oom", "runs out at", "count"),
        ("status", "wall", "text"),
        ("biggest", "what holds its memory there", "text"),
        ("backprop", f"memory per {each}", "text"),
        ("nodes", f"nodes per {each}", "text"),
        *((("counted", "what is counted", "text"),) if len(kinds) > 1 else ()),
        ("at", "longest measured", "count"),
        ("peak", "device peak there", "bytes"),
        ("step_time", "steady step there", "seconds"),
    ]
    walls: dict[int, list[Certificate]] = {}
    for _, wall in results.walls:
        walls.setdefault(number(wall), []).append(wall)
    series: dict[int, dict[str, MetricSeries]] = {}
    for one in results.series:
        series.setdefault(number(one.conditions), {})[one.metric.name] = one
    rows = [
        (build, *_ends_of(wall), *_costs_of(series.get(build, {}), with_kind=len(kinds) > 1))
        for build in sorted({*walls, *series})
        for wall in walls.get(build, [None])
    ]
    return Table.of_rows("answers", "Each build", heads, rows)


def _ends_of(wall: Certificate | None) -> tuple[Any, ...]:
    if wall is None:
        return (None,) * 5
    biggest = biggest_text(wall.explanation) if wall.explanation else None
    status = wall.status.value.replace("_", " ")
    return wall.limit_bytes, wall.last_ok, wall.first_oom, status, biggest


def _costs_of(series: Mapping[str, MetricSeries], *, with_kind: bool) -> tuple[Any, ...]:
    """Return what one more step costs by the clear laws, and the medians at the longest length."""
    per_step = [
        step_text(one.clear_law, one.metric) if one and one.clear_law else None
        for one in map(series.get, ("backprop", "nodes"))
    ]
    last = max((one.last for one in series.values()), default=None)
    there = [
        median(values) if one and last and (values := one.values_at(last)) else None
        for one in map(series.get, ("peak", "step_time"))
    ]
    nodes = series.get("nodes")
    kind = (nodes.counts if nodes else None,) if with_kind else ()
    return (*per_step, *kind, last, *there)


def measurement_table(results: RunResults, number: Number) -> Table:
    """Return every point: its metrics, and how it ended."""
    nodes = [column for column in node_columns(results) if column.heading != "nodes"]
    heads = [
        BUILD,
        ("steps", axes_of(results), "count"),
        ("repeat", "repeat", "count"),
        ("limit", "limit", "size"),
        *((metric.name, metric.title, metric.unit) for metric in METRICS),
        *((column.heading, column.heading, "count") for column in nodes),
        ("status", "outcome", "text"),
        ("ending", "how it ended", "text"),
    ]
    repeated = any(m.point.repeat for _, m in results.measurements)
    rows = [
        (
            *(number(m.point), m.point.steps, m.point.repeat if repeated else None),
            m.point.limit_bytes,
            *(metric.value(m) for metric in METRICS),
            *(column.value(m) for column in nodes),
            m.outcome.status.value,
            None if m.outcome.status is Status.OK else outcome_sentence(m.outcome),
        )
        for _, m in results.measurements
    ]
    return Table.of_rows("measurements", "Measurements", heads, rows).noted(
        "A dash was not measured. It is never zero."
    )


def law_table(results: RunResults, number: Number) -> Table:
    """Return the law of each series."""
    several = len(kinds_of_nodes(results.series)) > 1
    heads = [
        BUILD,
        ("metric", "metric", "metric"),
        *((("counted", "what is counted", "text"),) if several else ()),
        ("law", f"law (T: {axes_of(results)})", "text"),
        ("per_step", "one more", "text"),
        ("first", "measured from", "count"),
        ("last", "to", "count"),
        ("error", "residual", "share"),
        ("outliers", "outliers at", "text"),
        ("holdout", "hold-out error", "share"),
    ]
    rows = [
        (
            number(one.conditions),
            one.metric.name,
            *((one.counts or None,) if several else ()),
            *_law_row(one),
        )
        for one in results.series
    ]
    return Table.of_rows("laws", "Laws of growth", heads, rows).noted(
        "Fitted to the measured lengths, and to nothing beyond them. “One more” is what the last "
        "measured length added, with the 95 % interval of a line's slope, or a dash where the "
        "values differ and no law of growth fits them. “Residual” is the root mean square of the "
        "residuals over that of the values. “Hold-out error” is the largest error, in the longer "
        "half of the lengths, of a law fitted to the shorter half alone."
    )


def _law_row(one: MetricSeries) -> tuple[Any, ...]:
    law = one.clear_law
    if law is None:
        return (None, None, one.lengths[0], one.last, None, None, None)
    return (
        *(law_text(law, one.metric), step_text(law, one.metric)),
        *(law.first, law.last, law.error),
        _outliers(law),
        one.holdout_error,
    )


def _outliers(law: Law) -> str | None:
    steps = dict.fromkeys(str(point.steps) for point in law.outliers)
    return ", ".join(steps) or None


def _costs(results: RunResults) -> Iterable[tuple[str, int, list[BuildCost]]]:
    """Yield each family of two builds or more with the length at which all were measured."""
    for family, members in results.comparable_series:
        compared = [one for one in members if one.metric.name in PARETO_METRICS]
        steps = common_length(compared)
        builds = build_costs(members, results.run.walls, steps=steps) if steps else []
        if steps is not None and len(builds) >= _PAIR:
            yield family, steps, builds


def choice_tables(results: RunResults, number: Number) -> list[Table]:
    """Return for each family what a step of each build costs, at the longest common length."""
    heads = [
        BUILD,
        *((metric.name, metric.title, metric.unit) for metric in METRICS),
        *((f"{metric.name}_{end}", "", metric.unit) for metric in METRICS for end in _ENDS),
        ("best", "best in time and memory", "text"),
    ]
    return [
        Table.of_rows(
            family,
            f"{family}: one training step at {steps_text(steps, builds[0].conditions.axis)}",
            heads,
            [
                (
                    number(one.conditions),
                    *(_cost(one, metric.name).value for metric in METRICS),
                    *(end for m in METRICS for end in _ends(_cost(one, m.name))),
                    _BEST[one.is_optimal],
                )
                for one in builds
            ],
        ).noted(
            "“Best” is a build that no other one beats: none needs less time without more memory, "
            "or less memory without more time; ? where noise hides that."
        )
        for family, steps, builds in _costs(results)
    ]


_BEST = {True: "best", False: "", None: "?"}
_ENDS = ("low", "high")
_NO_COST = Cost(value=None, low=None, high=None)


def _cost(one: BuildCost, metric: str) -> Cost:
    return one.costs.get(metric, _NO_COST)


def _ends(cost: Cost) -> tuple[float | None, float | None]:
    """Return the least and the most that was measured, or between what the law lies."""
    return (cost.measured[0], cost.measured[-1]) if cost.measured else (cost.low, cost.high)


def remedy_table(results: RunResults, number: Number) -> Table | None:
    """Return how far each build goes under a limit, and what that costs; None without walls."""
    heads = [
        BUILD,
        ("family", "family", "text"),
        ("limit", "limit", "size"),
        ("last_ok", "survives", "count"),
        ("further", "wall, against the first", "times"),
        ("parallel", "peak in parallel, at least", "times"),
        ("parallel_most", "at most", "times"),
        ("slower", "step time, against the first", "times"),
        ("slower_low", "at least", "times"),
        ("slower_high", "at most", "times"),
        ("best", "best", "text"),
    ]
    rows = [
        (number(one.build.conditions), family, limit, *_remedy(one))
        for family, _, builds in _costs(results)
        for kind, limit in searched(builds)
        for one in trade_offs(builds, kind=kind, limit_bytes=limit)
    ]
    if not rows:
        return None
    return Table.of_rows("remedies", "What moves the wall", heads, rows).noted(
        "“Best” is a build that no other one beats: none goes further without a slower step, or as "
        "far with a faster one; ? where noise hides that. The author of a build states whether it "
        "computes the same as the first one of its family: see stepwall list. “Peak in parallel”: "
        "of a shorter step in the parallel schedule, against its serial peak."
    )


def _remedy(one: TradeOff) -> tuple[Any, ...]:
    slower = one.slower
    return (
        one.wall.last_ok if one.wall else None,
        one.further,
        *((1 + share for share in one.parallel) if one.parallel else (None, None)),
        *((slower.value, slower.low, slower.high) if slower else (None, None, None)),
        _BEST[one.is_best],
    )


def failure_table(results: RunResults, number: Number) -> Table:
    """Return every point that failed, with the framework's words and the end of its log."""
    heads = [
        BUILD,
        ("steps", axes_of(results), "count"),
        ("ending", "how it ended", "text"),
        ("said", "in the framework's words", "lines"),
        ("log", "end of its log", "lines"),
    ]
    rows = [
        (number(m.point), m.point.steps, outcome_sentence(m.outcome), *_words(m))
        for _, m in results.measurements
        if m.outcome.status.is_failure
    ]
    return Table.of_rows("failures", "Points that failed", heads, rows)


def _words(m: Measurement) -> tuple[str | None, str]:
    shortage = m.outcome.shortage
    said = "\n".join(shortage.lines) if shortage else None
    return said, m.log_tail or "The child wrote nothing."


def unknown_table(results: RunResults) -> Table:
    """Return what is not known, and why: each reason once, with what it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for label, m in results.measurements:
        at = f"{label} at {steps_text(m.point.steps, m.point.axis)}"
        lines = [*m.missing.items(), *(("note", note) for note in m.notes)]
        if m.outcome.status is Status.SKIPPED:
            lines.append(("the whole point", m.outcome.reason or "skipped"))
        for line in lines:
            found.setdefault(line, []).append(at)
    for one in results.series:
        if one.clear_law is None:
            found.setdefault((f"law of {one.metric.title}", no_law(one)), []).append(one.label)
    for label, wall in results.walls:
        under = f"{label} under {size_text(wall.limit_bytes)}"
        if wall.status in {WallStatus.REPLAYED, WallStatus.UNPROVEN}:
            found.setdefault(("wall", wall.reason or PROOFS[wall.status]), []).append(under)
        if wall.predicted is None:
            why = wall.unpredicted or "short runs do not show how its memory grows"
            found.setdefault(("prediction of the wall", why), []).append(under)
        if wall.unexplained is not None:
            found.setdefault(("what holds the memory", wall.unexplained), []).append(under)
    heads = [
        ("what", "what", "text"),
        ("reason", "reason", "text"),
        ("count", "how often", "count"),
        ("where", "where", "text"),
    ]
    rows = [(what, reason, len(at), "; ".join(at)) for (what, reason), at in found.items()]
    return Table.of_rows("not_told", "Not measured, not known, and notes", heads, rows)


def no_law(series: MetricSeries) -> str:
    """Return why a series has no clear law."""
    law = series.law
    if not isinstance(law, Law):
        return f"{law.lengths} of {law.needed} lengths: profile it with more --steps"
    return "too noisy: use more --repeats" if series.is_noisy else "no law fits its bends"
