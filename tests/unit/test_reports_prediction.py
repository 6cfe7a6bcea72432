"""A prediction says that it is one, from what it was made, and what it leaves out."""

from __future__ import annotations

import dataclasses
import json

import report_samples as samples

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.prediction import ScenarioPrediction, predicted_values
from profiler.analysis.series import MetricSeries
from profiler.facts import CardWall, Caveat, CaveatEffect, Island, WallPrediction, replace
from reports.tables.prediction import (
    LEFT_OUT,
    card_grid,
    prediction_document,
    prediction_lines,
    value_grid,
)
from reports.texts.numbers import DASH, seconds_text

LENGTHS = (8, 16, 32, 64, 128, 256)
GIB = 1 << 30
CONDITIONS = replace(samples.measured().point, steps=0)
REPLAYED = WallPrediction(steps=800, low=796, high=803.5, learned_from=[8, 10, 80])
NO_PATTERN = "runs of up to 8 steps do not show how memory grows"
LINE = replace(REPLAYED, is_line=True)


def series(metric: str, start: float, slope: float) -> MetricSeries:
    """Return a series that is a line."""
    points = tuple((steps, start + slope * steps) for steps in LENGTHS)
    caveats = tuple(one for one in samples.FRAMEWORK.caveats if one.metric == metric)
    return MetricSeries(
        label="a", conditions=CONDITIONS, metric=BY_NAME[metric], points=points, caveats=caveats
    )


def prediction(
    *, wall: WallPrediction | None = REPLAYED, steps: int | None = 2048
) -> ScenarioPrediction:
    """Return the prediction of nodes, first steps, and a peak of a KiB per step."""
    measured = [series("nodes", 46, 17), series("first_step_time", 1, 1), series("peak", 0, 1)]
    short = [series("peak", 0, 1024)]
    return ScenarioPrediction(
        conditions=CONDITIONS,
        run="r",
        measured_to=256,
        limit_bytes=GIB,
        wall=wall,
        steps=steps,
        values=tuple(predicted_values(measured, short, steps)) if steps else (),
        cards=(
            CardWall(limit_bytes=4 * GIB, prediction=REPLAYED),
            CardWall(limit_bytes=8 * GIB, reason=NO_PATTERN),
        ),
    )


def test_the_wall_has_its_margin_and_its_points() -> None:
    """Marked as predicted, with the longest measured steps beside it."""
    lines = prediction_lines(prediction())

    assert "predicted, not run: the longest measured length is 256 steps (run r)" in lines[1]
    assert (
        lines[2].strip()
        == "under 1 GiB   800 ± 4 steps   replayed from 3 points of at most 80 steps"
    )
    assert all(text in lines[-1] for text in LEFT_OUT)


def test_longer_lengths_that_would_survive_again_have_a_line() -> None:
    """Each with its ends, and as data."""
    islands = [Island(first=1280, last=1280), Island(first=1400, last=1450)]
    found = prediction(wall=replace(REPLAYED, islands=islands))

    assert prediction_lines(found)[3] == (
        "  beyond   1,280 and 1,400 to 1,450 steps would survive again"
    )
    assert prediction_document(found)["wall"]["islands"][0] == {"first": 1280, "last": 1280}


def test_a_wall_by_the_law_says_so() -> None:
    """It is the weaker one."""
    assert "by the law of the peak over 3 points" in prediction_lines(prediction(wall=LINE))[2]


def test_a_wall_of_which_nothing_is_known_is_no_number() -> None:
    """No law, no pattern."""
    assert "no pattern to replay, and no law" in prediction_lines(prediction(wall=None))[2]


def test_a_measured_length_is_pointed_to() -> None:
    """The report has the real numbers."""
    assert any(
        "256 steps were measured" in line for line in prediction_lines(prediction(steps=256))
    )


def test_every_metric_has_its_number_or_its_reason() -> None:
    """Nodes exactly, memory with an interval, of first steps the least that they take."""
    nodes, first, peak = (row.cells for row in value_grid(prediction()).rows)

    assert nodes[:4] == ("nodes", f"{46 + 17 * 2048:,}", "exact", "8 to 256")
    assert nodes[5] == "46 + 17·T"
    assert first[1] == f"at least {seconds_text(1 + 2048)}"
    assert first[2] == DASH
    assert "takes more time per node" in first[5]
    assert peak[1] == "2.0 MiB"
    assert peak[3] == "8 to 256, folding scaled down"


def test_without_a_length_there_is_no_table() -> None:
    """Cards are predicted all the same."""
    predicted = prediction(steps=None)

    assert value_grid(predicted).rows == ()
    assert [row.cells for row in card_grid(predicted).rows] == [
        ("4 GiB", "800 ± 4", "replayed"),
        ("8 GiB", DASH, NO_PATTERN),
    ]


def test_the_document_is_json_with_raw_numbers() -> None:
    """Marked as predicted; what is not known is null, with its reason."""
    document = json.loads(json.dumps(prediction_document(prediction()), allow_nan=False))
    nodes, first, _ = document["values"]

    assert (document["schema"], document["predicted"], document["measured_to"]) == (1, True, 256)
    assert document["wall"]["steps"] == REPLAYED.steps
    assert (nodes["value"], nodes["exact"], nodes["law"]["coefficients"]) == (
        46 + 17 * 2048,
        True,
        [46, 17],
    )
    assert first["value"] is None
    assert first["reason"]
    assert document["cards"][1] == {"limit_bytes": 8 * GIB, "kept_bytes": 0, "wall": None}


def test_what_libraries_keep_of_a_card_stands_beside_it() -> None:
    """A column of the table, which is not there where they keep nothing."""
    kept = (20 << 20, 64 << 20)
    pairs = zip(prediction().cards, kept, strict=True)
    cards = tuple(replace(card, kept_bytes=one) for card, one in pairs)
    predicted = dataclasses.replace(prediction(), cards=cards)
    grid = card_grid(predicted)

    assert grid.headings[-1] == "kept by libraries"
    assert [row.cells[-1] for row in grid.rows] == ["20 MiB", "64 MiB"]
    assert prediction_document(predicted)["cards"][1]["kept_bytes"] == 64 << 20
    assert len(card_grid(prediction()).headings) == len(grid.headings) - 1


def _bounds(first: int) -> tuple[Caveat, ...]:
    """Return caveats by which memory is at most as predicted from these steps on."""
    effect, text = CaveatEffect.UPPER_BOUND, "SampleFlow may sum in place"
    return tuple(
        Caveat(metric=metric, effect=effect, text=text, from_steps=first)
        for metric in ("backprop", "peak", "host")
    )


def test_beyond_where_the_framework_may_change_the_graph_numbers_are_bounds() -> None:
    """Walls are at least, memory is at most; what does not depend on it stays as it is."""
    predicted = dataclasses.replace(prediction(), caveats=_bounds(700))
    lines = prediction_lines(predicted)
    nodes, _, peak = (row.cells for row in value_grid(predicted).rows)

    assert lines[2].strip().startswith("under 1 GiB   796 or more steps")
    assert "from about 700 steps on SampleFlow may sum in place" in lines[3]
    assert (nodes[1], peak[1]) == (f"{46 + 17 * 2048:,}", "2.0 MiB or less")
    assert card_grid(predicted).rows[0].cells[1] == "796 or more"
    assert prediction_document(predicted)["caveats"][0]["from_steps"] == 700
    assert "or more" not in " ".join(
        prediction_lines(dataclasses.replace(predicted, caveats=_bounds(10_000)))
    )
