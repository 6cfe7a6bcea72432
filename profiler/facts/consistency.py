"""What the fields of one record must be to each other, beyond the type of each."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.facts.codec import RecordError
from profiler.facts.explanation import Explanation, HoldersOverStep, MemoryOverStep
from profiler.facts.measurement import Measurement, Timeline
from profiler.facts.wall import Certificate, WallStatus

_NEEDS_LAST_OK = {WallStatus.EXACT, WallStatus.BAND, WallStatus.AT_LEAST}
_NEEDS_FIRST_OOM = {WallStatus.EXACT, WallStatus.BAND, WallStatus.AT_MOST}


def check(fact: object) -> None:
    """Check a measurement or a wall; other records have no such fields.

    Raises:
        RecordError: naming the field that does not fit the others.
    """
    found = next(_faults(fact), None)
    if found is not None:
        place, text = found
        raise RecordError(f"{text} - at `$.{place}`")


def _faults(fact: object) -> Iterator[tuple[str, str]]:
    if isinstance(fact, Measurement):
        if fact.timeline is not None:
            yield from _timeline(fact.timeline)
        if fact.trace is not None:
            yield from _explanation(fact.trace, "trace")
    if isinstance(fact, Certificate):
        yield from _wall(fact)
        if fact.explanation is not None:
            yield from _explanation(fact.explanation, "explanation")


def _timeline(timeline: Timeline) -> Iterator[tuple[str, str]]:
    if len(timeline.time_s) != len(timeline.rss_bytes):
        yield "timeline.rss_bytes", "Expected as many as times"


def _wall(wall: Certificate) -> Iterator[tuple[str, str]]:
    if wall.multiple_of < 1:
        yield "multiple_of", "Expected `int` >= 1"
    if wall.last_ok is None and wall.status in _NEEDS_LAST_OK:
        yield "last_ok", f"Expected `int`, as the wall is {wall.status.value}"
    if wall.first_oom is None and wall.status in _NEEDS_FIRST_OOM:
        yield "first_oom", f"Expected `int`, as the wall is {wall.status.value}"
    has_ends = wall.status in _NEEDS_LAST_OK & _NEEDS_FIRST_OOM
    if wall.status is WallStatus.REPLAYED:
        has_ends = wall.last_ok is not None and wall.first_oom is not None
        if wall.last_ok is None and wall.first_oom is None:
            yield "first_oom", "Expected `int` there or in last_ok, as the wall is replayed"
    if has_ends and (wall.first_oom or 0) <= (wall.last_ok or 0):
        yield "first_oom", "Expected more than last_ok"


def _explanation(explained: Explanation, place: str) -> Iterator[tuple[str, str]]:
    yield from _over_step(explained.over_step, f"{place}.over_step")
    for name in ("growth", "graph_growth"):
        grown = getattr(explained, name)
        if grown is not None and (len(grown.between) != 2 or grown.between[0] >= grown.between[1]):  # noqa: PLR2004
            yield f"{place}.{name}.between", "Expected two ascending lengths"


def _over_step(over: MemoryOverStep, place: str) -> Iterator[tuple[str, str]]:
    if not over.event or over.event != sorted(over.event):
        yield f"{place}.event", "Expected one number or more, ascending"
    for role, sizes in over.bytes.items():
        if len(sizes) != len(over.event):
            yield f"{place}.bytes.{role}", "Expected as many as events"
    if over.holders is not None:
        yield from _holders(over.holders, len(over.event), f"{place}.holders")


def _holders(holders: HoldersOverStep, events: int, place: str) -> Iterator[tuple[str, str]]:
    if len(holders.roles) != len(holders.ops):
        yield f"{place}.roles", "Expected as many as ops"
    if len(holders.largest) != events:
        yield f"{place}.largest", "Expected as many as events"
    for at, pairs in enumerate(holders.largest):
        if len(pairs) % 2 or any(op >= len(holders.ops) for op in pairs[::2]):
            yield f"{place}.largest[{at}]", "Expected positions in ops, each with its bytes"
