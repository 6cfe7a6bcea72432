"""``stepwall predict``: the wall, and every metric at a length that was not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profiler.cli import terminal
from profiler.cli.common import FAILED_POINT, Common, common_options, next_command
from profiler.cli.opening import chosen_scenarios, opened
from profiler.cli.output import check_run_name, limit_of
from profiler.cli.stored import measured, source_options
from profiler.planning import points as planning
from profiler.units import MAX_STEPS

if TYPE_CHECKING:  # laws need NumPy, and --help does not
    from profiler.analysis.prediction import ScenarioPrediction


@click.command("predict")
@click.argument("scenario")
@click.option("--limit", metavar="SIZE", help="Predict the wall under this device memory.")
@click.option(
    "--steps",
    type=click.IntRange(1, MAX_STEPS),
    help="Predict nodes, times and memory at this length [default: at the predicted wall].",
)
@source_options
@common_options
def command(common: Common, *, scenario: str, **given: Any) -> int:
    """Predict the wall, and every metric at one length, from short runs; marked as predicted."""
    from profiler.analysis.predictor import ScenarioPredictor

    check_run_name(given["name"])
    limit = limit_of(given["limit"])
    with opened(common, timeout_s=given["timeout"], name=given["name"]) as opening:
        (listing,) = chosen_scenarios(common, opening.client, [scenario], given)
        if given["steps"] is not None:
            planning.check_steps(listing, given["steps"])
        source = measured(common, opening, [listing], given)
        predictor = ScenarioPredictor(
            run=source.run,
            conditions=source.series[scenario],
            measurer=opening.client,
            progress=opening.report,
            lengths=listing.lengths,
        )
        prediction = predictor.predict(limit_bytes=limit, steps=given["steps"])
    _print(common, prediction, given)
    for reason in prediction.failed:
        terminal.warn(f"{scenario}: {reason}")
    return FAILED_POINT if prediction.failed else 0


def _print(common: Common, prediction: ScenarioPrediction, given: dict[str, Any]) -> None:
    from reports.tables.prediction import (
        card_grid,
        prediction_document,
        prediction_lines,
        value_grid,
    )

    common.lines(prediction_lines(prediction))
    for grid in (value_grid(prediction), card_grid(prediction)):
        if grid.rows:
            common.table(grid)
    common.write_json(prediction_document(prediction))
    common.echo(f"next: {_next(common, prediction, given)}")


def _next(common: Common, prediction: ScenarioPrediction, given: dict[str, Any]) -> str:
    """Return the command that runs what was predicted."""
    scenario = prediction.conditions.scenario
    if prediction.wall is not None:
        return next_command(common, given, "wall", scenario, "--limit", given["limit"])
    steps = prediction.steps or prediction.measured_to
    return next_command(common, given, "profile", scenario, "--steps", steps)
