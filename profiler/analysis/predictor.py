"""The prediction of one scenario: walls by replay or by a law, values by laws and short runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_value
from typing import Protocol

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.prediction import (
    PredictedValue,
    ScenarioPrediction,
    predicted_values,
    replayed_value,
    short_lengths,
    wall_by_law,
)
from profiler.analysis.series import MetricSeries, metric_series
from profiler.analysis.size_wall import size_walls
from profiler.errors import FailedPointError
from profiler.facts import (
    CardWall,
    CaveatEffect,
    Measurement,
    Outcome,
    PeakPrediction,
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
from profiler.lengths import ANY, Lengths
from profiler.units import CARD_BYTES

_MAX_STEPS = 10**9
# In the parallel schedule peaks differ from run to run.
_REPEATS = 3
# Lengths that a law of short runs takes.
_FEWEST = 3
_SHORT_RUNS_FAILED = "its short runs failed"
_PEAK_IS_OFF = "it includes the device's tensors, which grow differently beyond these lengths"
# Recorded and measured peaks of one length that differ by more than this share are of two steps.
_SAME_PEAK = 0.05


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
        lengths: those that may be run.
    """

    run: Run
    conditions: Point
    measurer: Measurer
    progress: Progress
    lengths: Lengths = ANY

    def predict(
        self, *, limit_bytes: int | None = None, steps: int | None = None
    ) -> ScenarioPrediction:
        """Return the wall under the limit and on common cards, and every metric at one length.

        Args:
            limit_bytes: the device limit of the wall; None for no wall.
            steps: the length of the values [default: the wall].

        Raises:
            FailedPointError: if no point was measured. Where the runs of the prediction failed,
                the prediction says so, and has what does not need them.
        """
        measured = self._measured()
        failed: list[str] = []
        found = self._walls([limit_bytes] if limit_bytes else [], measured, failed, steps)
        wall = found.walls[0] if limit_bytes else None
        steps = steps or (int(wall.steps) if wall else None)
        # Between measured lengths their own law is better than short runs.
        extrapolated = steps and not all(series.covers(steps) for series in measured)
        short = self._short_runs(steps, measured, failed) if steps and extrapolated else []
        return ScenarioPrediction(
            conditions=self.conditions,
            run=self.run.name,
            measured_to=max(series.last for series in measured),
            limit_bytes=limit_bytes,
            wall=wall,
            steps=steps,
            values=tuple(self._values(measured, short, steps, failed, found)) if steps else (),
            cards=tuple(found.cards),
            caveats=tuple(found.caveats),
            failed=tuple(dict.fromkeys(failed)),
            no_wall=found.reasons[0] if limit_bytes and not wall and found.reasons else None,
            size_walls=size_walls(
                [m for m in self.run.measurements if self._is_mine(m.point)],
                self.run.framework(self.conditions.framework).limits,
            ),
        )

    def _measured(self) -> list[MetricSeries]:
        mine = [m for m in self.run.measurements if self._is_mine(m.point)]
        self._check_any(mine)
        return self._series(mine)

    def _walls(
        self,
        limits: list[int],
        measured: Sequence[MetricSeries],
        failed: list[str],
        steps: int | None,
    ) -> WallPredictions:
        """Return the walls by replay or, where what is allocated varies, by the peak's law."""
        self.progress.stage("predicting walls")
        request = PredictionRequest(
            limits_bytes=limits,
            max_steps=_MAX_STEPS,
            peak=True,
            peak_at=steps,
            changes=True,
            cards_bytes=list(CARD_BYTES),
        )
        found = self.measurer.predict_walls(self.conditions, request)
        if isinstance(found, Outcome):
            failed.append(f"the short runs that predict its walls ended with {found.sentence}")
            return WallPredictions(
                walls=[None] * len(limits), cards=[CardWall(limit_bytes=one) for one in CARD_BYTES]
            )
        peak = self._peak(measured, min([*limits, *CARD_BYTES]), failed) if found.varies else None
        if peak is None:
            return found
        return replace(
            found,
            walls=[self._by_law(peak, limit) for limit in limits],
            cards=[self._card_by_law(peak, card) for card in found.cards],
        )

    def _peak(
        self, measured: Sequence[MetricSeries], limit_bytes: int, failed: list[str]
    ) -> MetricSeries | None:
        """Return the device peak of short runs for about the steps that meet the limit."""
        peak = _peak_of(measured)
        rough = _roughly(peak, limit_bytes) if peak else None
        if rough is None:
            return peak
        return _peak_of(self._short_runs(rough, measured, failed)) or peak

    def _short_runs(
        self, steps: int, measured: Sequence[MetricSeries], failed: list[str]
    ) -> list[MetricSeries]:
        """Return memory by steps, of short runs with constant folding scaled down as at ``steps``.

        None where the framework's short runs do not differ from longer ones, or too few ended well.
        """
        if not any(map(_bends, measured)):
            return []
        repeats = _REPEATS if self.conditions.schedule is Schedule.PARALLEL else 1
        short = short_lengths(steps, self.lengths)
        lengths = [(n, repeat) for n in short for repeat in range(repeats)]
        self.progress.stage(f"short runs for {self.lengths.text(steps)}", len(lengths))
        mode = Mode(inspect=False, scaled_to=steps)
        measurements = []
        for length, repeat in lengths:
            self.progress.doing(f"{self.conditions.scenario}, {self.lengths.text(length)}")
            point = replace(self.conditions, steps=length, repeat=repeat)
            measurements.append(self.measurer.measure(point, mode=mode))
            self.progress.done(f"{self.conditions.scenario} {length}")
        ends = [m for m in measurements if m.outcome.status is not Status.OK]
        if ends:
            many = "all" if len(ends) == len(measurements) else f"{len(ends)} of"
            at = self.lengths.text(ends[0].point.steps)
            first = f"at {at}: {ends[0].outcome.sentence}"
            failed.append(f"{many} {len(measurements)} short runs failed, {first}")
        left = {m.point.steps for m in measurements if m not in ends}
        if len(left) < _FEWEST:
            return []
        found = self._series(measurements)
        return [one for one in found if _bends(one)]

    def _values(
        self,
        measured: Sequence[MetricSeries],
        short: Sequence[MetricSeries],
        steps: int,
        failed: list[str],
        found: WallPredictions,
    ) -> list[PredictedValue]:
        values = predicted_values(measured, short, steps)
        if not all(series.covers(steps) for series in measured):
            told = {"peak": found.peak, "backprop": found.backprop}
            checked = {name: self._checked(name, one) for name, one in told.items() if one}
            values = [
                replayed_value(value, by_replay)
                if (by_replay := checked.get(value.metric.name)) is not None
                else value
                for value in self._checked_host(values, checked.get("peak"), steps)
            ]
        if short or not failed:
            return values
        needing = {one.metric.name for one in measured if _bends(one)}
        return [
            replace_value(value, reason=_SHORT_RUNS_FAILED)
            if value.metric.name in needing and value.value is None
            else value
            for value in values
        ]

    def _checked_host(
        self, values: Sequence[PredictedValue], peak: PeakPrediction | None, steps: int
    ) -> list[PredictedValue]:
        """Return the values, that of the host given only as far as the law of the peak is right.

        On a CPU the host holds the device's tensors. Where these were replayed, and their law is
        further off than the host's interval is wide, the host's law is wrong as well.
        """
        law = next((value.law for value in values if value.metric.name == "peak"), None)
        if peak is None or law is None or self.conditions.on_card:
            return list(values)
        missed = abs(peak.bytes - law.at(steps))

        def is_off(value: PredictedValue) -> bool:
            ends = (value.low or 0, value.high or 0)
            return value.metric.name == "host" and max(ends) - min(ends) < 2 * missed

        return [
            replace_value(value, value=None, low=None, high=None, reason=_PEAK_IS_OFF)
            if value.value is not None and is_off(value)
            else value
            for value in values
        ]

    def _checked(self, name: str, found: PeakPrediction) -> PeakPrediction | None:
        """Return what is predicted for a metric, its interval as wide as measured points allow.

        None where the recorded steps are not those that were measured.
        """
        share = 0.0
        for m in sorted(self.run.measurements, key=lambda m: m.point.steps):
            measured = BY_NAME[name].value(m)
            recorded = found.recorded.get(str(m.point.steps))
            if self._is_mine(m.point) and measured and recorded is not None:
                share = abs(recorded - measured) / measured
        if share > _SAME_PEAK:
            return None
        margin = int(share * found.bytes)
        return replace(found, low=max(0, found.low - margin), high=found.high + margin)

    def _check_any(self, measurements: Sequence[Measurement]) -> None:
        """Raise the first failure if there is no measurement that ended well."""
        if any(m.outcome.status is Status.OK for m in measurements):
            return
        first = measurements[0] if measurements else None
        at = self.lengths.text(first.point.steps) if first else ""
        end = f"; at {at}: {first.outcome.sentence}" if first else ""
        raise FailedPointError(
            f"{self.conditions.scenario}: all {len(measurements)} points failed{end}"
        )

    def _series(self, measurements: list[Measurement]) -> list[MetricSeries]:
        return metric_series(replace(self.run, measurements=measurements, walls=[]))

    def _by_law(self, peak: MetricSeries, limit_bytes: int) -> WallPrediction | None:
        return wall_by_law(
            peak, limit_bytes=limit_bytes, max_steps=_MAX_STEPS, lengths=self.lengths
        )

    def _card_by_law(self, peak: MetricSeries, card: CardWall) -> CardWall:
        wall = self._by_law(peak, card.limit_bytes - card.kept_bytes)
        return replace(card, prediction=wall, reason=None if wall else card.reason)

    def _is_mine(self, point: Point) -> bool:
        return replace(point, steps=0, repeat=0) == self.conditions


def _bends(series: MetricSeries) -> bool:
    """Whether its law takes short runs whose constant folding is scaled down."""
    return series.caveat(CaveatEffect.SHORT_RUNS_DIFFER) is not None


def _peak_of(found: Sequence[MetricSeries]) -> MetricSeries | None:
    return next((series for series in found if series.metric.name == "peak"), None)


def _roughly(peak: MetricSeries, limit_bytes: int) -> int | None:
    """Return where the line through the two longest lengths meets the limit, if it grows.

    A law says less here: it is refuted by constants that only short graphs hold.
    """
    ends = [(n, int(max(peak.values_at(n)))) for n in sorted({n for n, _ in peak.points})[-2:]]
    line = DemandLine.through(*ends) if len(ends) > 1 else None
    return None if line is None else min(_MAX_STEPS, max(1, int(line.meets(limit_bytes))))
