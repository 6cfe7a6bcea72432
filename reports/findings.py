"""What a run shows, in sentences computed from its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from profiler.frames import LoadedRun
from profiler.results import Measurement, Status
from reports.series import Metric, Panel, Series, panels
from reports.text import (
    count_text,
    list_text,
    outcome_text,
    rate_text,
    steps_text,
)
from reports.walls import (
    prediction_sentences,
    price_sentences,
    shortage_sentences,
    wall_groups,
    wall_pair,
    wall_sentence,
)

__all__ = ["Findings", "Growth", "findings", "growth"]

_NODES = Metric(columns=("total_nodes",), title="nodes", unit="nodes", from_failed=True)
_BACKPROP = Metric(columns=("backprop_bytes",), title="backprop memory", unit="bytes")
_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Findings:
    """At most two headlines, and the other sentences."""

    headlines: tuple[str, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How a series grows between its fewest and its most steps.

    ``exact`` means three or more points that all lie on one straight line.
    """

    label: str
    first_steps: int
    last_steps: int
    first: Fraction
    last: Fraction
    exact: bool

    @property
    def per_step(self) -> Fraction:
        """What one more step adds, between the two ends."""
        return (self.last - self.first) / (self.last_steps - self.first_steps)

    @property
    def is_constant(self) -> bool:
        """Whether every point has the same value."""
        return self.exact and self.first == self.last

    @property
    def span(self) -> str:
        """The measured steps, as ``8 to 256 steps``."""
        return f"{count_text(self.first_steps)} to {count_text(self.last_steps)} steps"


def findings(loaded: LoadedRun) -> Findings:
    """Return the sentences of a run: its contrasts first."""
    nodes = {panel.family: _growths(panel) for panel in panels(loaded, _NODES)}
    memory = {panel.family: _growths(panel) for panel in panels(loaded, _BACKPROP)}
    contrast = max(
        (_contrast(grown) for grown in nodes.values() if grown), key=_steepness, default=[]
    )
    pair = wall_pair(loaded, [one.label for one in contrast])
    second = [wall_sentence(pair)] if pair else _memory_headline(memory, contrast)
    headlines = [*_node_headline(contrast), *second]
    details = [
        *(
            _node_sentence(name, grown)
            for name, grown in nodes.items()
            if _has_more(grown, contrast)
        ),
        *(_memory_sentence(name, grown) for name, grown in memory.items() if grown),
        *_single_sentences(loaded),
        *(wall_sentence(group) for group in wall_groups(loaded) if _has_more(group, pair)),
        *(sentence for group in wall_groups(loaded) for sentence in shortage_sentences(group)),
        *prediction_sentences(loaded),
        *price_sentences(loaded),
        *_failure_sentences(loaded),
    ]
    missing = 2 - len(headlines)
    details = [sentence for sentence in details if sentence not in headlines]
    headlines, details = headlines + details[:missing], details[missing:]
    return Findings(
        headlines=tuple(headlines) or ("Nothing was measured in this run.",),
        details=tuple(details),
    )


def growth(series: Series) -> Growth | None:
    """Return how a series grows; None where it has fewer than two numbers of steps."""
    if len(series.spots) < 2:  # noqa: PLR2004 - a slope needs two points
        return None
    points = [(spot.steps, Fraction(spot.median)) for spot in series.spots]
    slopes = {(b - a) / (t - s) for (s, a), (t, b) in pairwise(points)}
    return Growth(
        label=series.label,
        first_steps=points[0][0],
        last_steps=points[-1][0],
        first=points[0][1],
        last=points[-1][1],
        exact=len(points) > 2 and len(slopes) == 1,  # noqa: PLR2004 - two points are always a line
    )


def _growths(panel: Panel) -> list[Growth]:
    found = [growth(series) for series in panel.series]
    return [one for one in found if one is not None]


def _steepness(grown: Sequence[Growth]) -> Fraction:
    return max(one.per_step for one in grown)


