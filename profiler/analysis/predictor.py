"""The prediction of one scenario: walls by replay or by a law, values by laws and short runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from profiler.analysis.prediction import (
    ScenarioPrediction,
    predicted_values,
    short_lengths,
    wall_by_law,
)
from profiler.analysis.series import MetricSeries, metric_series
from profiler.errors import FailedPointError
from profiler.facts import (
    CaveatEffect,
    Measurement,
    Outcome,
    Point,
    Run,
    Schedule,
    Status,
    WallPrediction,
    WallPredictions,
    replace,
)
from profiler.forecast.demand import DemandLine
from profiler.frameworks import Mode, PredictionRequest
from profiler.units import MIB

# Common sizes of device memory.
CARD_BYTES = tuple(gib * 1024 * MIB for gib in (4, 8, 12, 16, 24, 40, 80, 141))
_MAX_STEPS = 10**9
# In the parallel schedule peaks differ from run to run.
_REPEATS = 3


class Measurer(Protocol):
    """Runs points in children of their own."""

    def measure(self, point: Point, *, mode: Mode) -> Measurement:
        """Measure one point."""

    def predict_walls(self, point: Point, request: PredictionRequest) -> WallPredictions | Outcome:
        """Predict device walls by replay; else return how the child ended."""


class Progress(Protocol):
    """Shows the user what is being done."""

    def stage(self, text: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` parts."""

    def doing(self, text: str) -> None:
        """Name the part that begins."""

    def done(self, text: str) -> None:
        """Count a part as done."""


@dataclass(frozen=True, kw_only=True)
class ScenarioPredictor:
    """Predicts one scenario from a run that measured it, and from short runs of its own.

    Attributes:
        run: the run whose laws are extrapolated.
        conditions: of the scenario's points there; steps and repeat are 0.
        measurer: runs what else is needed.
        progress: shows it.
    """

    run: Run
    conditions: Point
    measurer: Measurer
    progress: Progress

    def predict(
        self, *, limit_bytes: int | None = None, steps: int | None = None
    ) -> ScenarioPrediction:
        """Return the wall under the limit and on common cards, and every metric at one length.

        Args:
            limit_bytes: the device limit of the wall; None for no wall.
            steps: the length of the values [default: the wall].

        Raises:
            FailedPointError: if no point was measured, or the runs of the prediction failed.
        """
        measured = self._measured()
        limits = [limit_bytes, *CARD_BYTES] if limit_bytes else list(CARD_BYTES)
        found = self._walls(limits, measured)
        wall = found.walls[0] if limit_bytes else None
        steps = steps or (int(wall.steps) if wall else None)
        # Between measured lengths their own law is better than short runs.
        extrapolated = steps and not all(series.covers(steps) for series in measured)
        short = self._short_runs(steps, measured) if steps and extrapolated else []
        return ScenarioPrediction(
            conditions=self.conditions,
            run=self.run.name,
            measured_to=max(series.last for series in measured),
            limit_bytes=limit_bytes,
            wall=wall,
            steps=steps,
            values=tuple(predicted_values(measured, short, steps)) if steps else (),
            cards=tuple(zip(CARD_BYTES, found.walls[-len(CARD_BYTES) :], strict=True)),
            caveats=tuple(found.caveats),
        )

    def _measured(self) -> list[MetricSeries]:
        mine = [m for m in self.run.measurements if self._is_mine(m.point)]
        self._check_any(mine, "points")
        return self._series(mine)

    def _walls(self, limits: list[int], measured: Sequence[MetricSeries]) -> WallPredictions:
        """Return the walls by replay or, without a pattern to replay, by the law of the peak."""
        self.progress.stage("predicting walls")
        request = PredictionRequest(limits_bytes=limits, max_steps=_MAX_STEPS, changes=True)
        found = self.measurer.predict_walls(self.conditions, request)
        if isinstance(found, Outcome):
            raise FailedPointError(
                f"{self.conditions.scenario}: the short runs that predict its walls "
                f"ended with {found.sentence}"
            )
        if all(found.walls):
            return found
        peak = self._peak(measured, min(limits))
        walls = [
            wall or (_by_law(peak, limit) if peak else None)
            for wall, limit in zip(found.walls, limits, strict=True)
        ]
        return replace(found, walls=walls)

    def _peak(self, measured: Sequence[MetricSeries], limit_bytes: int) -> MetricSeries | None:
        """Return the device peak of short runs for about the steps that meet the limit."""
        peak = _peak_of(measured)
        rough = _roughly(peak, limit_bytes) if peak else None
        return peak if rough is None else _peak_of(self._short_runs(rough, measured)) or peak

    def _short_runs(self, steps: int, measured: Sequence[MetricSeries]) -> list[MetricSeries]:
        """Return memory by steps, of short runs with constant folding scaled down as at ``steps``.

        None where the framework's short runs do not differ from longer ones.

        Raises:
            FailedPointError: if all of them failed.
        """
        if not any(one.caveat(CaveatEffect.SHORT_RUNS_DIFFER) for one in measured):
            return []
        repeats = _REPEATS if self.conditions.schedule is Schedule.PARALLEL else 1
        lengths = [(n, repeat) for n in short_lengths(steps) for repeat in range(repeats)]
        self.progress.stage(f"short runs for {steps} steps", len(lengths))
        mode = Mode(inspect=False, scaled_to=steps)
        measurements = []
        for length, repeat in lengths:
            self.progress.doing(f"{self.conditions.scenario}, {length} steps")
            point = replace(self.conditions, steps=length, repeat=repeat)
            measurements.append(self.measurer.measure(point, mode=mode))
            self.progress.done(f"{self.conditions.scenario} {length}")
        self._check_any(measurements, "short runs")
        found = self._series(measurements)
        return [one for one in found if one.caveat(CaveatEffect.SHORT_RUNS_DIFFER)]

    def _check_any(self, measurements: Sequence[Measurement], what: str) -> None:
        """Raise the first failure if there is no measurement that ended well."""
        if any(m.outcome.status is Status.OK for m in measurements):
            return
        first = measurements[0] if measurements else None
        end = f"; at {first.point.steps} steps: {first.outcome.sentence}" if first else ""
        raise FailedPointError(
            f"{self.conditions.scenario}: all {len(measurements)} {what} failed{end}"
        )

    def _series(self, measurements: list[Measurement]) -> list[MetricSeries]:
        return metric_series(replace(self.run, measurements=measurements, walls=[]))

    def _is_mine(self, point: Point) -> bool:
        return replace(point, steps=0, repeat=0) == self.conditions


def _peak_of(found: Sequence[MetricSeries]) -> MetricSeries | None:
    return next((series for series in found if series.metric.name == "peak"), None)


def _roughly(peak: MetricSeries, limit_bytes: int) -> int | None:
    """Return where the line through the two longest lengths meets the limit, if it grows.

    A law says less here: it is refuted by constants that only short graphs hold.
    """
    ends = [(n, int(max(peak.values_at(n)))) for n in sorted({n for n, _ in peak.points})[-2:]]
    line = DemandLine.through(*ends) if len(ends) > 1 else None
    return None if line is None else min(_MAX_STEPS, max(1, int(line.meets(limit_bytes))))


def _by_law(peak: MetricSeries, limit_bytes: int) -> WallPrediction | None:
    return wall_by_law(peak, limit_bytes=limit_bytes, max_steps=_MAX_STEPS)
