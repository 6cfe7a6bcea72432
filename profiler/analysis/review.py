"""Whether a scenario can be measured and is worth it: judged from a few short points of it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence

from profiler.facts import Measurement, PhaseRole, Point, Record, Status, replace
from profiler.facts.codec import Bytes, Count
from profiler.lengths import counted

_SAY_WHICH = "say which lengths can be built: @scenario(multiple_of=..., at_least=...)"
_ASSERTION = "AssertionError"
# As ``Review.grows`` names the device's peak.
PEAK = "peak bytes"


class Level(enum.Enum):
    """How bad a remark is: an error cannot be measured, a warning is measured for nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Remark(Record, frozen=True, kw_only=True):
    """One thing that was found; ``where`` is a line of the user's code, as ``mine.py:12``."""

    level: Level
    text: str
    where: str | None = None


class ReviewedPoint(Record, frozen=True, kw_only=True):
    """The size of one point that was tried; ``nodes`` are those of the graph as built."""

    steps: Count
    status: Status
    nodes: Count | None = None
    peak_bytes: Bytes | None = None


class Review(Record, frozen=True, kw_only=True):
    """What was found of one scenario.

    ``lengths``: those of its points, as ``8 and 16 steps``. ``grows`` names what differs between
    them.
    """

    scenario: str
    source: str
    lengths: str
    points: list[ReviewedPoint]
    grows: list[str]
    remarks: list[Remark]

    @property
    def is_usable(self) -> bool:
        """Whether its points can be measured."""
        return all(remark.level is not Level.ERROR for remark in self.remarks)


def raised_at_build(run: Measurement) -> bool:
    """Whether the user's own code raised while the graph was built: another length may do."""
    end = run.outcome
    building = bool(run.phases) and run.phases[-1].role is PhaseRole.BUILD
    return end.status is Status.ERROR and end.where is not None and building


def judged(
    runs: Sequence[Measurement],
    again: Measurement | None = None,
    *,
    source: str,
    built_at: Sequence[int] = (),
) -> Review:
    """Return what the points say of their scenario.

    Args:
        runs: one point, or two of different lengths, the shorter one first.
        again: the first point measured once more, where equal points are meant to be equal.
        source: where its function stands, as ``mine.py:12``.
        built_at: other lengths, at which it was built, where building failed at those of ``runs``.
    """
    first, last = runs[0], runs[-1]
    failed = [run for run in runs if run.outcome.status is not Status.OK]
    built = [run.point.steps for run in runs if not raised_at_build(run)]
    elsewhere = [replace(first.point, steps=steps) for steps in [*built, *built_at]]
    remarks = [_failure(failed, elsewhere, source)] if failed else []
    grows = [] if failed else list(_differences(first, last))
    if not failed and len(runs) > 1 and not grows:
        remarks.append(_warning(_nothing_grows(first, last), source))
    if again is not None and not failed:
        remarks += [_warning(text, source) for text in _unrepeated(first, again)]
    notes = dict.fromkeys(note for run in runs for note in run.notes)
    remarks += [Remark(level=Level.NOTE, text=note) for note in notes]
    return Review(
        scenario=first.point.scenario,
        source=source,
        lengths=_lengths([run.point for run in runs]),
        points=[_tried(run) for run in runs],
        grows=grows,
        remarks=remarks,
    )


def _failure(failed: Sequence[Measurement], built: Sequence[Point], source: str) -> Remark:
    """Return the first failure, at which lengths it was, and what may be done about it."""
    first = failed[0]
    end = first.outcome
    reason = end.reason or end.status.value
    if end.status is not Status.ERROR:
        reason = f"{end.status.value}: {reason}"
    phase = f", in {end.phase}" if end.phase else ""
    text = f"{reason} (at {_lengths([run.point for run in failed])}{phase})"
    if raised_at_build(first) and built:
        text += f"; it can be built at {_lengths(built)}: {_SAY_WHICH}"
    elif (end.reason or "").startswith(_ASSERTION):
        text += f"; if the length is the cause, {_SAY_WHICH}"
    return Remark(level=Level.ERROR, text=text, where=end.where or source)


def _lengths(points: Sequence[Point]) -> str:
    return counted(" and ".join(str(point.steps) for point in points), points[0].axis)


def _warning(text: str, source: str) -> Remark:
    return Remark(level=Level.WARNING, text=text, where=source)


def _nothing_grows(first: Measurement, last: Measurement) -> str:
    return (
        f"{_lengths([first.point, last.point])} give the same graph, and need the same memory: "
        "is the function's first argument used?"
    )


def _unrepeated(first: Measurement, again: Measurement) -> Iterator[str]:
    if again.outcome.status is not Status.OK:
        yield f"not repeatable: running the same point again ended with {again.outcome.sentence}"
        return
    what = list(_differences(first, again))
    if what:
        values = [
            f"{name} {_quantities(first)[name]:,} and {_quantities(again)[name]:,}" for name in what
        ]
        yield (
            f"not repeatable: {_lengths([first.point])} measured twice gave {', '.join(values)}; "
            "does it draw the graph's shape at random?"
        )


def _differences(one: Measurement, other: Measurement) -> Iterator[str]:
    """Yield the names of the quantities that are known of both and differ."""
    theirs = _quantities(other)
    for name, value in _quantities(one).items():
        if name in theirs and theirs[name] != value:
            yield name


def _quantities(run: Measurement) -> Mapping[str, int]:
    """Return what is counted of a point to the last unit, by name, as far as it is known."""
    stages = run.graph.stages if run.graph else []
    found: dict[str, int | None] = {f"{stage.name} nodes": stage.nodes for stage in stages}
    if run.device is not None:
        found |= {PEAK: run.device.peak_bytes, "fed bytes": run.device.fed_bytes}
    return {name: value for name, value in found.items() if value is not None}


def _tried(run: Measurement) -> ReviewedPoint:
    return ReviewedPoint(
        steps=run.point.steps,
        status=run.outcome.status,
        nodes=run.graph.nodes if run.graph else None,
        peak_bytes=run.device.peak_bytes if run.device else None,
    )
