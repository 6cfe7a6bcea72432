"""What a run's measurements note beside their numbers, each note once."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from reports.texts.numbers import count_text, list_text, steps_text

__all__ = ["note_sentences"]


def note_sentences(results: RunResults) -> list[str]:
    """Return ``Note on X at 8 to 64 steps: ...`` for each note of the run's measurements."""
    found: dict[str, dict[str, list[int]]] = {}
    for label, measurement in results.measurements:
        for note in measurement.notes:
            found.setdefault(note, {}).setdefault(label, []).append(measurement.point.steps)
    return [
        f"Note on {list_text([_where(label, steps) for label, steps in places.items()])}: {note}."
        for note, places in found.items()
    ]


def _where(label: str, steps: list[int]) -> str:
    first, last = min(steps), max(steps)
    span = "" if first == last else f"{count_text(first)} to "
    return f"{label} at {span}{steps_text(last)}"
