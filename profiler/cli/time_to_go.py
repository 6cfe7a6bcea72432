"""How long the points that are left may take, by what was measured so far."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from profiler.facts import Point
from profiler.planning.points import series_of

_PAIR = 2
_MINUTE, _HOUR = 60, 3600
_SHORT_S = 10


class TimeToGo:
    """The points of a stage, those that are done with their seconds."""

    def __init__(self, points: Iterable[Point]) -> None:
        """Begin with all of them left."""
        self._left = {point.key: point for point in points}
        self._seconds: dict[str, dict[int, float]] = {}

    def done(self, point: Point, seconds: float | None) -> None:
        """Take one as done; None where it was skipped, which says nothing of the others."""
        self._left.pop(point.key, None)
        if seconds is not None:
            self._seconds.setdefault(series_of(point), {})[point.steps] = seconds

    def seconds(self, at_once: int = 1) -> float | None:
        """Return what the rest may take; None where nothing is known of one of them."""
        guesses = [self._guess(point) for point in self._left.values()]
        known = [guess for guess in guesses if guess is not None]
        return sum(known) / at_once if len(known) == len(guesses) else None

    def _guess(self, point: Point) -> float | None:
        """Return a point's seconds: by its own series, else by what others take at its length."""
        own = _at(self._seconds.get(series_of(point), {}), point.steps)
        if own is not None:
            return own
        others = (_at(seconds, point.steps) for seconds in self._seconds.values())
        found = [seconds for seconds in others if seconds is not None]
        return median(found) if found else None


def _at(seconds: dict[int, float], steps: int) -> float | None:
    """Return the seconds at a length: as measured, else on the line through its two neighbours."""
    if steps in seconds:
        return seconds[steps]
    if len(seconds) < _PAIR:
        return None
    near = sorted(sorted(seconds, key=lambda one: abs(one - steps))[:_PAIR])
    slope = (seconds[near[1]] - seconds[near[0]]) / (near[1] - near[0])
    return max(0.0, seconds[near[1]] + max(0.0, slope) * (steps - near[1]))


def left_text(seconds: float | None) -> str:
    """Return ``about 3 min left``, no more exact than that; nothing where nothing is known."""
    if seconds is None:
        return ""
    if seconds < _SHORT_S:
        return "a few seconds left"
    if seconds < _MINUTE:
        return f"about {round(seconds, -1):.0f} s left"
    if seconds < _HOUR:
        return f"about {round(seconds / _MINUTE)} min left"
    hours, rest = divmod(round(seconds / _MINUTE), 60)
    return f"about {hours} h {rest} min left"
