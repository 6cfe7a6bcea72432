"""The answer of a run: its title, and at most three sentences."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from profiler.facts import Run
from reports.texts.findings import findings
from reports.texts.numbers import axes_text, bytes_text, count_text, list_text

__all__ = ["answer", "environment_text", "title"]

_MOST_NAMED = 3


def title(results: RunResults) -> str:
    """Return what was profiled, over what, when."""
    run = results.run
    scenarios = dict.fromkeys(
        [m.point.scenario for m in run.measurements] + [wall.scenario for wall in run.walls]
    )
    names = [*scenarios]
    if len(names) > _MOST_NAMED:
        names = [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} more"]
    over = f" over {axes_text(results.axes)}" if results.axes else ""
    return f"{list_text(names) if names else 'Nothing'}{over}, {run.created_at[:10]}"


def answer(results: RunResults) -> tuple[str, ...]:
    """Return the sentences that answer what people ask first."""
    return findings(results).headlines


def environment_text(run: Run) -> str:
    """Return where it was measured, in one line."""
    machine = run.environment
    parts = [
        f"stepwall {machine.stepwall}",
        *(one.versions_text for one in machine.frameworks.values()),
        f"Python {machine.python}",
        f"{machine.cpu}, {count_text(machine.cpu_count)} cores, {bytes_text(machine.memory_bytes)}",
        machine.platform,
    ]
    return " · ".join(filter(None, parts))
