"""A prediction in words, tables and JSON, marked as predicted and not run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from profiler.analysis.prediction import PredictedValue, ScenarioPrediction
from profiler.facts import SCHEMA, CardWall, WallPrediction, to_json
from profiler.lengths import counted, is_plural
from profiler.parameters import describe_parameters
from reports.pages.exports import law_document
from reports.tables.grid import Grid, GridRow
from reports.tables.laws import law_text
from reports.texts.graph_size import size_wall_text
from reports.texts.numbers import (
    DASH,
    UNIT_TEXTS,
    count_text,
    list_text,
    size_text,
    steps_text,
)

__all__ = [
    "LEFT_OUT",
    "card_grid",
    "prediction_document",
    "prediction_lines",
    "value_grid",
]

LEFT_OUT = (
    "workspace of GPU kernels, the driver's context (some hundred MiB), other programs",
    "on a GPU, a graph optimizer, if any, that saves memory where it expects the card to be full",
    "host memory, which a long unrolled graph may exhaust first",
)
_NO_SOURCE = "no pattern to replay, and no law of the peak that is reliable enough"


def prediction_lines(prediction: ScenarioPrediction) -> list[str]:
    """Return the conditions, the predicted wall, and what the tables leave out."""
    point = prediction.conditions
    conditions = [describe_parameters(point.parameters), point.device, point.schedule.value]
    longest = f"{steps_text(prediction.measured_to, point.axis)} (run {prediction.run})"
    lines = [
        f"{point.scenario}   {' · '.join(filter(None, conditions))}",
        f"  predicted, not run: the longest measured length is {longest}",
    ]
    if prediction.was_measured:
        at = steps_text(prediction.steps or 0, point.axis)
        lines.append(
            f"  {at} {'were' if is_plural(point.axis) else 'was'} measured: see the report"
        )
    lines += [f"  failed: {one}" for one in prediction.failed]
    if prediction.limit_bytes is not None:
        limit = size_text(prediction.limit_bytes)
        wall = prediction.wall
        lines.append(
            f"  under {limit}   {_wall_text(prediction, wall) if wall else _no_wall(prediction)}"
        )
        if wall is not None and wall.islands:
            again = [dict.fromkeys(map(count_text, (one.first, one.last))) for one in wall.islands]
            ends = list_text([" to ".join(ends) for ends in again])
            lines.append(f"  beyond   {counted(ends, point.axis)} would survive again")
    caveats = dict.fromkeys((one.from_steps or 0, one.text) for one in prediction.caveats)
    return [
        *lines,
        *(f"  {size_wall_text(wall)}" for wall in prediction.size_walls),
        *(
            f"  from about {steps_text(steps, point.axis)} on {text}: memory may be less there, "
            "and a wall further on"
            for steps, text in caveats
        ),
        f"  leaves out: {'; '.join(LEFT_OUT)}.",
    ]


def _no_wall(prediction: ScenarioPrediction) -> str:
    return prediction.no_wall or ("its short runs failed" if prediction.failed else _NO_SOURCE)


def _wall_text(prediction: ScenarioPrediction, wall: WallPrediction) -> str:
    count = len(wall.learned_from)
    how = "by the law of the peak over" if wall.is_line else "replayed from"
    points = f"{count} point{'' if count == 1 else 's'}"
    axis = prediction.conditions.axis
    furthest = steps_text(max(wall.learned_from), axis)
    return f"{counted(_steps_text(prediction, wall), axis)}   {how} {points} of at most {furthest}"


def _steps_text(prediction: ScenarioPrediction, wall: WallPrediction) -> str:
    if prediction.is_upper_bound("peak", wall.steps):
        return f"{count_text(wall.low)} or more"
    margin = math.ceil(max(wall.steps - wall.low, wall.high - wall.steps))
    return f"{count_text(int(wall.steps))} ± {count_text(margin)}"


def value_grid(prediction: ScenarioPrediction) -> Grid:
    """Return every metric at the predicted length; of a prediction without one, nothing."""
    if prediction.steps is None:
        return Grid(headings=(), numeric=(), rows=())
    axis = prediction.conditions.axis
    law = f"law (T: {axis}), or why there is none"
    return Grid(
        headings=(
            *("metric", f"predicted at {steps_text(prediction.steps, axis)}", "95 % interval"),
            *("from lengths", "hold-out error", law),
        ),
        numeric=(False, True, False, False, True, False),
        rows=tuple(GridRow(cells=_cells(prediction, value)) for value in prediction.values),
        least=("from lengths", "hold-out error", law, "95 % interval"),
    )


def _cells(prediction: ScenarioPrediction, value: PredictedValue) -> tuple[str, ...]:
    text = UNIT_TEXTS[value.metric.unit]
    lengths = f"{count_text(value.lengths[0])} to {count_text(value.lengths[-1])}"
    law = law_text(value.law, value.metric) if value.law else DASH
    if value.is_replayed:
        law = "recorded allocations, continued and replayed"
    most = prediction.is_upper_bound(value.metric.name, prediction.steps or 0)
    known = value.value is not None and value.low is not None and value.high is not None
    return (
        value.metric.title,
        _value_text(value, text, most=most),
        _interval(value, text) if known else DASH,
        f"{lengths}, folding scaled down" if _is_scaled(value) else lengths,
        DASH if value.holdout_error is None else f"{100 * value.holdout_error:.1f} %",
        value.reason or law,
    )


def _value_text(value: PredictedValue, text: Callable[[float], str], *, most: bool) -> str:
    if value.value is not None:
        return f"{text(value.value)}{' or less' if most else ''}"
    return DASH if value.at_least is None else f"at least {text(value.at_least)}"


def _is_scaled(value: PredictedValue) -> bool:
    return value.from_short_runs and not value.is_replayed


def _interval(value: PredictedValue, text: Callable[[float], str]) -> str:
    if value.is_exact:
        return "exact"
    return f"{text(value.low or 0.0)} to {text(value.high or 0.0)}"


def card_grid(prediction: ScenarioPrediction) -> Grid:
    """Return the largest steps for common sizes of device memory."""
    keeps = any(card.kept_bytes for card in prediction.cards)
    return Grid(
        headings=(
            *("device memory", f"predicted largest {prediction.conditions.axis}", "how"),
            *(["kept by libraries"] if keeps else []),
        ),
        numeric=(True, True, False, *([True] if keeps else [])),
        rows=tuple(
            GridRow(
                cells=(
                    *(size_text(card.limit_bytes), *_card_cells(prediction, card)),
                    *([size_text(card.kept_bytes)] if keeps else []),
                )
            )
            for card in prediction.cards
        ),
    )


def _card_cells(prediction: ScenarioPrediction, card: CardWall) -> tuple[str, str]:
    wall = card.prediction
    if wall is None:
        return DASH, card.reason or _no_wall(prediction)
    return _steps_text(prediction, wall), "by the law of the peak" if wall.is_line else "replayed"


def prediction_document(prediction: ScenarioPrediction) -> dict[str, Any]:
    """Return a prediction as the document that ``--json`` prints: raw numbers."""
    point = prediction.conditions
    return {
        "schema": SCHEMA,
        "predicted": True,
        "scenario": point.scenario,
        "axis": point.axis,
        "parameters": to_json(point.parameters),
        "device": point.device,
        "schedule": point.schedule.value,
        "run": prediction.run,
        "measured_to": prediction.measured_to,
        "limit_bytes": prediction.limit_bytes,
        "wall": to_json(prediction.wall),
        "no_wall": prediction.no_wall,
        "caveats": to_json(prediction.caveats),
        "failed": list(prediction.failed),
        "steps": prediction.steps,
        "values": [_value(value) for value in prediction.values],
        "cards": [
            {
                "limit_bytes": card.limit_bytes,
                "kept_bytes": card.kept_bytes,
                "wall": to_json(card.prediction),
            }
            for card in prediction.cards
        ],
        "size_walls": to_json(prediction.size_walls),
        "leaves_out": list(LEFT_OUT),
    }


def _value(value: PredictedValue) -> dict[str, Any]:
    return {
        "metric": value.metric.name,
        "unit": value.metric.unit,
        "value": value.value,
        "low": value.low,
        "high": value.high,
        "at_least": value.at_least,
        "law": law_document(value.law) if value.law else None,
        "exact": value.is_exact,
        "lengths": list(value.lengths),
        "holdout_error": value.holdout_error,
        "from_short_runs": value.from_short_runs,
        "replayed": value.is_replayed,
        "reason": value.reason,
    }
