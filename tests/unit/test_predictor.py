"""A scenario is predicted from its run and short runs; a failure is reported as it happened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import report_samples as samples

from profiler.analysis.predictor import ScenarioPredictor
from profiler.errors import FailedPointError
from profiler.facts import (
    CardWall,
    Caveat,
    CaveatEffect,
    DeviceMemory,
    Measurement,
    Outcome,
    PeakPrediction,
    Phase,
    PhaseRole,
    Point,
    Run,
    Schedule,
    Status,
    WallPrediction,
    WallPredictions,
    replace,
)
from profiler.frameworks import Mode, PredictionRequest
from profiler.lengths import Lengths
from profiler.units import CARD_BYTES

MIB = 1 << 20
LIMIT = 64 * MIB
# By libraries, of a whole card.
KEPT = 20 * MIB
LENGTHS = (8, 16, 32, 64, 128)
ERROR = Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")
CONDITIONS = Point(framework="sampleflow", scenario="toy", family="toys", parameters={}, steps=0)
BOUND = Caveat(
    metric="peak", effect=CaveatEffect.UPPER_BOUND, text="functions are made", from_steps=700
)
# What a step takes in ordinary runs, and with constant folding scaled down.
ORDINARY, SCALED = 2 * MIB, MIB

Walls = Callable[[PredictionRequest], WallPredictions | Outcome]


def measurement(point: Point, per_step: int, outcome: Outcome = samples.OK) -> Measurement:
    """Return a measurement whose peak is so many bytes per step; the host's is a bit more."""
    peak = None if outcome.reason else point.steps * per_step
    device = DeviceMemory(peak_bytes=peak)
    host = None if peak is None else peak + 30 * MIB
    steady = Phase(name="steady", role=PhaseRole.STEADY, began_s=0, host_peak_bytes=host)
    return Measurement(point=point, outcome=outcome, seconds=0.1, device=device, phases=[steady])


def no_pattern(request: PredictionRequest) -> WallPredictions:
    """Predict nothing: what is allocated varies."""
    return WallPredictions(
        walls=[None] * len(request.limits_bytes),
        varies=True,
        cards=[CardWall(limit_bytes=card, kept_bytes=KEPT) for card in request.cards_bytes],
    )


def by_replay(request: PredictionRequest) -> WallPredictions:
    """Predict walls of the scaled-down bytes per step."""

    def wall(limit: int) -> WallPrediction:
        n = limit // SCALED
        return WallPrediction(steps=n, low=n - 1, high=n + 1, learned_from=[8])

    return WallPredictions(
        walls=[wall(limit) for limit in request.limits_bytes],
        cards=[CardWall(limit_bytes=card, prediction=wall(card)) for card in request.cards_bytes],
        caveats=[BOUND],
    )


@dataclass(kw_only=True)
class Toy:
    """Measures by closed forms and remembers what was asked; shows no progress."""

    walls: Walls = by_replay
    ends: Callable[[Point], Outcome] = lambda _: samples.OK
    asked: list[tuple[int, int | None]] = field(default_factory=list)

    def measure(self, point: Point, *, mode: Mode) -> Measurement:
        """Measure a point."""
        self.asked.append((point.steps, mode.scaled_to))
        return measurement(point, SCALED if mode.scaled_to else ORDINARY, self.ends(point))

    def predict_walls(self, point: Point, request: PredictionRequest) -> WallPredictions | Outcome:
        """Predict walls."""
        assert point == CONDITIONS or point.schedule is Schedule.PARALLEL
        return self.walls(request)

    def stage(self, text: str, total: int | None = None) -> None:
        """Ignore it."""

    def doing(self, text: str) -> None:
        """Ignore it."""

    def done(self, text: str) -> None:
        """Ignore it."""


