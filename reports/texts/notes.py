"""What a run's measurements note in addition to their numbers, each note once."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from profiler.lengths import counted
from reports.texts.numbers import count_text, list_text

__all__ = ["note_sentences"]


def note_sentences(results: RunResults) -> list[str]:
    """Return ``Note on X at 8 to 64 steps: ...`` for each note of the run's measurements."""
    found: dict[str, dict[tuple[str, str], list[int]]] = {}
    for label, measurement in results.measurements:
        for note in measurement.notes:
            place = (label, measurement.point.axis)
            found.setdefault(note, {}).setdefault(place, []).append(measurement.point.steps)
    return [
        f"Note on {list_text([_where(*place, steps) for place, steps in places.items()])}: {note}."
        for note, places in found.items()
    ]


def _where(label: str, axis: str, steps: list[int]) -> str:
    ends = dict.fromkeys(map(count_text, (min(steps), max(steps))))
    return f"{label} at {counted(' to '.join(ends), axis)}"
