"""Where a graph that grows reaches a limit of its framework, in words."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from profiler.analysis.size_wall import SizeWall
from profiler.facts import SizeLimit
from reports.texts.numbers import DASH, count_text, size_text, steps_text

__all__ = ["size_sentences", "size_wall_text"]


def size_wall_text(wall: SizeWall) -> str:
    """Return where on its axis a graph stays within a limit of its framework, and what then."""
    limit = size_text(wall.limit.most + 1)
    if wall.steps is None:
        return f"{wall.axis} at which the serialized graph reaches {limit}: {DASH} ({wall.reason})"
    return f"serialized graph: {limit} at about {_steps(wall)}; {wall.limit.text}"


def size_sentences(results: RunResults) -> list[str]:
    """Return a sentence for each limit that graphs of the run reach: which of them is the first."""
    reached: dict[SizeLimit, list[tuple[int, str, SizeWall]]] = {}
    for label, walls in results.size_walls.items():
        for wall in walls:
            if wall.steps is not None:
                reached.setdefault(wall.limit, []).append((wall.steps, label, wall))
    return [
        _sentence(limit, sorted(found, key=lambda one: one[:2])) for limit, found in reached.items()
    ]


def _sentence(limit: SizeLimit, found: list[tuple[int, str, SizeWall]]) -> str:
    (_, label, first), *others = found
    later = f" ({len(others)} more scenarios later)" if len(others) > 1 else ""
    later = " (another scenario later)" if len(others) == 1 else later
    return (
        f"The serialized graph of {label} reaches {size_text(limit.most + 1)} at about "
        f"{_steps(first)}{later}; {limit.text}."
    )


def _steps(wall: SizeWall) -> str:
    ends = f"{count_text(wall.low)} to {count_text(wall.high)}"
    return f"{steps_text(wall.steps or 0, wall.axis)} ({ends})"