def predictor(toy: Toy, outcome: Outcome = samples.OK, **conditions: Schedule) -> ScenarioPredictor:
    """Return a predictor with a run of the toy whose points all ended so."""
    mine = replace(CONDITIONS, **conditions)
    measured = [measurement(replace(mine, steps=n), ORDINARY, outcome) for n in LENGTHS]
    other = measurement(
        Point(framework="sampleflow", scenario="other", family="toys", parameters={}, steps=999),
        MIB,
    )
    run = Run(
        id="r",
        name="r",
        created_at="",
        command="",
        environment=samples.ENVIRONMENT,
        finished=True,
        measurements=[*measured, other],
        walls=[],
    )
    return ScenarioPredictor(run=run, conditions=mine, measurer=toy, progress=toy)


def test_the_values_are_those_at_the_wall() -> None:
    """Where no length is given; memory there is that of short runs scaled to it."""
    toy = Toy()
    found = predictor(toy).predict(limit_bytes=LIMIT * 8)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert found.wall is not None
    assert found.wall.steps == found.steps == 8 * LIMIT // SCALED
    assert {scaled_to for _, scaled_to in toy.asked} == {found.steps}
    assert peak.value == pytest.approx(SCALED * found.steps)
    assert found.measured_to == LENGTHS[-1]
    assert found.caveats == (BOUND,)
    assert [found.is_upper_bound("peak", steps) for steps in (699, 700)] == [False, True]
    assert not found.is_upper_bound("host", 700)


def recorded_peak(share: float) -> Callable[[PredictionRequest], WallPredictions]:
    """Return what foretells the peak: recorded at 16 steps, where it is off by that share."""

    def foretell(request: PredictionRequest) -> WallPredictions:
        steps = request.peak_at or 0
        size = ORDINARY * steps
        peak = PeakPrediction(
            steps=steps,
            bytes=size,
            low=size - 100,
            high=size + 100,
            recorded={"16": round(16 * ORDINARY * (1 + share)), "20": 1},
        )
        backprop = replace(peak, bytes=size - 10, recorded={})
        return replace(
            no_pattern(request),
            varies=False,
            peak=peak,
            backprop=backprop,
            reasons=["no law holds"],
        )

    return foretell


@pytest.mark.parametrize("share", [0.0, 0.03125])
def test_the_peak_is_that_of_recorded_allocations(share: float) -> None:
    """Its interval is as wide as they are off where they were measured, too."""
    found = predictor(Toy(walls=recorded_peak(share))).predict(steps=1024)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert peak.is_replayed
    assert peak.value == 1024 * ORDINARY
    assert peak.low == 1024 * ORDINARY * (1 - share) - 100
    assert peak.high == 1024 * ORDINARY * (1 + share) + 100
    assert peak.lengths == (16, 20)


def test_recorded_allocations_of_another_step_foretell_nothing() -> None:
    """Where they need more than a twentieth more or less than what was measured."""
    found = predictor(Toy(walls=recorded_peak(0.0625))).predict(steps=1024)

    assert not any(value.is_replayed for value in found.values)


@pytest.mark.parametrize("more", [0, 300 * MIB])
def test_host_memory_is_told_only_as_far_as_the_law_of_the_tensors_in_it_is_right(
    more: int,
) -> None:
    """A replayed peak may grow beyond the lengths by what no law of theirs shows."""
    steps = 1024

    def foretell(request: PredictionRequest) -> WallPredictions:
        size = SCALED * steps + more
        peak = PeakPrediction(steps=steps, bytes=size, low=size, high=size, recorded={})
        return replace(no_pattern(request), varies=False, peak=peak, reasons=["no law holds"])

    values = predictor(Toy(walls=foretell)).predict(steps=steps).values
    (host,) = [value for value in values if value.metric.name == "host"]

    assert (host.value is None) is (more > 0)
    assert bool(host.reason and "grow differently" in host.reason) is (more > 0)


def test_the_reason_why_a_wall_is_not_told_is_kept() -> None:
    """No law of peaks is asked instead: the recorded ones followed none."""
    toy = Toy(walls=recorded_peak(0.0))
    found = predictor(toy).predict(limit_bytes=LIMIT, steps=1024)

    assert found.wall is None
    assert found.no_wall == "no law holds"


