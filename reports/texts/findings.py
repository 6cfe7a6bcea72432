"""What a run shows, in sentences computed from its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from profiler.analysis.laws import Law
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries
from profiler.facts import Measurement, Status
from profiler.lengths import STEPS, counted, one_of
from reports.texts.graph_size import size_sentences
from reports.texts.numbers import (
    count_text,
    list_text,
    outcome_text,
    rate_text,
    steps_text,
)
from reports.texts.walls import (
    prediction_sentences,
    price_sentences,
    shortage_sentences,
    wall_groups,
    wall_pair,
    wall_sentence,
)

__all__ = ["Findings", "Slope", "findings", "slope"]

_NODES, _BACKPROP = "nodes", "backprop"
_MOST_NAMED = 5
_STRAIGHT = {"constant", "linear"}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """At most two headlines, and the other sentences."""

    headlines: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How a series grows: by its law where that is a line, else between its two ends.

    ``exact`` means three or more lengths that all lie on one straight line.
    """

    label: str
    first_steps: int
    last_steps: int
    first: Fraction
    last: Fraction
    per_step: Fraction
    exact: bool
    axis: str = STEPS

    @property
    def is_constant(self) -> bool:
        """Whether every point has the same value."""
        return self.exact and self.first == self.last

    @property
    def span(self) -> str:
        """The measured steps, as ``8 to 256 steps``."""
        ends = f"{count_text(self.first_steps)} to {count_text(self.last_steps)}"
        return counted(ends, self.axis)


def findings(results: RunResults) -> Findings:
    """Return the sentences of a run: its contrasts first."""
    found = results.family_series
    nodes = [(family, _slopes(each, _NODES)) for family, each in results.comparable_series]
    memory = [(family, _slopes(each, _BACKPROP)) for family, each in results.comparable_series]
    contrast = max((_contrast(grown) for _, grown in nodes if grown), key=_steepness, default=[])
    pair = wall_pair(results, [one.label for one in contrast])
    second = [wall_sentence(pair)] if pair else _memory_headline(memory, contrast)
    headlines = [*_node_headline(contrast), *second]
    details = [
        *(_node_sentence(name, grown) for name, grown in nodes if _has_more(grown, contrast)),
        *(_memory_sentence(name, grown) for name, grown in memory if grown),
        *size_sentences(results),
        *_single_sentences(found),
        *(wall_sentence(group) for group in wall_groups(results) if _has_more(group, pair)),
        *(sentence for group in wall_groups(results) for sentence in shortage_sentences(group)),
        *prediction_sentences(results),
        *price_sentences(results),
        *_failure_sentences(results),
    ]
    missing = 2 - len(headlines)
    details = [sentence for sentence in details if sentence not in headlines]
    headlines, details = headlines + details[:missing], details[missing:]
    return Findings(
        headlines=tuple(headlines) or ("Nothing was measured in this run.",),
        details=tuple(details),
    )


def slope(series: MetricSeries) -> Slope | None:
    """Return how a series grows; None where it has fewer than two lengths."""
    lengths = sorted({steps for steps, _ in series.points})
    if len(lengths) < 2:  # noqa: PLR2004 - a slope needs two lengths
        return None
    first, last = (Fraction(median(series.values_at(lengths[end]))) for end in (0, -1))
    law = series.clear_law
    straight = law is not None and law.kind in _STRAIGHT
    between = (last - first) / (lengths[-1] - lengths[0])
    return Slope(
        label=series.label,
        first_steps=lengths[0],
        last_steps=lengths[-1],
        first=first,
        last=last,
        per_step=_law_slope(law) if law is not None and straight else between,
        exact=law is not None and straight and law.exact and not law.outliers,
        axis=series.conditions.axis,
    )


def _law_slope(law: Law) -> Fraction:
    return Fraction(law.coefficients[1]) if len(law.coefficients) > 1 else Fraction()


def _slopes(found: Sequence[MetricSeries], metric: str) -> list[Slope]:
    grown = (slope(series) for series in found if series.metric.name == metric)
    return [one for one in grown if one is not None]


def _steepness(grown: Sequence[Slope]) -> Fraction:
    return max(one.per_step for one in grown)


