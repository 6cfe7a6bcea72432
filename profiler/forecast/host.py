"""The predicted host wall: a line through two small points, each made like a long one."""

from __future__ import annotations

from collections.abc import Callable

from profiler.facts import WallPrediction

_FIRST = (8, 16)
_SHARE = 8
_ROUNDS = 2
_SETTLED = 0.15
# How far off a line through host memory is taken to be.
_MARGIN = 0.05


def predict(
    demand: Callable[[int, int | None], int | None], *, limit_bytes: int, max_steps: int
) -> WallPrediction | None:
    """Return the largest steps predicted to fit, or None where demand is unknown or flat.

    Args:
        demand: ``demand(steps, like)`` runs a point and returns the bytes that the limit
            counts, or None; it is made like one of ``like`` steps (None: like itself).
        limit_bytes: the limit on the whole process.
        max_steps: nothing beyond is looked at.
    """
    edge: int | None = None
    learnt: set[int] = set()
    for _ in range(1 + _ROUNDS):
        near, far = _FIRST if edge is None else (edge // _SHARE // 2, edge // _SHARE)
        if edge is not None and far <= max(learnt):
            break
        at_near, at_far = demand(near, edge), demand(far, edge)
        if at_near is None or at_far is None or at_far <= at_near:
            return None
        learnt |= {near, far}
        slope = (at_far - at_near) / (far - near)
        before, edge = edge, min(max_steps, max(0, int(far + (limit_bytes - at_far) / slope)))
        if before and abs(edge - before) < _SETTLED * before:
            break
    if edge is None:
        return None
    return WallPrediction(
        steps=edge,
        low=edge * (1 - _MARGIN),
        high=edge * (1 + _MARGIN),
        learnt_from=sorted(learnt),
        is_line=True,
        bytes_per_step=slope,
    )
