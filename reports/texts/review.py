"""What was found of a scenario that was tried, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from profiler.analysis.review import PEAK, Level, Review, ReviewedPoint
from reports.texts.numbers import bytes_text, count_text, list_text

__all__ = ["review_lines"]


def review_lines(review: Review) -> list[str]:
    """Return one line for a scenario that is fine, and one more for each remark."""
    if review.is_usable:
        sizes, growth = _sizes(review.points), _growth(review.grows, review.points)
        head = f"{review.scenario}   fine at {review.lengths}: {sizes}; {growth}"
    else:
        head = f"{review.scenario}   cannot be measured"
    return [head, *(_line(one.level, one.text, one.where) for one in review.remarks)]


def _line(level: Level, text: str, where: str | None) -> str:
    return f"  {where}: {level.value}: {text}" if where else f"  {level.value}: {text}"


def _sizes(points: Sequence[ReviewedPoint]) -> str:
    nodes = _values([point.nodes for point in points], count_text)
    peaks = _values([point.peak_bytes for point in points], bytes_text)
    return f"{nodes} nodes, peak {peaks}"


def _values(values: Sequence[int | None], text: Callable[[int | None], str]) -> str:
    """Return ``153 and 289``; one value where all are equal."""
    return list_text([text(value) for value in dict.fromkeys(values)])


def _growth(grows: Sequence[str], points: Sequence[ReviewedPoint]) -> str:
    graph = any(name.endswith("nodes") for name in grows)
    what = [word for word, does in (("the graph", graph), ("memory", PEAK in grows)) if does]
    if not what:
        return "only the fed data grows" if grows else "nothing grows"
    verb = "change" if _falls(points) else "grow"
    return f"{list_text(what)} {verb}{'s' if len(what) == 1 else ''}"


def _falls(points: Sequence[ReviewedPoint]) -> bool:
    """Whether the longer length has a smaller graph or a lower peak."""
    first, last = points[0], points[-1]
    pairs = ((first.nodes, last.nodes), (first.peak_bytes, last.peak_bytes))
    return any(was is not None and now is not None and now < was for was, now in pairs)
