"""From how many steps on a graph is larger than its framework can serialize.

Serialized nodes carry numbered names, so a step adds the more bytes the more digits its number
has. So the bytes over T steps are ``a + b·T + c·D(T)``, with D(T) the digits of all numbers below
T. What this leaves out: graphs whose growth is of another kind, for which nothing is predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from profiler.analysis.metrics import GRAPH_BYTES
from profiler.facts import Measurement, SizeLimit
from profiler.lengths import STEPS

# A, b and c, and one more length that proves them.
_LENGTHS = 4
# The law must be right to this share at lengths that it was not fitted to.
_MOST_WRONG = 0.01
# Other numbers in a graph take more bytes, too, as they grow: an interval is no narrower than this.
_LEAST_WRONG = 0.001
# A wall that may be off by a larger share of its steps is not reported.
_WIDEST = 0.1
_MAX_STEPS = 10**9
_SAME_DIGITS = (
    "all measured lengths have the same number of digits: how names grow with digits is not known"
)


@dataclass(frozen=True, kw_only=True)
class SizeWall:
    """Where a graph that grows reaches a limit of its framework; not run.

    Args:
        limit: what is reached.
        steps: the most steps that stay within it; None where that is not known.
        low: with ``high`` where it is expected, by how far off the law was at lengths that it
            was not fitted to, a thousandth at least, and by where laws without one of the lengths
            meet the limit.
        high: see ``low``.
        per_step: bytes that the last measured step added, by the law.
        measured_to: the longest measured length.
        reason: why it is not known.
        axis: the name of what is counted as steps.
    """

    limit: SizeLimit
    steps: int | None
    low: int | None
    high: int | None
    per_step: float | None
    measured_to: int
    reason: str | None = None
    axis: str = STEPS


def size_walls(
    measurements: Sequence[Measurement], limits: Sequence[SizeLimit]
) -> tuple[SizeWall, ...]:
    """Return where one series' graph reaches each limit on its bytes; none where it stays."""
    found: dict[int, float | None] = {}
    for one in measurements:
        built = one.trace.graph_bytes if one.trace else {}
        found |= {int(steps): size for steps, size in built.items()}
        found[one.point.steps] = GRAPH_BYTES.value(one)
    points = {steps: value for steps, value in sorted(found.items()) if value}
    values = list(points.values())
    # The numbers in a loop's shapes take some bytes more, too: its graph stays.
    if len(points) < 2 or values[-1] <= (1 + _MOST_WRONG) * values[0]:  # noqa: PLR2004
        return ()
    axis = measurements[0].point.axis
    return tuple(
        replace(_wall(points, one), axis=axis) for one in limits if one.metric == GRAPH_BYTES.name
    )


def _wall(points: dict[int, float], limit: SizeLimit) -> SizeWall:
    last = max(points)
    unknown = SizeWall(
        limit=limit, steps=None, low=None, high=None, per_step=None, measured_to=last
    )
    if len(points) < _LENGTHS:
        return replace(unknown, reason=f"it needs {_LENGTHS} lengths, there are {len(points)}")
    law = _fit(points)
    wrong = max(_off(law, points), _held_out(points), _LEAST_WRONG)
    if wrong > _MOST_WRONG:
        return replace(
            unknown, reason="its growth is not linear, apart from the digits of its names"
        )
    per_step = float(_at(law, last) - _at(law, last - 1))
    if per_step <= 0:
        return replace(unknown, reason="it does not grow at the longest measured length")
    # Never below what was measured within the limit.
    inside = max((steps for steps, value in points.items() if value <= limit.most), default=0)
    steps, low, high = (
        max(inside, _most(law, limit.most / (1 + share))) for share in (0.0, wrong, -wrong)
    )
    # So far beyond the lengths, a law without one of them may meet the limit elsewhere: by as much
    # may this one be off, to either side.
    off = max(abs(_most(one, limit.most) - steps) for one in _without_each(points))
    low, high = min(low, max(inside, steps - off)), max(high, steps + off)
    if high - steps > _WIDEST * steps:
        return replace(unknown, reason=f"so far beyond {last} it may be off by {off:,}")
    if not _tells_digits(points) and len(str(high)) > len(str(last)):
        return replace(unknown, reason=_SAME_DIGITS)
    return SizeWall(
        limit=limit,
        steps=steps,
        low=min(low, max(inside, steps - 1)),
        high=max(high, steps + 1),
        per_step=per_step,
        measured_to=last,
    )


def digits(steps: int) -> int:
    """Return how many digits all numbers below ``steps`` have together."""
    total, start, width = 0, 0, 1
    while start < steps:
        end = min(steps, 10**width)
        total += (end - start) * width
        start, width = end, width + 1
    return total


def _terms(steps: int) -> list[float]:
    return [1.0, float(steps), float(digits(steps))]


def _fit(points: dict[int, float]) -> list[float]:
    """Return a, b and c that are best in relative terms; without names that grow, c is 0."""
    values = np.array(list(points.values()))
    rows = np.array([_terms(steps) for steps in points]) / values[:, None]
    columns = 3 if _tells_digits(points) else 2
    found, *_ = np.linalg.lstsq(rows[:, :columns], np.ones(len(values)))
    return [*map(float, found), 0.0][:3]


def _tells_digits(points: dict[int, float]) -> bool:
    """Whether c can be determined: between two powers of ten D(T) is a line, as T is."""
    rows = np.array([_terms(steps) for steps in points]) / np.array(list(points.values()))[:, None]
    return bool(np.linalg.matrix_rank(rows) == rows.shape[1])


def _at(law: Sequence[float], steps: int) -> float:
    a, b, c = law
    return a + b * steps + c * digits(steps)


def _off(law: Sequence[float], points: dict[int, float]) -> float:
    return max(abs(_at(law, steps) / value - 1) for steps, value in points.items())


def _without_each(points: dict[int, float]) -> list[list[float]]:
    """Return the laws without one length each."""
    return [_fit({n: points[n] for n in points if n != left_out}) for left_out in points]


def _held_out(points: dict[int, float]) -> float:
    """Return how far off the law of all but the longest length is there."""
    *shorter, last = points
    return _off(_fit({steps: points[steps] for steps in shorter}), {last: points[last]})


def _most(law: Sequence[float], most: float) -> int:
    fits, fails = 0, _MAX_STEPS + 1
    while fails - fits > 1:
        middle = (fits + fails) // 2
        fits, fails = (middle, fails) if _at(law, middle) <= most else (fits, middle)
    return fits
