"""One explained training step as the page shows it: its memory over time, and who holds it."""

from __future__ import annotations

from itertools import pairwise

from profiler.facts import (
    Explanation,
    FrameworkFacts,
    Holding,
    Measurement,
    MemoryOverStep,
    PhaseRole,
    replace,
)
from profiler.facts.codec import Record
from reports.pages.columns import Table
from reports.texts.explanation import ExplainedStep, explanation_words
from reports.texts.story import formula

__all__ = ["COARSE", "FINE", "Detail", "HolderData", "StepData", "step_data"]


class Detail(Record, frozen=True, kw_only=True):
    """How much of each step a page keeps: moments, largest holders at each, rows of a table.

    What a table leaves out is summed up in one more row.
    """

    moments: int
    largest: int
    rows: int


FINE = Detail(moments=1_000, largest=5, rows=40)
COARSE = Detail(moments=60, largest=3, rows=12)
_IN_PARALLEL = {-1: "less", 0: "no difference is clear", 1: "more"}


class HolderData(Record, frozen=True, kw_only=True):
    """The largest holders at some moments of a step.

    ``names``, ``roles``: of every holder that is among the largest at any moment. ``largest``: for
    each moment pairs of a holder's number and its bytes, one after the other.
    """

    names: list[str]
    roles: list[str]
    largest: list[list[int]]


class StepData(Record, frozen=True, kw_only=True):
    """The memory of one training step, by role.

    ``wall``: the row of the wall that it is the last step of, in the table of walls; None for a
    point. ``event`` and ``bytes`` are differences: the first number, then what is added to it.
    ``holders``: who holds it at each moment; None where the run did not keep that.
    """

    build: int
    steps: int
    wall: int | None
    which: str
    part: str
    peak_bytes: int
    resident_bytes: int
    event: list[int]
    bytes: dict[str, list[int]]
    backward: int
    peak: int
    holders: HolderData | None
    held: Table
    tried: Table | None
    phases: Table | None
    story: list[str]
    advice: list[str]
    facts: list[list[str]]


def step_data(
    build: int, step: ExplainedStep, *, wall: int | None = None, detail: Detail = FINE
) -> StepData:
    """Return one explained training step of a build: a measured point, or the last of a wall."""
    explained, measurement = step.explained, step.measurement
    over = _thinned(explained.over_step, detail)
    story, facts = explanation_words(step)
    return StepData(
        build=build,
        steps=explained.steps,
        wall=wall,
        which=explained.step,
        part=explained.part,
        peak_bytes=explained.peak_bytes,
        resident_bytes=explained.resident_bytes,
        event=_differences(over.event),
        bytes={role: _differences(sizes) for role, sizes in _ordered(over).items()},
        backward=over.backward,
        peak=over.peak,
        holders=_holders(over),
        held=_held(explained, detail.rows),
        tried=_tried(explained),
        phases=_phases(measurement, step.framework) if measurement else None,
        story=list(story),
        advice=[one.text for one in explained.advice],
        facts=[list(pair) for pair in facts],
    )


def _thinned(over: MemoryOverStep, detail: Detail) -> MemoryOverStep:
    """Return the curves at fewer moments, the first, the last and the peak among them."""
    count = len(over.event)
    every = max(1, -(-count // detail.moments))
    kept = [
        at
        for at, event in enumerate(over.event)
        if at % every == 0 or at == count - 1 or event == over.peak
    ]
    holders = over.holders and replace(
        over.holders, largest=[over.holders.largest[at][: 2 * detail.largest] for at in kept]
    )
    return replace(
        over,
        event=[over.event[at] for at in kept],
        bytes={role: [sizes[at] for at in kept] for role, sizes in over.bytes.items()},
        holders=holders,
    )


def _differences(values: list[int]) -> list[int]:
    """Return the first value, then by how much each is more than the one before it."""
    return [*values[:1], *(after - before for before, after in pairwise(values))]


def _ordered(over: MemoryOverStep) -> dict[str, list[int]]:
    """Return the roles with what is held longest first: it lies at the bottom."""
    return dict(sorted(over.bytes.items(), key=lambda item: -min(item[1])))


def _holders(over: MemoryOverStep) -> HolderData | None:
    if over.holders is None:
        return None
    return HolderData(
        names=over.holders.ops, roles=over.holders.roles, largest=over.holders.largest
    )


def _held(explained: Explanation, most: int) -> Table:
    """Return who holds the memory at the peak, the largest first; the rest as one row."""
    shown, rest = explained.holdings[:most], explained.holdings[most:]
    rows = [(one.op, one.role, one.op_type, _each(explained, one), one.bytes) for one in shown]
    if rest:
        total = sum(one.bytes for one in rest)
        rows.append((f"{len(rest)} smaller ones", "", None, "", total))
    return Table.of_rows(
        "held",
        "Held at the peak",
        [
            ("op", "operation", "text"),
            ("role", "held for", "text"),
            ("op_type", "type", "text"),
            ("formula", "tensors", "text"),
            ("bytes", "bytes", "bytes"),
        ],
        rows,
    )


def _each(explained: Explanation, one: Holding) -> str:
    return formula(one, explained.steps, explained.axis)


def _tried(explained: Explanation) -> Table | None:
    if not explained.remedies:
        return None
    rows = [
        (
            *(one.name, one.peak_bytes, one.share, one.step_s),
            _IN_PARALLEL.get(one.parallel_sign or 0) if one.parallel_sign is not None else None,
            *(one.changes, one.reason),
        )
        for one in explained.remedies
    ]
    return Table.of_rows(
        "tried",
        "Tried on this step, to lower its peak",
        [
            ("name", "tried", "text"),
            ("peak_bytes", "peak", "bytes"),
            ("share", "difference", "share"),
            ("step_s", "time per step", "seconds"),
            ("parallel", "in the parallel schedule", "text"),
            ("changes", "what else it changes", "text"),
            ("reason", "why it has no number", "text"),
        ],
        rows,
    )


def _phases(measurement: Measurement, framework: FrameworkFacts) -> Table | None:
    """Return the host's memory and the seconds of each phase of the point."""
    details = {phase.name: phase.detail for phase in framework.phases}
    rows = [
        (
            *(framework.phase_title(phase.name), phase.seconds),
            *(phase.host_peak_bytes, phase.host_kept_bytes, details.get(phase.name)),
        )
        for phase in measurement.phases
        if phase.role is not PhaseRole.OVERHEAD
    ]
    if not rows:
        return None
    return Table.of_rows(
        "phases",
        "Host memory and time by phase",
        [
            ("phase", "phase", "text"),
            ("seconds", "took", "seconds"),
            ("peak", "peak over the baseline", "bytes"),
            ("kept", "kept after it", "bytes"),
            ("detail", "what takes it", "text"),
        ],
        rows,
    )
