"""Which build needs less, by length, in sentences, a table and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from profiler.analysis.crossover.choices import BuildCost
from profiler.analysis.crossover.contests import Crossover, MissingLaw, contest
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import METRICS
from profiler.analysis.series import MetricSeries
from profiler.facts import SCHEMA, to_json
from profiler.store.frames import LoadedRun
from reports.tables.choices import choice_document
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import count_text, list_text, steps_text

__all__ = [
    "contest_lines",
    "contest_text",
    "contests",
    "versus_document",
    "versus_grid",
]

# Of one and of several; against one other and against more.
_VERBS = {
    "nodes": (("has", "have"), ("fewer", "fewest")),
    "bytes": (("needs", "need"), ("less", "least")),
    "seconds": (("is", "are"), ("faster", "fastest")),
}
_PAIR = 2


def contests(found: Sequence[MetricSeries]) -> list[Crossover]:
    """Return a contest for each metric that two curves or more have, in the metrics' order."""
    labels = dict.fromkeys(curve.label for curve in found)
    groups = [[curve for curve in found if curve.metric.name == m.name] for m in METRICS]
    return [
        replace(
            contest(group),
            missing=tuple(name for name in labels if name not in {c.label for c in group}),
        )
        for group in groups
        if len(group) >= _PAIR
    ]


def contest_lines(found: Sequence[Crossover]) -> list[str]:
    """Return a line for each metric, those of which there is no contest included."""
    texts = {one.metric.name: contest_text(one) for one in found}
    nothing = "cannot be told: fewer than two were measured"
    return [f"{metric.title}: {texts.get(metric.name, nothing)}" for metric in METRICS]


def versus_grid(loaded: LoadedRun) -> Grid:
    """Return who needs least by family and metric; of families of one build, nothing."""
    return Grid(
        headings=("family", "metric", "which build, at which steps"),
        numeric=(False, False, False),
        rows=tuple(
            GridRow(cells=(family, one.metric.title, contest_text(one)), failed=False)
            for family, members in loaded.family_curves().items()
            for one in contests(members)
        ),
    )


def contest_text(one: Crossover) -> str:
    """Return who needs least by length; what lies outside the measured lengths is marked so."""
    if one.measured is None:
        return "cannot be told: no length was measured of all"
    missing = [f"not measured: {list_text(one.missing)}"] if one.missing else []
    return "; ".join([*_within(one), *_outside(one), *missing])


def _within(one: Crossover) -> list[str]:
    """Return what is true of the measured lengths, and what is lacking."""
    spans = _merged(one.by_length)
    missing_laws = _lacks_text(one.missing_laws)
    if not one.is_told:
        why = missing_laws or f"{_unknown(one)} at every measured length, {_more(one)}"
        return [f"cannot be told: {why}"]
    if one.is_by_law:
        return [_spans_text(one, spans)]
    told = _spans_text(one, spans) if len(spans) == 1 else _lengths_text(one)
    return [f"as measured, {told}", f"elsewhere {missing_laws or _unknown(one)}"]


def _lengths_text(one: Crossover) -> str:
    """Return who is least at which of the measured lengths."""
    lengths: dict[tuple[str, ...], list[str]] = {}
    for zone in one.lengths:
        lengths.setdefault(zone.least, []).append(count_text(zone.first))
    unknown = lengths.pop((), [])
    first, *more = [(least, list_text(at)) for least, at in lengths.items()]
    texts = [f"{_claim(one, first[0])} at {first[1]} steps"]
    texts += [f"{_who(one, least)} at {at}" for least, at in more]
    return ", ".join(texts) + (f" (at {list_text(unknown)}: {_unknown(one)})" if unknown else "")


def _lacks_text(missing_laws: Sequence[MissingLaw]) -> str:
    """Return whose laws are lacking, why, and what to add."""
    labels: dict[str, list[str]] = {}
    for lack in missing_laws:
        labels.setdefault(f"({lack.reason}: add {lack.options})", []).append(lack.label)
    return ", ".join(f"no clear law of {list_text(who)} {why}" for why, who in labels.items())


def _unknown(one: Crossover) -> str:
    return "within noise" if one.is_noisy else "too close for the laws"


def _more(one: Crossover) -> str:
    return "add --repeats" if one.is_noisy else "add --steps"


def _outside(one: Crossover) -> list[str]:
    """Return what the laws say below and beyond the measured lengths."""
    inside = [zone for zone in one.zones if not zone.predicted]
    if not inside:
        return []
    below = _merged(zone for zone in one.zones if zone.last < inside[0].first)
    beyond = _merged(zone for zone in one.zones if zone.first > inside[-1].last)
    told = [_span_text(one, zone) for zone in below if zone.least not in {(), inside[0].least}]
    start = f"predicted, measured from {count_text(inside[0].first)}"
    texts = [_beyond_text(one, inside[-1], beyond)]
    return [*filter(None, texts), *([f"{start}: {' and '.join(told)}"] if told else [])]