def _contrast(grown: Sequence[Slope]) -> list[Slope]:
    """Return the series that grows most, and beside it one that stays, or grows least."""
    ordered = sorted(grown, key=lambda one: -one.per_step)
    return [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered


def _has_more(items: Sequence[object], shown: Sequence[object]) -> bool:
    """Return whether something here is in no headline."""
    return any(item not in shown for item in items)


def _adds(one: Slope) -> str:
    verb, about = ("adds" if one.per_step >= 0 else "loses"), ("" if one.exact else "about ")
    return f"{one.label} {verb} {about}{rate_text(float(abs(one.per_step)))}"


def _stays(one: Slope) -> str:
    return f"{one.label} stays at {count_text(float(one.last))} nodes"


def _node_headline(contrast: Sequence[Slope]) -> list[str]:
    if not contrast:
        return []
    most, least = contrast[0], contrast[-1]
    if most.is_constant:
        return [f"{_stays(most)} over {most.span}."]
    exactly = " (exact at every measured point)" if most.exact else ""
    every = "time step" if most.axis == STEPS else one_of(most.axis)
    text = f"{_adds(most)} nodes to its graph for every {every} over {most.span}{exactly}"
    if least.is_constant:
        text += f"; {_stays(least)} at every length"
    elif least is not most:
        text += f"; {_adds(least)}"
    return [f"{text}."]


def _node_sentence(family: str, grown: Sequence[Slope]) -> str:
    constant: dict[str, list[str]] = {}
    growing: dict[str, list[str]] = {}
    for one in sorted(grown, key=lambda g: -g.per_step):
        if one.is_constant:
            constant.setdefault(count_text(float(one.last)), []).append(one.label)
        else:
            exactly = "exact " if one.exact else ""
            growing.setdefault(f"{exactly}over {one.span}", []).append(_adds(one))
    per = one_of(grown[0].axis)
    clauses = [f"{list_text(rates)} nodes per {per} ({how})" for how, rates in growing.items()]
    clauses += [
        f"{list_text(names)} {'stays' if len(names) == 1 else 'stay'} at {value} nodes"
        for value, names in constant.items()
    ]
    return f"Graph size in {family}: {'; '.join(clauses)}."


def _memory_sentence(family: str, grown: Sequence[Slope]) -> str:
    spans: dict[str, list[str]] = {}
    for one in sorted(grown, key=lambda g: -g.per_step):
        rate = f"{one.label} {float(one.per_step) / 1024:,.1f} KiB"
        spans.setdefault(one.span, []).append(rate)
    clauses = [f"{list_text(rates)} (over {span})" for span, rates in spans.items()]
    unit = one_of(grown[0].axis)
    return f"Backprop memory that one more {unit} takes in {family}: {'; '.join(clauses)}."


def _memory_headline(
    memory: Sequence[tuple[str, Sequence[Slope]]], contrast: Sequence[Slope]
) -> list[str]:
    """Return the memory sentence of the contrasted series, for a run without walls."""
    names = {one.label for one in contrast}
    named = [(family, [one for one in grown if one.label in names]) for family, grown in memory]
    return [_memory_sentence(family, grown) for family, grown in named if grown][:1]


def _single_sentences(found: Mapping[str, Sequence[MetricSeries]]) -> list[str]:
    """Return a sentence per family in which no series has two lengths."""
    sizes = {
        family: [series for series in each if series.metric.name == _NODES]
        for family, each in found.items()
    }
    return [
        f"{list_text([_single(series) for series in each])}."
        for each in sizes.values()
        if each and all(slope(series) is None for series in each)
    ]


def _single(series: MetricSeries) -> str:
    steps = series.last
    nodes = count_text(series.values_at(steps)[0])
    return f"{series.label} has {nodes} nodes at {steps_text(steps, series.conditions.axis)}"


def _failure_sentences(results: RunResults) -> list[str]:
    failed = [(label, m) for label, m in results.measurements if m.outcome.status.is_failure]
    if not failed:
        return []
    total = sum(m.outcome.status is not Status.SKIPPED for _, m in results.measurements)
    verb = "point" if total == 1 else "points"
    return [f"{len(failed)} of {count_text(total)} {verb} failed: {_failures(failed)}."]


def _failures(failed: Sequence[tuple[str, Measurement]]) -> str:
    if len(failed) > _MOST_NAMED:
        counts = Counter(outcome_text(m.outcome.status) for _, m in failed)
        return list_text([f"{count} {text}" for text, count in counts.items()])
    ends = [
        (label, steps_text(m.point.steps, m.point.axis), outcome_text(m.outcome.status))
        for label, m in failed
    ]
    return list_text([f"{label} at {at} ({end})" for label, at, end in ends])