def test_a_measured_length_needs_no_short_runs() -> None:
    """Between measured lengths their own law is taken."""
    toy = Toy()
    found = predictor(toy).predict(steps=100)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert toy.asked == []
    assert peak.value == pytest.approx(ORDINARY * 100)
    assert found.wall is None


def test_every_card_has_its_wall() -> None:
    """In the order of their sizes, with and without a limit."""
    for limit in (None, LIMIT):
        found = predictor(Toy()).predict(limit_bytes=limit)

        assert [card.limit_bytes for card in found.cards] == list(CARD_BYTES)
        assert [card.prediction and card.prediction.steps for card in found.cards] == [
            size // SCALED for size in CARD_BYTES
        ]


@pytest.mark.parametrize(("schedule", "repeats"), [(Schedule.SERIAL, 1), (Schedule.PARALLEL, 3)])
def test_without_a_pattern_walls_are_by_the_law_of_short_runs(
    schedule: Schedule, repeats: int
) -> None:
    """Scaled to where the measured peaks roughly meet the smallest limit."""
    toy = Toy(walls=no_pattern)
    found = predictor(toy, schedule=schedule).predict(limit_bytes=8 * LIMIT)

    assert found.wall is not None
    assert found.wall.is_line
    assert found.wall.steps == pytest.approx(8 * LIMIT // SCALED, abs=1)
    assert toy.asked[0][1] == 8 * LIMIT // ORDINARY
    assert toy.asked.count(toy.asked[0]) == repeats
    for card in found.cards:
        assert card.prediction is not None
        left = card.limit_bytes - KEPT
        assert card.prediction.steps == pytest.approx(left // SCALED, abs=1)


def test_the_error_of_the_recorded_runs_is_reported() -> None:
    """The scenario raises at lengths that the run did not measure."""
    found = predictor(Toy(walls=lambda _: ERROR)).predict(limit_bytes=LIMIT, steps=40)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert found.wall is None
    assert {card.prediction for card in found.cards} == {None}
    assert "ended with error in build: ValueError: bad shape" in found.failed[0]
    assert peak.value == pytest.approx(40 * ORDINARY)


def test_a_run_without_a_measured_point_is_one_error() -> None:
    """No wall and no value can follow: the first failure says why."""
    with pytest.raises(FailedPointError) as caught:
        predictor(Toy(), outcome=ERROR).predict(limit_bytes=LIMIT)

    assert str(caught.value) == (
        "toy: all 5 points failed; at 8 steps: error in build: ValueError: bad shape"
    )


def test_short_runs_that_all_fail_are_one_error() -> None:
    """Then memory at that length is unknown, and the scenario says why; walls are replayed."""
    found = predictor(Toy(ends=lambda _: ERROR)).predict(steps=4096)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert (peak.value, peak.reason) == (None, "its short runs failed")
    assert found.failed[0].startswith("all 5 short runs failed, at 64 steps: error in build")
    assert all(card.prediction for card in found.cards)


def test_short_runs_are_of_lengths_that_are_allowed() -> None:
    """The author of the scenario would refuse the others."""
    toy = Toy()
    lengths = Lengths(multiple_of=30, at_least=60)
    predict = dataclasses.replace(predictor(toy), lengths=lengths).predict
    predict(steps=900)

    assert len(toy.asked) == 5
    assert all(lengths.allow(steps) for steps, _ in toy.asked)


def test_one_short_run_that_fails_leaves_the_others() -> None:
    """Four lengths still have a law."""
    toy = Toy(ends=lambda point: ERROR if point.steps == 64 else samples.OK)
    found = predictor(toy).predict(steps=4096)
    (peak,) = [value for value in found.values if value.metric.name == "peak"]

    assert found.failed == (
        "1 of 5 short runs failed, at 64 steps: error in build: ValueError: bad shape",
    )
    assert 64 not in peak.lengths
    assert peak.from_short_runs