def _beyond_text(one: Crossover, last: Zone, beyond: Sequence[Zone]) -> str | None:
    """Return what the laws say beyond the last measured zone, or why they do not."""
    if one.beyond:
        return f"beyond {count_text(last.last)} nothing is told ({one.beyond})"
    if last.least and [zone.least for zone in beyond] == [last.least]:
        told = [f"the same up to {steps_text(beyond[-1].last)}"]
    else:
        told = [_span_text(one, zone) for zone in beyond if zone.least]
    if told:
        return f"predicted, measured to {count_text(last.last)}: {' and '.join(told)}"
    return f"beyond {count_text(last.last)}: {_unknown(one)}" if last.least and beyond else None


def _spans_text(one: Crossover, spans: Sequence[Zone]) -> str:
    """Return the spans in order; what cannot be told stands in brackets."""
    if len(spans) == 1:
        return f"{_claim(one, spans[0].least)} at every measured length ({_range(spans[0])})"
    told = [zone for zone in spans if zone.least]
    texts = [_claim(one, told[0].least) + _place(told[0], spans)]
    texts += [
        f"from {count_text(zone.first)}{_end(zone, spans)} {_who(one, zone.least)}"
        for zone in told[1:]
    ]
    unknown = [zone for zone in spans if not zone.least]
    between = len(unknown) == 1 and unknown[0] not in {spans[0], spans[-1]}
    where = "between" if between else " and ".join(_range(zone) for zone in unknown)
    return ", ".join(texts) + (f" ({where}: {_unknown(one)})" if unknown else "")


def _place(zone: Zone, spans: Sequence[Zone]) -> str:
    """Return where the first span that is told lies among all."""
    if zone is spans[0]:
        return f" up to {steps_text(zone.last)}"
    return f" from {count_text(zone.first)}{_end(zone, spans)}"


def _end(zone: Zone, spans: Sequence[Zone]) -> str:
    return " on" if zone is spans[-1] else f" to {count_text(zone.last)}"


def _span_text(one: Crossover, zone: Zone) -> str:
    """Return a span outside the measured lengths."""
    where = steps_text(zone.first) if zone.first == zone.last else f"{_range(zone)} steps"
    return f"{_claim(one, zone.least)} at {where}"


def _range(zone: Zone) -> str:
    first, last = count_text(zone.first), count_text(zone.last)
    return first if first == last else f"{first} to {last}"


def _claim(one: Crossover, least: Sequence[str]) -> str:
    """Return ``a needs less``, or who is equal."""
    if len(least) == len(one.labels):
        return _who(one, least)
    (singular, plural), (two, more) = _VERBS[one.metric.unit]
    verb = singular if len(least) == 1 else plural
    return f"{_who(one, least)} {verb} {two if len(one.labels) == _PAIR else more}"


def _who(one: Crossover, least: Sequence[str]) -> str:
    if len(least) == len(one.labels):
        return "both are equal" if len(least) == _PAIR else "all are equal"
    return least[0] if len(least) == 1 else f"{list_text(least)} (equal)"


def _merged(zones: Iterable[Zone]) -> list[Zone]:
    """Return one zone for neighbours of which the same is true."""
    found: list[Zone] = []
    for zone in zones:
        merges = found and found[-1].least == zone.least
        first = found.pop().first if merges else zone.first
        found.append(replace(zone, first=first))
    return found


def versus_document(
    found: Sequence[Crossover], builds: Sequence[BuildCost], *, run: str, steps: int
) -> dict[str, Any]:
    """Return contests and choices as the document that ``--json`` prints: raw numbers."""
    return {
        "schema": SCHEMA,
        "run": run,
        "metrics": [_contest(one) for one in found],
        "steps": steps,
        "scenarios": [choice_document(one) for one in builds],
    }


def _contest(one: Crossover) -> dict[str, Any]:
    last = one.zones[-1].last if one.zones else None
    return {
        "metric": one.metric.name,
        "unit": one.metric.unit,
        "scenarios": list(one.labels),
        "measured": to_json(one.measured),
        "told_to": last,
        "zones": to_json(one.zones),
        "lengths": to_json(one.lengths),
        "missing_laws": to_json(one.missing_laws),
        "missing": list(one.missing),
        "beyond": one.beyond,
        "text": contest_text(one),
    }
