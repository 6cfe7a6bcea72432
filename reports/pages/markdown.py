"""A run as Markdown, for a pull request: the answer, one small table, the rest folded away."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from reports.tables.grid import Grid, measurement_grid, wall_grid
from reports.tables.laws import law_grid
from reports.tables.summary import summary_grid
from reports.tables.trade_offs import NOTE, trade_off_tables
from reports.tables.versus import versus_grid
from reports.texts import markdown
from reports.texts.answer import answer
from reports.texts.notes import note_sentences

__all__ = ["run_markdown"]


def run_markdown(results: RunResults) -> str:
    """Return the run as one Markdown text."""
    said = answer(results)
    lines = [f"## {markdown.escaped(said.title)}", ""]
    for sentence in said.sentences:
        lines += [markdown.escaped(sentence), ""]
    lines += [*_table(summary_grid(results)), markdown.escaped(" · ".join(said.about)), ""]
    for name, grid in _tables(results):
        if grid.rows:
            lines += markdown.details(f"{name} ({len(grid.rows):,})", markdown.table(grid))
    for one in trade_off_tables(results):
        texts = [*markdown.table(one.grid), "", markdown.escaped(NOTE)]
        lines += markdown.details(one.title, texts)
    notes = [f"- {markdown.escaped(note)}" for note in note_sentences(results)]
    lines += markdown.details(f"Notes ({len(notes)})", notes) if notes else []
    return "\n".join(lines).rstrip() + "\n"


def _table(grid: Grid) -> list[str]:
    return [*markdown.table(grid), ""] if grid.rows else []


def _tables(results: RunResults) -> list[tuple[str, Grid]]:
    return [
        ("Walls", wall_grid(results)),
        ("Laws of growth", law_grid(results)),
        ("Which build when", versus_grid(results)),
        ("Measurements", measurement_grid(results)),
    ]
