"""Whether a wall has moved: only if the steps that two searches leave open do not overlap.

What this leaves out: a wall of host memory may lie some steps off when it is searched again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from profiler.analysis.compare.comparison import WALL, ComparedNumber, Mark
from profiler.facts import Certificate, Point, WallStatus
from profiler.lengths import is_plural

Walls = Mapping[str, Certificate]


def wall_key(wall: Certificate) -> str:
    """Return a text that is equal for walls of equal conditions."""
    point = Point(
        framework=wall.framework,
        scenario=wall.scenario,
        family="",
        parameters=wall.parameters,
        steps=0,
        device=wall.device,
        limit_bytes=wall.limit_bytes,
        schedule=wall.schedule,
        axis=wall.axis,
    )
    # The means that limit a process do not count alike.
    return f"{wall.kind} {wall.limit_by} {point.key}"


def wall_rows(
    then: Walls, now: Walls, label: Callable[[Certificate], str]
) -> Iterator[ComparedNumber]:
    """Yield a row for each wall that both runs searched, by ``wall_key``."""
    for key, became in now.items():
        if key in then:
            yield _row(label(became), then[key], became)


def _row(label: str, was: Certificate, became: Certificate) -> ComparedNumber:
    notes = [_open_end(was, "before"), _open_end(became, "now")]
    # What ran and what a model says may differ though nothing became better or worse.
    is_alike = (was.status is WallStatus.REPLAYED) == (became.status is WallStatus.REPLAYED)
    return ComparedNumber(
        label=label,
        name=WALL,
        title=f"wall ({became.axis} that survive{'' if is_plural(became.axis) else 's'})",
        where=f"{became.kind} limit",
        unit="steps",
        before=_steps(was),
        after=_steps(became),
        mark=_mark(_left_open(was), _left_open(became)) if is_alike else Mark.UNCLEAR,
        note="; ".join(filter(None, notes)) or None,
        limit_bytes=became.limit_bytes,
    )


def _left_open(wall: Certificate) -> tuple[float, float]:
    """Return the fewest and the most steps that may be the last to survive."""
    return wall.last_ok or 0, math.inf if wall.first_oom is None else wall.first_oom - 1


def _mark(then: tuple[float, float], now: tuple[float, float]) -> Mark:
    if now[1] < then[0]:
        return Mark.WORSE
    if now[0] > then[1]:
        return Mark.BETTER
    return Mark.EQUAL if then == now and then[0] == then[1] else Mark.UNCLEAR


def _steps(wall: Certificate) -> float | None:
    """Return the most steps that survived; if none is known, the most that may."""
    most = _left_open(wall)[1]
    return wall.last_ok or (most if math.isfinite(most) else None)


def _open_end(wall: Certificate, when: str) -> str | None:
    """Return what is not known of the wall; None if it is exact."""
    if wall.status is WallStatus.EXACT:
        return None
    status = wall.status.value.replace("_", " ")
    until = (
        f" below {wall.first_oom:,}" if wall.status is WallStatus.BAND and wall.first_oom else ""
    )
    reason = f" ({wall.reason})" if wall.reason else ""
    return f"{status}{until} {when}{reason}"
