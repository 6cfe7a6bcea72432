"""The small table of a run: for each series what a step costs, and where memory ends."""

from __future__ import annotations

from profiler.analysis.metrics import BY_NAME, Metric
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries, kinds_of_nodes
from profiler.facts import Certificate
from reports.tables.costs import reach_text
from reports.tables.grid import Grid, GridRow
from reports.tables.laws import step_text
from reports.texts.numbers import DASH, UNIT_TEXTS, count_text, one_text, size_text

__all__ = ["summary_grid"]

_RATES = ("nodes", "peak")
_VALUES = ("step_time", "peak")


def summary_grid(results: RunResults) -> Grid:
    """Return a row for each series: growth by a step, its longest length, its walls.

    A run of walls alone has their columns only.
    """
    series: dict[str, dict[str, MetricSeries]] = {}
    for one in results.series:
        series.setdefault(one.label, {})[one.metric.name] = one
    walls: dict[str, list[Certificate]] = {}
    for label, wall in results.walls:
        walls.setdefault(label, []).append(wall)
    limits = list(dict.fromkeys((w.kind, w.limit_bytes) for _, w in results.walls))
    labels = dict.fromkeys([label for label, _ in results.measurements] + [*walls])
    rates = [BY_NAME[name] for name in _RATES if any(name in one for one in series.values())]
    values = [BY_NAME[name] for name in _VALUES if any(name in one for one in series.values())]
    per = f"per {one_text(results.axes)}" if results.axes else ""
    # What is counted as nodes, where it is not the same in all rows.
    kinds = kinds_of_nodes(results.series)
    kind_of = {label: kind for kind, labels in kinds.items() for label in labels}
    counted = ("what is counted",) if len(kinds) > 1 else ()
    reached = [f"survives {_under(*limit)}" for limit in limits]
    return Grid(
        headings=(
            *("scenario", *reached, *(f"{metric.title} {per}" for metric in rates)),
            *counted,
            *(("longest",) if values else ()),
            *(f"{metric.title} there" for metric in values),
        ),
        numeric=(
            *(False, *[True] * (len(reached) + len(rates)), *(False for _ in counted)),
            *[True] * (len(values) + bool(values)),
        ),
        rows=tuple(
            GridRow(
                cells=(
                    label,
                    *(_reach(walls.get(label, []), *limit) for limit in limits),
                    *(_rate(series.get(label, {}).get(metric.name)) for metric in rates),
                    *(kind_of.get(label, DASH) for _ in counted),
                    *((_longest(series.get(label, {})),) if values else ()),
                    *(_value(series.get(label, {}), metric) for metric in values),
                )
            )
            for label in labels
        ),
        least=("longest", "steady step there", "device peak there"),
    )


def _under(kind: str, limit_bytes: int) -> str:
    return f"{size_text(limit_bytes)}{'' if kind == 'device' else f' of {kind} memory'}"


def _reach(walls: list[Certificate], kind: str, limit_bytes: int) -> str:
    found = [w for w in walls if (w.kind, w.limit_bytes) == (kind, limit_bytes)]
    return "; ".join(map(reach_text, found)) or DASH


def _rate(one: MetricSeries | None) -> str:
    law = one.clear_law if one is not None else None
    return step_text(law, one.metric) if one is not None and law is not None else DASH


def _longest(series: dict[str, MetricSeries]) -> str:
    return count_text(max((one.last for one in series.values()), default=None))


def _value(series: dict[str, MetricSeries], metric: Metric) -> str:
    """Return what was measured at the longest length of the series; a dash if not there."""
    one = series.get(metric.name)
    last = max((each.last for each in series.values()), default=0)
    values = sorted(one.values_at(last)) if one is not None else []
    return UNIT_TEXTS[metric.unit](values[len(values) // 2]) if values else DASH