def _contrast(grown: Sequence[Growth]) -> list[Growth]:
    """Return the series that grows most, and beside it one that stays, or grows least."""
    ordered = sorted(grown, key=lambda one: -one.per_step)
    return [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered


def _has_more(items: Sequence[object], told: Sequence[object]) -> bool:
    """Return whether something here has not been told in a headline."""
    return any(item not in told for item in items)


def _adds(one: Growth) -> str:
    verb, about = ("adds" if one.per_step >= 0 else "loses"), ("" if one.exact else "about ")
    return f"{one.label} {verb} {about}{rate_text(float(abs(one.per_step)))}"


def _stays(one: Growth) -> str:
    return f"{one.label} stays at {count_text(float(one.last))} nodes"


def _node_headline(contrast: Sequence[Growth]) -> list[str]:
    if not contrast:
        return []
    most, least = contrast[0], contrast[-1]
    if most.is_constant:
        return [f"{_stays(most)} over {most.span}."]
    exactly = " (exact at every measured point)" if most.exact else ""
    text = f"{_adds(most)} nodes to its graph for every time step over {most.span}{exactly}"
    if least.is_constant:
        text += f"; {_stays(least)} at every length"
    elif least is not most:
        text += f"; {_adds(least)}"
    return [f"{text}."]


def _node_sentence(family: str, grown: Sequence[Growth]) -> str:
    constant: dict[str, list[str]] = {}
    growing: dict[str, list[str]] = {}
    for one in sorted(grown, key=lambda g: -g.per_step):
        if one.is_constant:
            constant.setdefault(count_text(float(one.last)), []).append(one.label)
        else:
            exactly = "exact " if one.exact else ""
            growing.setdefault(f"{exactly}over {one.span}", []).append(_adds(one))
    clauses = [f"{list_text(rates)} nodes per step ({how})" for how, rates in growing.items()]
    clauses += [
        f"{list_text(names)} {'stays' if len(names) == 1 else 'stay'} at {value} nodes"
        for value, names in constant.items()
    ]
    return f"Graph size in {family}: {'; '.join(clauses)}."


def _memory_sentence(family: str, grown: Sequence[Growth]) -> str:
    spans: dict[str, list[str]] = {}
    for one in sorted(grown, key=lambda g: -g.per_step):
        rate = f"{one.label} {float(one.per_step) / 1024:,.1f} KiB"
        spans.setdefault(one.span, []).append(rate)
    clauses = [f"{list_text(rates)} (over {span})" for span, rates in spans.items()]
    return f"Backprop memory that one more step takes in {family}: {'; '.join(clauses)}."


def _memory_headline(
    memory: Mapping[str, Sequence[Growth]], contrast: Sequence[Growth]
) -> list[str]:
    """Return the memory sentence of the contrasted series, for a run without walls."""
    names = {one.label for one in contrast}
    told = {
        family: [one for one in grown if one.label in names] for family, grown in memory.items()
    }
    return [_memory_sentence(family, grown) for family, grown in told.items() if grown][:1]


def _single_sentences(loaded: LoadedRun) -> list[str]:
    """Return a sentence per family in which no series has two numbers of steps."""
    return [
        f"{list_text([_single(series) for series in panel.series if series.spots])}."
        for panel in panels(loaded, _NODES)
        if any(series.spots for series in panel.series) and not _growths(panel)
    ]


def _single(series: Series) -> str:
    spot = series.spots[0]
    return f"{series.label} has {count_text(spot.median)} nodes at {steps_text(spot.steps)}"


def _failure_sentences(loaded: LoadedRun) -> list[str]:
    labels = loaded.measurements["label"]
    failed = [
        (str(label), m)
        for label, m in zip(labels, loaded.run.measurements, strict=True)
        if m.outcome.status is not Status.OK
    ]
    if not failed:
        return []
    total = len(loaded.run.measurements)
    verb = "point" if total == 1 else "points"
    return [f"{len(failed)} of {count_text(total)} {verb} failed: {_failures(failed)}."]


def _failures(failed: Sequence[tuple[str, Measurement]]) -> str:
    if len(failed) > _MOST_NAMED:
        counts = Counter(outcome_text(m.outcome.status.value) for _, m in failed)
        return list_text([f"{count} {text}" for text, count in counts.items()])
    return list_text(
        [
            f"{label} at {steps_text(m.point.steps)} ({outcome_text(m.outcome.status.value)})"
            for label, m in failed
        ]
    )
