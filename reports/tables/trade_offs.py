"""What moves a wall: for each family, how far each build goes under a limit, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from profiler.analysis.crossover.costs import (
    PARETO_METRICS,
    BuildCost,
    build_costs,
    common_length,
)
from profiler.analysis.crossover.trade_offs import Ratio, TradeOff, searched, trade_offs
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from reports.tables.costs import cost_text, reach_text
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import DASH, size_text, steps_text, times_text

__all__ = ["NOTE", "TradeOffTable", "TradeOffs", "compared", "trade_off_tables"]

NOTE = (
    "Best: no other build goes further without a slower step, or as far with a faster one; ? where "
    "noise hides that. Memory in parallel: how much more a shorter step takes in the parallel "
    "schedule. The author states whether builds compute the same: see stepwall list."
)
_LEAST = ("memory in parallel", "building the graph", "nodes", "device peak", "steady step")
_COSTS = tuple(BY_NAME[name] for name in ("peak", "nodes", "build_time", "step_time"))
_PAIR = 2


@dataclass(frozen=True, kw_only=True)
class TradeOffTable:
    """The builds of one family under one limit, with what the table is about."""

    title: str
    grid: Grid


@dataclass(frozen=True, kw_only=True)
class TradeOffs:
    """The builds of one family under one limit; costs at ``steps``."""

    family: str
    kind: str
    limit_bytes: int
    steps: int
    builds: tuple[BuildCost, ...]
    found: tuple[TradeOff, ...]


def compared(results: RunResults) -> list[TradeOffs]:
    """Return the trade-offs of each family and limit of which two walls or more were searched."""
    return list(_compared(results))


def _compared(results: RunResults) -> Iterator[TradeOffs]:
    for family, members in results.comparable_series:
        compared = [one for one in members if one.metric.name in PARETO_METRICS]
        steps = common_length(compared)
        builds = build_costs(members, results.run.walls, steps=steps) if steps else []
        if steps is None or len(builds) < _PAIR:
            continue
        for kind, limit_bytes in searched(builds):
            yield TradeOffs(
                family=family,
                kind=kind,
                limit_bytes=limit_bytes,
                steps=steps,
                builds=tuple(builds),
                found=tuple(trade_offs(builds, kind=kind, limit_bytes=limit_bytes)),
            )


def trade_off_tables(results: RunResults) -> list[TradeOffTable]:
    """Return the table of each of the trade-offs."""
    return [_table(one) for one in compared(results)]


def _table(one: TradeOffs) -> TradeOffTable:
    of = "" if one.kind == "device" else f" of {one.kind} memory"
    at = steps_text(one.steps, one.builds[0].conditions.axis)
    return TradeOffTable(
        title=f"{one.family}: what moves the wall under {size_text(one.limit_bytes)}{of}; "
        f"costs at {at}",
        grid=_grid(one.builds, one.found),
    )


def _grid(builds: Sequence[BuildCost], found: Sequence[TradeOff]) -> Grid:
    base = builds[0].label
    titles = [metric.title for metric in _COSTS]
    return Grid(
        headings=(
            *("scenario", "wall", f"of {base}'s wall", "memory in parallel"),
            *(*titles, f"of {base}'s step", "best"),
        ),
        numeric=(False, True, True, True, *(True for _ in titles), True, False),
        rows=tuple(
            GridRow(
                cells=(
                    one.build.label,
                    DASH if one.wall is None else reach_text(one.wall),
                    DASH if one.further is None else times_text(one.further),
                    DASH if one.parallel is None else _more_text(*one.parallel),
                    *(cost_text(m, one.build.costs.get(m.name)) for m in _COSTS),
                    DASH if one.slower is None else _ratio_text(one.slower),
                    {True: "best", False: "", None: "?"}[one.is_best],
                )
            )
            for one in found
        ),
        least=_LEAST,
    )


def _more_text(least: float, most: float) -> str:
    """Return ``+16 to +32 %``, or one of both where they are the same."""
    rounded = (round(100 * share) for share in (least, most))
    ends = dict.fromkeys(f"{number:+d}" if number else "0" for number in rounded)
    return f"{' to '.join(ends)} %"


def _ratio_text(ratio: Ratio) -> str:
    """Return the ratio with its ends, or with a question mark where the noise is not known."""
    text = times_text(ratio.value)
    if ratio.low is None or ratio.high is None:
        return f"{text} ?"
    ends = [f"{end:,.1f}" for end in (ratio.low, ratio.high)]
    return text if ends[0] == ends[1] else f"{text} ({ends[0]} to {ends[1]})"
