"""Demand of memory by steps, extrapolated to where it meets a limit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from statistics import linear_regression

# Lengths further apart than by this factor show more of the growth than of its noise.
APART = 1.3
# A law through one point less must predict the longest length this many times better than the
# line does, to be taken in its place.
_BETTER = 2
# Another length also shows its error, from this share of the way on to it from the one before.
_NEAR = 1 / 3
# What missed the longest length by more than this share of its demand follows no law.
_MOST_MISSED = 0.03
_FARTHEST = 1 << 40
# A parabola is followed to so many times the longest length.
_FAR, _LINE = 8, 2


@dataclass(frozen=True)
class DemandLine:
    """A growing line through the demand at two numbers of steps.

    Attributes:
        steps: the larger number of steps.
        demand_bytes: the demand there.
        bytes_per_step: the slope, above 0.
    """

    steps: int
    demand_bytes: int
    bytes_per_step: float

    @classmethod
    def through(cls, near: tuple[int, int], far: tuple[int, int]) -> DemandLine | None:
        """Return the line through ``(steps, bytes)`` twice, or None where it does not grow."""
        (near_steps, near_bytes), (far_steps, far_bytes) = near, far
        if far_steps <= near_steps or far_bytes <= near_bytes:
            return None
        return cls(far_steps, far_bytes, (far_bytes - near_bytes) / (far_steps - near_steps))

    def at(self, steps: float) -> float:
        """Return the demand."""
        return self.demand_bytes + (steps - self.steps) * self.bytes_per_step

    def meets(self, limit_bytes: int) -> float:
        """Return the steps at which the demand is ``limit_bytes``."""
        return self.steps + (limit_bytes - self.demand_bytes) / self.bytes_per_step


@dataclass(frozen=True)
class DemandCurve:
    """A line or a parabola through the longest lengths, and how far off it was before the last.

    Attributes:
        points: ``(steps, bytes)`` that it goes through, ascending: two of a line, three of a
            parabola.
        before: the points of the same law without the longest length.
        missed_bytes: by how much that law missed the longest length.
    """

    points: tuple[tuple[int, int], ...]
    before: tuple[tuple[int, int], ...]
    missed_bytes: float

    @classmethod
    def through(
        cls, demands: Iterable[tuple[int, int]], *, most_missed: float = _MOST_MISSED
    ) -> DemandCurve | None:
        """Return the law of three lengths or more that predicted the longest one best.

        None where there are too few lengths far enough apart, where it missed the longest one by
        a larger share than ``most_missed``, or where it does not grow.
        """
        known = sorted(demands)
        points = apart(known)
        found = [cls._of(points, count, known) for count in (2, 3) if len(points) > count]
        best = found[0] if found else None
        for bent in found[1:]:
            if best is None or bent.missed_bytes * _BETTER < best.missed_bytes:
                best = bent
        if best is None or best.missed_bytes > most_missed * points[-1][1]:
            return None
        return best if best.bytes_per_step(points[-1][0]) > 0 else None

    @classmethod
    def _of(
        cls, points: Sequence[tuple[int, int]], count: int, known: Sequence[tuple[int, int]]
    ) -> DemandCurve:
        before, longest = tuple(points[-count - 1 : -1]), points[-1][0]
        # Also the length before it, if there is one to predict: one hit may be luck.
        missed = [_missed(points[:end], count) for end in (len(points), len(points) - 1)]
        # And those near it that were left out, by as much as that is at the longest.
        for steps, demand in known:
            if longest > steps >= before[-1][0] + _NEAR * (longest - before[-1][0]):
                grown = prod((longest - n) / (steps - n) for n, _ in before)
                missed.append(grown * abs(_through(before, steps) - demand))
        return cls(tuple(points[-count:]), before, max(missed))

    @property
    def farthest(self) -> float:
        """The steps up to which it says anything: far away, a bend grows out of any noise."""
        return _FAR * self.points[-1][0] if len(self.points) > _LINE else math.inf

    def at(self, steps: float) -> float:
        """Return the demand."""
        return _through(self.points, steps)

    def bytes_per_step(self, steps: float) -> float:
        """Return how steep it is."""
        return (self.at(steps + 1) - self.at(steps - 1)) / 2

    def meets(self, limit_bytes: int) -> float:
        """Return the steps at which the demand is ``limit_bytes``, or as many as there can be."""
        low, high = 0.0, 1.0 * self.points[-1][0]
        while self.at(high) < limit_bytes:
            low, high = high, 2 * high
            if high > _FARTHEST:
                return high
        while high - low > 1 / 1024:
            middle = (low + high) / 2
            low, high = (middle, high) if self.at(middle) < limit_bytes else (low, middle)
        return low

    def edge(self, limit_bytes: int) -> tuple[float, float]:
        """Return the steps at which the limit is met, and by how many steps that may be off."""
        met = self.meets(limit_bytes)
        return met, self.margin(met)

    def margin(self, steps: float) -> float:
        """Return by how many steps it may be off there: the error before the last, extrapolated."""
        last = self.points[-1][0]
        grown = prod((steps - n) / (last - n) for n, _ in self.before[1:])
        slope = self.bytes_per_step(steps)
        return abs(self.missed_bytes * max(1.0, grown) / slope) if slope else steps


@dataclass(frozen=True)
class Staircase:
    """Demand that follows a law but for what is unused of the large pieces that memory comes in.

    Attributes:
        curve: the law of what is in use.
        unused: the most bytes seen unused at once beyond the least share.
        least_share: of what is in use, the share that is unused at any length, at least.
        share: the same, as it most likely is.
        most_share: the same, at most: what was seen unused holds that and a part of a piece.
    """

    curve: DemandCurve
    unused: int
    least_share: float
    share: float
    most_share: float

    @classmethod
    def through(
        cls, points: Iterable[tuple[int, int, int]], *, piece_bytes: int = 0
    ) -> Staircase | None:
        """Return it by ``(steps, bytes in use, bytes needed)``; None where no law holds.

        Args:
            points: the lengths.
            piece_bytes: how much more or less may be unused than a few lengths show.
        """
        known = sorted(points)
        curve = DemandCurve.through((steps, used) for steps, used, _ in known)
        if curve is None:
            return None
        unused = [needed - used for _, used, needed in known]
        used = [used for _, used, _ in known]
        slope = linear_regression(used, unused).slope
        beyond = [one - slope * of for one, of in zip(unused, used, strict=True)]
        off = max(piece_bytes, max(beyond) - min(beyond)) / (used[-1] - used[0])
        least = max(0.0, slope - off)
        most = min(one / of for one, of in zip(unused, used, strict=True))
        most = max(least, min(most, slope + off))
        # Pieces are filled and begun by turns: only what that does not explain grows.
        likely = min(max(slope, least), most) if least else 0.0
        most_unused = max(one - int(least * of) for one, of in zip(unused, used, strict=True))
        return cls(curve, most_unused, least, likely, most)

    def edge(self, limit_bytes: int) -> tuple[float, float]:
        """Return the steps at which the limit is met, and by how many steps that may be off."""
        least = max(0.0, (limit_bytes - self.unused) / (1 + self.most_share))
        low = self.curve.meets(int(least))
        met = self.curve.meets(int((limit_bytes - self.unused / 2) / (1 + self.share)))
        high = self.curve.meets(int(limit_bytes / (1 + self.least_share)))
        return met, max(met - low, high - met) + self.curve.margin(high)


def apart(demands: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the points, ascending, that are far enough apart, the longest one among them."""
    points: list[tuple[int, int]] = []
    for steps, demand in sorted(demands, reverse=True):
        if not points or steps * APART <= points[-1][0]:
            points.append((steps, demand))
    return points[::-1]


def _missed(points: Sequence[tuple[int, int]], count: int) -> float:
    """Return how far off the law of so many points was at the last one after them."""
    if len(points) <= count:
        return 0.0
    steps, demand = points[-1]
    return abs(_through(points[-count - 1 : -1], steps) - demand)


def _through(points: Sequence[tuple[int, int]], steps: float) -> float:
    """Return the polynomial through the points at these steps."""
    return sum(
        demand * prod((steps - other) / (n - other) for other, _ in points if other != n)
        for n, demand in points
    )
