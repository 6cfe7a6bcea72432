"""``stepwall predict``: the wall, and what a length costs that was not run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from profiler.cli.common import Common, common_options, open_session
from profiler.cli.output import limit_of
from profiler.cli.progress import Reporter, reporter
from profiler.cli.stored import Source, measured, source_options
from profiler.facts import Point, Run, Schedule, WallPredictions
from profiler.frameworks import Mode, PredictionRequest
from profiler.measure.client import Session
from profiler.units import MAX_STEPS, MIB

if TYPE_CHECKING:  # laws need NumPy, and --help does not
    from profiler.analysis.prediction import ScenarioPrediction
    from profiler.analysis.series import MetricSeries

# Sizes of device memory that cards are sold with, in GiB.
CARDS = (4, 8, 12, 16, 24, 40, 80, 141)
_GIB = 1024 * MIB
_FURTHEST = 10**9
# In the parallel schedule peaks differ from run to run.
_REPEATS = 3


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
def command(common: Common, *, scenario: str, **given: Any) -> None:
    """Predict the wall, and what a length costs, from points that are small; always marked."""
    limit = limit_of(given["limit"])
    source = measured(common, [scenario], given)
    with (
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_session(common, timeout_s=given["timeout"]) as session,
    ):
        seer = _Seer(session=session, report=report, source=source, scenario=scenario)
        prediction = seer.prediction(limit, given["steps"])
    _print(common, prediction, given)


@dataclass(frozen=True, kw_only=True)
class _Seer:
    """What a prediction is made with."""

    session: Session
    report: Reporter
    source: Source
    scenario: str

    @property
    def conditions(self) -> Point:
        return self.source.series[self.scenario]

    def prediction(self, limit: int | None, steps: int | None) -> ScenarioPrediction:
        from profiler.analysis.prediction import ScenarioPrediction, values

        ordinary = self._curves(self.source.run)
        sizes = [size * _GIB for size in CARDS]
        foresight = self._foresee([*([limit] if limit else []), *sizes], ordinary)
        walls = foresight.walls
        wall = walls[0] if limit else None
        steps = steps or (int(wall.steps) if wall else None)
        # Between measured lengths their own law says more than small models of one.
        beyond = steps is not None and not all(curve.covers(steps) for curve in ordinary)
        alike = self._alike(steps) if steps and beyond else []
        return ScenarioPrediction(
            conditions=self.conditions,
            run=self.source.run.name,
            measured_to=max(curve.last for curve in ordinary),
            limit_bytes=limit,
            wall=wall,
            steps=steps,
            values=tuple(values(ordinary, alike, steps)) if steps else (),
            cards=tuple(zip(sizes, walls[-len(sizes) :], strict=True)),
            changes_from=foresight.changes_from,
        )

    def _curves(self, run: Run) -> list[MetricSeries]:
        from profiler.analysis.series import curves

        return [curve for curve in curves(run) if curve.conditions == self.conditions]

    def _foresee(self, limits: list[int], ordinary: Sequence[MetricSeries]) -> WallPredictions:
        """Return the walls by replay; without a pattern to replay, by the peak's law."""
        from profiler.analysis.prediction import wall_by_law

        self.report.stage("predicting walls")
        horizon = PredictionRequest(limits_bytes=limits, max_steps=_FURTHEST, changes=True)
        found = self.session.foresee(self.conditions, horizon)
        if all(found.walls):
            return found
        peaks = [curve for curve in ordinary if curve.metric.name == "peak"]
        rough = [wall_by_law(p, limit_bytes=min(limits), max_steps=_FURTHEST) for p in peaks]
        if rough and rough[0]:
            like = int(rough[0].steps)
            peaks = [curve for curve in self._alike(like) if curve.metric.name == "peak"]
        law = functools.partial(wall_by_law, max_steps=_FURTHEST)
        walls = [
            forecast or (law(peaks[0], limit_bytes=limit) if peaks else None)
            for forecast, limit in zip(found.walls, limits, strict=True)
        ]
        return replace(found, walls=walls)

    def _alike(self, steps: int) -> list[MetricSeries]:
        """Return the memory's curves from small points that are made like one of ``steps``."""
        from profiler.analysis.prediction import lengths_like

        repeats = _REPEATS if self.conditions.schedule is Schedule.PARALLEL else 1
        lengths = [(n, repeat) for n in lengths_like(steps) for repeat in range(repeats)]
        self.report.stage(f"small models of {steps} steps", len(lengths))
        mode = Mode(inspect=False, like=steps)
        measurements = []
        for length, repeat in lengths:
            self.report.doing(f"{self.scenario}, {length} steps")
            point = replace(self.conditions, steps=length, repeat=repeat)
            measurements.append(self.session.measure(point, mode=mode))
            self.report.done(f"{self.scenario} {length}")
        small = self._curves(replace(self.source.run, measurements=measurements, walls=[]))
        return [curve for curve in small if curve.metric.bends]


def _print(common: Common, prediction: ScenarioPrediction, given: dict[str, Any]) -> None:
    from reports.tables.grid import grid_table
    from reports.tables.prediction import (
        card_grid,
        prediction_document,
        prediction_lines,
        value_grid,
    )

    for line in prediction_lines(prediction):
        common.echo(line)
    for grid in (value_grid(prediction), card_grid(prediction)):
        if grid.rows:
            common.table(grid_table(grid, less_important=("95 % interval",), width=common.width))
    common.write_json(prediction_document(prediction))
    common.echo(f"next: {_next(prediction, given)}")


def _next(prediction: ScenarioPrediction, given: dict[str, Any]) -> str:
    """Return the command that really runs what was predicted."""
    options = [f"--set {setting}" for setting in given["settings"]]
    options += [f"--device {given['device']}"] if given["device"] != "cpu" else []
    if prediction.wall is not None:
        options.insert(0, f"--limit {given['limit']}")
        return " ".join(["stepwall wall", prediction.conditions.scenario, *options])
    options.insert(0, f"--steps {prediction.steps or prediction.measured_to}")
    return " ".join(["stepwall profile", prediction.conditions.scenario, *options])
