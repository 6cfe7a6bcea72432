"""Where a search begins: steps are recorded ever nearer to the wall."""

from __future__ import annotations

import math
from dataclasses import replace

from profiler.facts import WallPrediction
from profiler.forecast.demand import apart
from profiler.forecast.recordings import Recordings
from profiler.forecast.search import extrapolated
from profiler.forecast.trace import Trace

# So many steps are recorded, none of which may need much more than the largest limit.
_TRIES, _MOST_BYTES = 6, 1 << 30
# Nor is one recorded that is so many times longer than one that fits.
_GROWTH = 4
# An edge is known by a recorded length that is so small a share of it away, ...
_CLOSE = 0.02
# ... but for this share, as packing is ragged. Between recorded lengths that allocate the same
# in the same order, only sizes differ: that is replayed, and known from so near.
_OFF, _CLOSE_BY_REPLAY = 0.01, 0.002
_REPLAYS = 64


def near_wall(recordings: Recordings, limit_bytes: int, max_steps: int) -> WallPrediction | None:
    """Return about the most steps that fit, found by recording some that need about the limit.

    None where the limit is too large for that, where what is recorded comes no nearer to it, or
    where a run fails.

    Args:
        recordings: what was recorded so far; what is recorded here is added.
        limit_bytes: the limit on the device's memory.
        max_steps: the most that may be recorded.
    """
    if limit_bytes > _MOST_BYTES:
        return None
    for left in reversed(range(_TRIES + 1)):
        needs = {steps: recordings.need(steps) for steps in recordings.lengths}
        low = max((steps for steps, need in needs.items() if need <= limit_bytes), default=0)
        high = min((steps for steps in needs if steps > low), default=None)
        edge = _edge(needs, low, high, limit_bytes)
        if edge is None:
            return None
        aim = edge
        if edge - low <= max(1, _CLOSE * edge):
            replayed = _by_replay(recordings, sorted(needs), low, limit_bytes)
            aim = edge if replayed is None else replayed
            is_close = replayed is None or replayed - low <= max(1, _CLOSE_BY_REPLAY * edge)
            if is_close or not left:
                return _prediction(list(needs), min(aim, max_steps))
        elif high is not None and high - edge <= _CLOSE * edge:
            return _prediction(list(needs), min(edge, max_steps))
        steps = min(max(int(aim), low + 1), _GROWTH * low, max_steps)
        if not left or steps in needs or not recordings.can_record(steps):
            return None
    return None


def _edge(needs: dict[int, int], low: int, high: int | None, limit_bytes: int) -> float | None:
    """Return where what steps need meets the limit, by the steps that are nearest to it."""
    if not low:
        return None
    if high is not None:
        share = (limit_bytes - needs[low]) / (needs[high] - needs[low])
        return low + share * (high - low)
    found = extrapolated(needs, limit_bytes)
    return found and _less_steep(needs, found[0], limit_bytes)


def _less_steep(needs: dict[int, int], edge: float, limit_bytes: int) -> float:
    """Return the edge along a parabola where growth slows down, else as it is.

    A parabola that never meets the limit shows that it is farther away: twice as far.
    """
    points = apart(needs.items())[-3:]
    if len(points) < 3:  # noqa: PLR2004 (of a parabola)
        return edge
    (n1, need1), (n2, need2), (n3, need3) = points
    slope = (need3 - need2) / (n3 - n2)
    bend = (slope - (need2 - need1) / (n2 - n1)) / (n3 - n1)
    steepness = slope + bend * (n3 - n2)
    room = limit_bytes - need3
    if bend >= 0:
        return edge
    root = steepness**2 + 4 * bend * room
    if steepness <= 0 or root <= 0:
        return n3 + 2 * (edge - n3)
    return n3 + 2 * room / (steepness + math.sqrt(root))


def _by_replay(recordings: Recordings, known: list[int], low: int, limit_bytes: int) -> int | None:
    """Return the most steps from ``low`` on that fit, each one's sizes on a line through two.

    None where the two nearest recorded lengths do not allocate the same, or where all fit.
    """
    near = sorted(sorted(known, key=lambda steps: abs(steps - low))[:2])
    first, second = map(recordings.trace, near)
    if [one for one, _ in first.events] != [one for one, _ in second.events]:
        return None

    def fits(steps: int) -> bool:
        share = (steps - near[0]) / (near[1] - near[0])
        return recordings.allocator.fits(_between(first, second, share), limit_bytes)

    # Packing is ragged: it is the first that does not fit that counts, so strides are short.
    stride = max(1, int(_CLOSE * low / _REPLAYS))
    ends = range(low + stride, low + 2 * _REPLAYS * stride, stride)
    high = next((steps for steps in ends if not fits(steps)), None)
    if high is None:
        return None
    return next(
        (steps for steps in range(high - 1, high - stride, -1) if fits(steps)), high - stride
    )


def _between(first: Trace, second: Trace, share: float) -> Trace:
    """Return the trace that is this share of the way from the first to the second, or beyond."""
    events = [
        (one, round(size + share * (other - size)))
        for (one, size), (_, other) in zip(first.events, second.events, strict=True)
    ]
    return replace(first, events=events)


def _prediction(learned_from: list[int], edge: float) -> WallPrediction:
    margin = 1 + _OFF * edge
    return WallPrediction(
        steps=edge,
        low=max(0, edge - margin),
        high=edge + margin,
        learned_from=sorted(learned_from),
        is_line=True,
    )
