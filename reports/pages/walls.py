"""The tables of walls: what was proven, every run of the searches, what is predicted on cards."""

from __future__ import annotations

from typing import Any

from profiler.analysis.frontiers import frontiers
from profiler.analysis.results import RunResults
from profiler.facts import CardWall, Certificate, WallStatus
from profiler.parameters import value_text
from reports.pages.columns import BUILD, Number, Table, axes_of
from reports.tables.grid import outcome_sentence
from reports.texts.certificate import (
    REPLAYED,
    confirmation_text,
    held_text,
    islands_text,
    learned_text,
    miss_text,
    room_text,
    wall_schedules_text,
    zone_text,
)
from reports.texts.story import biggest_text

__all__ = ["PROOFS", "fit_table", "frontier_table", "probe_table", "wall_table"]

PROOFS = {
    WallStatus.EXACT: "both ends were really run",
    WallStatus.BAND: "each end held every time; outcomes in between varied from run to run",
    WallStatus.AT_LEAST: "nothing failed up to the most that was allowed",
    WallStatus.AT_MOST: "even the first length ran out",
    WallStatus.REPLAYED: REPLAYED,
    WallStatus.UNPROVEN: "the first failing run was no memory failure",
}


def wall_table(results: RunResults, number: Number) -> Table:
    """Return every wall: its ends, what was predicted, what holds the memory, what it cost."""
    heads = [
        BUILD,
        ("limit", "limit", "size"),
        ("kind", "of", "text"),
        ("last_ok", "survives", "count"),
        ("first_oom", "runs out at", "count"),
        ("status", "status", "text"),
        ("predicted", "predicted", "count"),
        ("low", "at least", "count"),
        ("high", "at most", "count"),
        ("miss", "prediction", "text"),
        ("peak", "peak", "bytes"),
        ("biggest", "what holds it", "text"),
        ("ran_out", "what ran out", "text"),
        ("price", "price", "times"),
        ("seconds", "took", "seconds"),
        ("proof", "proof", "text"),
        ("more", "more", "text"),
    ]
    rows = [(number(wall), *_wall_row(results, wall)) for _, wall in results.walls]
    return Table.of_rows("walls", "Walls", heads, rows).noted(
        "Both ends of an exact wall were really run, each in a process of its own; for a replayed "
        "one, no device ran. A prediction was made before any run near the wall. The price is the "
        "seconds of the whole search over those of the two runs that prove it."
    )


def _wall_row(results: RunResults, wall: Certificate) -> tuple[Any, ...]:
    framework, failure = results.run.framework(wall.framework), wall.failure
    more = [
        learned_text(wall),
        room_text(wall),
        zone_text(wall),
        islands_text(wall),
        confirmation_text(wall),
        wall_schedules_text(wall, framework),
        held_text(wall, framework) if wall.explanation is None else None,
    ]
    return (
        *(wall.limit_bytes, wall.kind, wall.last_ok, wall.first_oom),
        wall.status.value.replace("_", " "),
        *(_whole(one) for one in (wall.predicted, wall.predicted_low, wall.predicted_high)),
        miss_text(wall),
        wall.survivor.peak_bytes if wall.survivor else None,
        biggest_text(wall.explanation) if wall.explanation else None,
        outcome_sentence(failure.outcome) if failure else None,
        *(wall.price, wall.seconds, wall.reason or PROOFS[wall.status]),
        "; ".join(filter(None, more)) or None,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def frontier_table(results: RunResults) -> Table:
    """Return the walls of a grid by the values of its parameter; ``wall`` is a row of the walls."""
    heads = [
        ("wall", "wall", "count"),
        ("parameter", "parameter", "text"),
        ("value", "value", "text"),
        ("line", "line", "text"),
    ]
    at = {id(wall): row for row, (_, wall) in enumerate(results.walls)}
    rows = [
        (at[id(wall)], one.parameter, value_text(value), line.label)
        for one in frontiers(results)
        for line in one.lines
        for value, wall in sorted(line.walls, key=lambda pair: one.place(pair[0]))
    ]
    return Table.of_rows("frontier", "Frontier", heads, rows)


def fit_table(results: RunResults, number: Number) -> Table:
    """Return what is expected to fit under other limits, or why there is no prediction."""
    heads = [
        BUILD,
        ("limit", "device memory", "size"),
        ("kept", "kept by libraries", "size"),
        ("steps", f"{axes_of(results)} that fit, predicted", "count"),
        ("low", "at least", "count"),
        ("high", "at most", "count"),
        ("how", "how", "text"),
        ("reason", "why there is no prediction", "text"),
    ]
    rows = [
        (number(wall), card.limit_bytes, card.kept_bytes or None, *_fit(card))
        for _, wall in results.walls
        for card in wall.cards
    ]
    return Table.of_rows("fits", "How many fit on a card", heads, rows).noted(
        "Predicted from short runs, and not run. It leaves out the workspace of GPU kernels, the "
        "driver's context, other programs, and host memory, which a long unrolled graph may "
        "exhaust first."
    )


def _fit(card: CardWall) -> tuple[Any, ...]:
    wall = card.prediction
    if wall is None:
        return None, None, None, None, card.reason or "short runs do not predict it"
    how = "by a law of short runs" if wall.is_line else "replayed"
    if card.is_least:
        return int(wall.low), int(wall.low), None, f"{how}; or more", None
    return int(wall.steps), int(wall.low), int(wall.high), how, None


def probe_table(results: RunResults) -> Table:
    """Return every run of every search; ``wall`` is a row of the table of walls."""
    heads = [
        ("wall", "wall", "count"),
        ("steps", axes_of(results), "count"),
        ("peak", "peak", "bytes"),
        ("seconds", "took", "seconds"),
        ("repeat", "repeat", "count"),
        ("ending", "outcome", "text"),
    ]
    rows = [
        (
            *(row, probe.steps, probe.peak_bytes, probe.seconds, probe.repeat or None),
            "waited for memory, and was cut short"
            if probe.outcome.cut_short
            else outcome_sentence(probe.outcome),
        )
        for row, (_, wall) in enumerate(results.walls)
        for probe in wall.probes
    ]
    return Table.of_rows("probes", "Runs of the searches", heads, rows)
