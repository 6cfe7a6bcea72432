"""Which build needs less, by length: as sentences, a table and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from profiler.analysis.crossover.costs import BuildCost
from profiler.analysis.crossover.crossovers import (
    Crossover,
    MissingLaw,
    ParallelOrder,
    crossovers,
)
from profiler.analysis.crossover.schedules import follows_schedule
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import METRICS
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries
from profiler.facts import SCHEMA, Schedule, to_json
from profiler.lengths import counted
from reports.tables.costs import cost_document
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import axes_text, count_text, list_text, steps_text

__all__ = [
    "crossover_lines",
    "crossover_text",
    "schedule_lines",
    "stored_text",
    "versus_document",
    "versus_grid",
]

# Of one and of several builds; compared with one other and with more.
_VERBS = {
    "nodes": (("has", "have"), ("fewer", "fewest")),
    "bytes": (("needs", "need"), ("less", "least")),
    "seconds": (("is", "are"), ("faster", "fastest")),
}
_PAIR = 2


def crossover_lines(found: Sequence[Crossover]) -> list[str]:
    """Return a line for each metric, also for those that have no crossover.

    Why several are not predicted further on, for one reason, is a line of its own.
    """
    ends: dict[tuple[int, str], list[Crossover]] = {}
    for one in found:
        inside = [zone.last for zone in one.zones if not zone.predicted]
        if one.not_predicted and inside and one.is_known:
            ends.setdefault((inside[-1], one.not_predicted), []).append(one)
    texts = {one.metric.name: crossover_text(one) for one in found}
    beyond = []
    for (last, reason), members in ends.items():
        if len(members) < _PAIR:
            continue
        for one in members:
            text = texts[one.metric.name]
            texts[one.metric.name] = text.replace(f"; {_not_continued(last, reason)}", "")
        titles = list_text([one.metric.title for one in members])
        beyond.append(f"beyond {count_text(last)} not predicted: {titles} ({reason})")
    nothing = "unknown: measured for fewer than two"
    return [f"{metric.title}: {texts.get(metric.name, nothing)}" for metric in METRICS] + beyond


def versus_grid(results: RunResults) -> Grid:
    """Return the crossovers of each family and metric; none for families of one build."""
    return Grid(
        headings=("family", "metric", f"which build, at which {axes_text(results.axes)}"),
        numeric=(False, False, False),
        rows=(*_crossed(results), *_not_comparable(results)),
    )


def _crossed(results: RunResults) -> Iterator[GridRow]:
    for family, members in results.comparable_series:
        for one in crossovers(members):
            yield GridRow(cells=(family, one.metric.title, stored_text(one, members[0])))


def _not_comparable(results: RunResults) -> Iterator[GridRow]:
    """Yield a row for each family with several axes: which of its series do not compare."""
    for family, members in results.family_series.items():
        axes: dict[str, dict[str, None]] = {}
        for one in members:
            axes.setdefault(one.conditions.axis, {})[one.label] = None
        if len(axes) > 1:
            groups = " and ".join(list_text([*labels]) for labels in axes.values())
            text = f"not comparable, their axes differ: {groups}"
            yield GridRow(cells=(family, "every", text))


def schedule_lines(found: Sequence[Crossover], *, unchecked: str | None) -> list[str]:
    """Return of which metrics the parallel schedule shows the same order, and which are not known.

    Args:
        found: the crossovers in the serial schedule.
        unchecked: why nothing was run in the parallel schedule; None if something was.
    """
    told = [one for one in found if follows_schedule(one.metric) and one.is_known]
    same: dict[str, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    for one in told:
        title = one.metric.title
        reasons = [order.reason for order in one.parallel if order.reason]
        if not one.parallel:
            unknown.setdefault(unchecked or "no measured length shows it", []).append(title)
        elif reasons:
            unknown.setdefault(reasons[0], []).append(title)
        elif not one.is_contradicted:
            lengths = list_text([count_text(order.steps) for order in one.parallel])
            same.setdefault(f"three runs each at {counted(lengths, one.axis)}", []).append(title)
    lines = [
        f"the same in the parallel schedule ({how}): {list_text(of)}" for how, of in same.items()
    ]
    return lines + [
        f"not checked in the parallel schedule ({why}): {list_text(of)}"
        for why, of in unknown.items()
    ]


def stored_text(one: Crossover, series: MetricSeries) -> str:
    """Return the crossover by stored points, which are of one schedule."""
    is_serial = series.conditions.schedule is Schedule.SERIAL
    only = is_serial and one.is_known and follows_schedule(one.metric)
    return f"{'in the serial schedule: ' if only else ''}{crossover_text(one)}"


def crossover_text(one: Crossover) -> str:
    """Return which build needs least, by length; what was not measured is called predicted.

    Where the parallel schedule shows another order, both are shown and nothing is called less.
    """
    if not one.is_contradicted:
        return _order_text(one)
    orders = [
        f"at {steps_text(order.steps, one.axis)} {_parallel_text(one, order)}"
        for order in one.parallel
    ]
    return (
        f"not the same in both schedules; parallel (three runs each): {', '.join(orders)}; "
        f"serial: {_order_text(one)}"
    )


def _parallel_text(one: Crossover, order: ParallelOrder) -> str:
    if order.reason is not None:
        return f"not known ({order.reason})"
    if order.agrees:
        return _claim(one, order.serial_least)
    return _claim(one, [order.least]) if order.least else "no order is clear"


def _order_text(one: Crossover) -> str:
    if one.kinds:
        each = [f"{list_text(labels)}: {kind}" for kind, labels in one.kinds.items()]
        return f"not comparable, they count different things: {'; '.join(each)}"
    if one.measured is None:
        return "unknown: no length was measured for all"
    missing = [f"not measured: {list_text(one.missing)}"] if one.missing else []
    return "; ".join([*_within(one), *_outside(one), *missing])


def _within(one: Crossover) -> list[str]:
    """Return what is known of the measured lengths, and what is missing."""
    spans = _merged(one.by_length)
    missing_laws = _missing_laws_text(one.missing_laws)
    if not one.is_known:
        more = f"profile with more {'--repeats' if one.is_noisy else '--steps'}"
        why = missing_laws or f"{_unknown(one)} at every measured length, {more}"
        return [f"unknown: {why}"]
    if one.is_by_law:
        return [_spans_text(one, spans)]
    known = _spans_text(one, spans) if len(spans) == 1 else _lengths_text(one)
    return [f"as measured, {known}", f"elsewhere {missing_laws or _unknown(one)}"]


def _lengths_text(one: Crossover) -> str:
    """Return which build is least at which of the measured lengths."""
    lengths: dict[tuple[str, ...], list[str]] = {}
    for zone in one.lengths:
        lengths.setdefault(zone.least, []).append(count_text(zone.first))
    unknown = lengths.pop((), [])
    first, *more = [(least, list_text(at)) for least, at in lengths.items()]
    texts = [f"{_claim(one, first[0])} at {counted(first[1], one.axis)}"]
    texts += [f"{_builds(one, least)} at {at}" for least, at in more]
    return ", ".join(texts) + (f" (at {list_text(unknown)}: {_unknown(one)})" if unknown else "")


def _missing_laws_text(missing_laws: Sequence[MissingLaw]) -> str:
    """Return which builds have no clear law, why, and what to add."""
    labels: dict[str, list[str]] = {}
    for missing in missing_laws:
        labels.setdefault(f"({missing.reason}: {_help(missing)})", []).append(missing.label)
    return ", ".join(f"no clear law of {list_text(of)} {why}" for why, of in labels.items())


def _help(missing: MissingLaw) -> str:
    """Return which options of ``stepwall profile`` would help."""
    return f"profile with {'more ' if missing.options == '--steps' else ''}{missing.options}"


def _unknown(one: Crossover) -> str:
    return "within noise" if one.is_noisy else "too close for the laws"


def _outside(one: Crossover) -> list[str]:
    """Return what the laws predict beyond and below the measured lengths."""
    inside = [zone for zone in one.zones if not zone.predicted]
    if not inside:
        return []
    first, last = inside[0], inside[-1]
    beyond = _beyond_text(one, last)
    below = [
        _span_text(one, zone)
        for zone in _merged(zone for zone in one.zones if zone.last < first.first)
        if zone.least not in {(), first.least}
    ]
    start = f"predicted, measured from {count_text(first.first)}"
    return [*([beyond] if beyond else []), *([f"{start}: {' and '.join(below)}"] if below else [])]


def _beyond_text(one: Crossover, last: Zone) -> str | None:
    """Return what the laws predict beyond the last measured zone, or why they do not."""
    if one.not_predicted:
        # What is not known where it was measured is not missed further on.
        return _not_continued(last.last, one.not_predicted) if one.is_known else None
    beyond = _merged(zone for zone in one.zones if zone.first > last.last)
    if last.least and [zone.least for zone in beyond] == [last.least]:
        texts = [f"the same up to {steps_text(beyond[-1].last, one.axis)}"]
    else:
        texts = [_span_text(one, zone) for zone in beyond if zone.least]
    if texts:
        return f"predicted, measured to {count_text(last.last)}: {' and '.join(texts)}"
    return f"beyond {count_text(last.last)}: {_unknown(one)}" if last.least and beyond else None


def _not_continued(last: int, reason: str) -> str:
    return f"beyond {count_text(last)} not predicted ({reason})"


def _spans_text(one: Crossover, spans: Sequence[Zone]) -> str:
    """Return the spans in order; those that are not known stand in brackets."""
    if len(spans) == 1:
        return f"{_claim(one, spans[0].least)} at every measured length ({_range(spans[0])})"
    first, *more = [zone for zone in spans if zone.least]
    start = (
        f"up to {steps_text(first.last, one.axis)}" if first is spans[0] else _from(first, spans)
    )
    texts = [f"{_claim(one, first.least)} {start}"]
    texts += [f"{_from(zone, spans)} {_builds(one, zone.least)}" for zone in more]
    unknown = [zone for zone in spans if not zone.least]
    between = len(unknown) == 1 and unknown[0] not in {spans[0], spans[-1]}
    where = "between" if between else " and ".join(_range(zone) for zone in unknown)
    return ", ".join(texts) + (f" ({where}: {_unknown(one)})" if unknown else "")


def _from(zone: Zone, spans: Sequence[Zone]) -> str:
    end = "on" if zone is spans[-1] else f"to {count_text(zone.last)}"
    return f"from {count_text(zone.first)} {end}"


def _span_text(one: Crossover, zone: Zone) -> str:
    """Return a span outside the measured lengths."""
    return f"{_claim(one, zone.least)} at {counted(_range(zone), one.axis)}"


def _range(zone: Zone) -> str:
    first, last = count_text(zone.first), count_text(zone.last)
    return first if first == last else f"{first} to {last}"


def _claim(one: Crossover, least: Sequence[str]) -> str:
    """Return ``a needs less``, or which builds are equal."""
    if len(least) == len(one.labels):
        return _builds(one, least)
    (singular, plural), (two, more) = _VERBS[one.metric.unit]
    verb = singular if len(least) == 1 else plural
    return f"{_builds(one, least)} {verb} {two if len(one.labels) == _PAIR else more}"


def _builds(one: Crossover, least: Sequence[str]) -> str:
    if len(least) == len(one.labels):
        return "both are equal" if len(least) == _PAIR else "all are equal"
    return least[0] if len(least) == 1 else f"{list_text(least)} (equal)"


def _merged(zones: Iterable[Zone]) -> list[Zone]:
    """Return the zones with neighbours joined in which the same builds are least."""
    found: list[Zone] = []
    for zone in zones:
        merges = found and found[-1].least == zone.least
        first = found.pop().first if merges else zone.first
        found.append(replace(zone, first=first))
    return found


def versus_document(
    found: Sequence[Crossover], builds: Sequence[BuildCost], *, run: str, steps: int
) -> dict[str, Any]:
    """Return crossovers and costs as the document that ``--json`` prints: raw numbers."""
    return {
        "schema": SCHEMA,
        "run": run,
        "metrics": [_crossover(one) for one in found],
        "steps": steps,
        "scenarios": [cost_document(one) for one in builds],
    }


def _crossover(one: Crossover) -> dict[str, Any]:
    return {
        "metric": one.metric.name,
        "axis": one.axis,
        "unit": one.metric.unit,
        "scenarios": list(one.labels),
        "measured": to_json(one.measured),
        "until": one.zones[-1].last if one.zones else None,
        "zones": to_json(one.zones),
        "lengths": to_json(one.lengths),
        "missing_laws": to_json(one.missing_laws),
        "missing": list(one.missing),
        "not_predicted": one.not_predicted,
        "parallel": [
            {**to_json(order), "least": order.least, "agrees": order.agrees}
            for order in one.parallel
        ],
        "is_contradicted": one.is_contradicted if one.parallel else None,
        "text": crossover_text(one),
    }
