"""A certificate says what was proved, by which probes, and why where it was not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import (
    CardWall,
    Confirmation,
    DeviceMemory,
    HostMemory,
    Island,
    Measurement,
    Outcome,
    Point,
    Probe,
    Schedule,
    Status,
    WallPrediction,
    WallPredictions,
    WallStatus,
    replace,
)
from profiler.forecast.certificate import BAND_REPEATS, certify
from profiler.lengths import Lengths
from profiler.measure.outcomes import ProcessEnd, from_exit

LIMIT = 64 << 20
PER_STEP = 1 << 20
EDGE = LIMIT // PER_STEP
SECONDS = 0.25
RETRIES = 4
CONDITIONS = Point(
    framework="sampleflow",
    scenario="toy",
    family="toys",
    parameters={"batch": 32},
    steps=0,
    device="gpu",
    limit_bytes=LIMIT,
)
HOST = replace(CONDITIONS, limit_bytes=None, host_limit_bytes=LIMIT)
PARALLEL = replace(CONDITIONS, schedule=Schedule.PARALLEL)

OK = Outcome(status=Status.OK)
OOM = Outcome(status=Status.OOM_DEVICE, phase="first_step", reason="asked for too much")
KILLED = Outcome(status=Status.OOM_HOST, phase="build", reason="the kernel killed it")
CRASH = Outcome(status=Status.CRASHED, phase="first_step", reason="died of SIGSEGV")
ERROR = Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")
TIMEOUT = Outcome(status=Status.TIMEOUT, phase="steady", reason="still running after 9 s")
STOPPED = from_exit(ProcessEnd(wait_status=9, machine_left_bytes=100 << 20), "steady")

Ends = Callable[[Point], Outcome]


@dataclass(kw_only=True)
class Measure:
    """Ends points by ``ends``; what passes has affine peaks. Remembers what it was asked."""

    ends: Ends
    replayed: bool = False
    replays: Callable[[Point], bool] | None = None
    reserves: int | None = None
    asked: list[Point] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)

    def __call__(self, point: Point, *, whole: bool) -> Measurement:
        """Measure one point; an out of memory is cut short unless it is run whole."""
        self.asked.append(point)
        self.whole.append(whole)
        end = self.ends(point)
        if end is OOM and not whole:
            end = replace(OOM, cut_short=True)
        taken = PER_STEP * point.steps if end is OK else None
        return Measurement(
            point=point,
            outcome=end,
            seconds=SECONDS,
            device=DeviceMemory(
                peak_bytes=taken,
                reserved_peak_bytes=taken and self.reserves and self.reserves * taken,
                replayed=self.replays(point) if self.replays else self.replayed,
                left_out="the context" if self.replayed else None,
            ),
            host=HostMemory(capped_peak_bytes=taken, limit_by="cgroup v2"),
        )


def _beyond(edge: int, failure: Outcome = OOM) -> Measure:
    """Return a measure whose points fail beyond ``edge``."""
    return Measure(ends=lambda point: OK if point.steps <= edge else failure)


def _prediction(steps: int) -> WallPrediction:
    return WallPrediction(steps=steps, low=steps - 1, high=steps + 2, learned_from=[8, 10])


def _told(wall: WallPrediction | None, begin: WallPrediction | None = None) -> WallPredictions:
    return WallPredictions(walls=[wall], begin=begin)


class TestExact:
    """Both ends were run."""

    def test_the_first_out_of_memory_follows_the_last_survivor(self) -> None:
        """Both are among the probes, and neither was cut short."""
        wall = certify(CONDITIONS, _beyond(EDGE))

        assert wall.status is WallStatus.EXACT
        assert (wall.last_ok, wall.first_oom) == (EDGE, EDGE + 1)
        assert wall.survivor == Probe(
            steps=EDGE, outcome=OK, seconds=SECONDS, peak_bytes=PER_STEP * EDGE
        )
        assert wall.failure == Probe(steps=EDGE + 1, outcome=OOM, seconds=SECONDS)
        assert wall.reason is None

    @given(st.integers(1, 5000), st.none() | st.integers(0, 10_000))
    def test_its_failing_end_ran_to_its_own_end(self, edge: int, predicted: int | None) -> None:
        """Wherever the wall is, and wherever it was predicted."""
        measure = _beyond(edge)
        prediction = None if predicted is None else _prediction(predicted)
        wall = certify(CONDITIONS, measure, predict=lambda: _told(prediction))
        points = [point.steps for point in measure.asked]

        assert wall.status is WallStatus.EXACT
        assert wall.failure is not None
        assert wall.failure.outcome == OOM
        assert measure.whole[len(points) - 1 - points[::-1].index(edge + 1)]

    @given(
        st.integers(1, 3000),
        st.none() | st.integers(0, 6000),
        st.integers(2, 40),
        st.integers(1, 90),
    )
    def test_only_lengths_that_are_allowed_are_run(
        self, edge: int, predicted: int | None, multiple_of: int, at_least: int
    ) -> None:
        """The wall lies between two of them that follow each other."""
        lengths = Lengths(multiple_of=multiple_of, at_least=at_least)
        measure = _beyond(edge)
        prediction = None if predicted is None else _prediction(predicted)
        wall = certify(CONDITIONS, measure, predict=lambda: _told(prediction), lengths=lengths)
        last = lengths.at_most(edge)

        assert all(lengths.allow(point.steps) for point in measure.asked)
        assert wall.status is (WallStatus.EXACT if last else WallStatus.AT_MOST)
        assert (wall.last_ok or 0, wall.first_oom) == (last, lengths.next(last))
        assert wall.multiple_of == multiple_of

    def test_it_repeats_its_conditions(self) -> None:
        """It can be read alone."""
        wall = certify(CONDITIONS, _beyond(EDGE))

        assert (wall.scenario, wall.family, wall.parameters) == ("toy", "toys", {"batch": 32})
        assert (wall.device, wall.kind, wall.limit_bytes) == ("gpu", "device", LIMIT)
        assert (wall.schedule, wall.limit_by) == (Schedule.SERIAL, None)

    def test_every_probe_is_run_under_the_conditions_at_its_own_steps(self) -> None:
        """Nothing but the steps varies."""
        measure = _beyond(EDGE)
        wall = certify(CONDITIONS, measure)

        assert [point.steps for point in measure.asked] == [probe.steps for probe in wall.probes]
        assert all(replace(point, steps=0) == CONDITIONS for point in measure.asked)

    def test_every_probe_is_told_as_it_ends(self) -> None:
        """A progress line needs no other source."""
        seen: list[Probe] = []
        wall = certify(CONDITIONS, _beyond(EDGE), on_probe=seen.append)

        assert seen == wall.probes

    def test_a_crash_far_beyond_does_not_spoil_it(self) -> None:
        """Only the first failing number of steps decides."""
        ends = {6: OOM}
        measure = Measure(ends=lambda p: OK if p.steps <= 5 else ends.get(p.steps, CRASH))
        wall = certify(CONDITIONS, measure)

        assert wall.status is WallStatus.EXACT
        assert (wall.last_ok, wall.first_oom) == (5, 6)


class TestPrediction:
    """What was expected stands beside what was found."""

    def test_a_forecast_is_told_with_its_range(self) -> None:
        """And by what it was made."""
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: _told(_prediction(EDGE)))

        assert [probe.steps for probe in wall.probes] == [EDGE, EDGE + 1]
        assert (wall.predicted, wall.predicted_by) == (EDGE, "replay")
        assert (wall.predicted_low, wall.predicted_high) == (EDGE - 1, EDGE + 2)
        assert wall.predicted_from == [8, 10]

    def test_what_the_search_expects_by_its_own_runs_is_not_told(self) -> None:
        """It is where the search goes next: no interval is known to hold for it."""
        wall = certify(CONDITIONS, _beyond(EDGE))

        assert (wall.status, wall.last_ok) == (WallStatus.EXACT, EDGE)
        assert (wall.predicted, wall.predicted_low, wall.predicted_by) == (None, None, None)
        assert wall.predicted_from == []

    def test_a_search_begins_near_the_wall_where_short_runs_do_not_tell_it(self) -> None:
        """What was recorded there costs two runs less, and is no prediction."""
        told = _told(None, begin=_prediction(EDGE))
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: told)

        assert [probe.steps for probe in wall.probes] == [EDGE, EDGE + 1]
        assert (wall.predicted, wall.predicted_by, wall.predicted_from) == (None, None, [])

    def test_a_prediction_that_failed_leaves_its_reason(self) -> None:
        """The search goes on without it, and finds the wall all the same."""
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: ERROR)

        assert (wall.last_ok, wall.first_oom) == (EDGE, EDGE + 1)
        assert wall.unpredicted == "error in build: ValueError: bad shape"
        assert wall.predicted_by is None
        assert certify(CONDITIONS, _beyond(EDGE)).unpredicted is None

    def test_the_price_holds_the_forecast_and_every_probe(self) -> None:
        """Over the seconds of the two runs that prove the wall."""
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: _told(_prediction(EDGE + 1)))

        assert [probe.steps for probe in wall.probes] == [EDGE + 1, EDGE, EDGE + 1]
        assert wall.seconds >= 3 * SECONDS
        assert wall.price == wall.seconds / (2 * SECONDS)

    def test_what_else_was_foretold_is_no_part_of_the_price(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Walls on cards were asked for beside this one."""
        clock = iter([100.0, 110.0])
        monkeypatch.setattr("profiler.forecast.certificate.time.perf_counter", lambda: next(clock))
        card = CardWall(limit_bytes=1 << 40, reason="too far")
        found = replace(_told(_prediction(EDGE)), cards=[card], cards_seconds=4)
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: found)

        assert wall.cards == [card]
        assert wall.seconds == 10 - 4 + 2 * SECONDS

    def test_one_that_sees_no_wall_up_to_the_bound_is_not_told(self) -> None:
        """It was never looked for beyond."""
        wall = certify(
            CONDITIONS, _beyond(100), predict=lambda: _told(_prediction(40)), max_steps=40
        )

        assert wall.status is WallStatus.AT_LEAST
        assert (wall.predicted, wall.predicted_by, wall.predicted_from) == (None, None, [])


def _between(*stretches: tuple[int, int], replayed: bool = False) -> Measure:
    """Return a measure whose points survive in these stretches only."""
    return Measure(
        ends=lambda p: OK if any(a <= p.steps <= b for a, b in stretches) else OOM,
        replayed=replayed,
    )


def _with_islands(steps: int, *islands: tuple[int, int]) -> WallPredictions:
    found = [Island(first=first, last=last) for first, last in islands]
    return _told(replace(_prediction(steps), islands=found))


class TestIslands:
    """Longer lengths that survive again are run, and told."""

    def test_an_island_that_is_foretold_is_run_with_what_is_next_to_it(self) -> None:
        """1,279 runs out, 1,280 survives, 1,281 runs out; the wall is the first edge."""
        measure = _between((1, 853), (1280, 1280))
        wall = certify(CONDITIONS, measure, predict=lambda: _with_islands(853, (1280, 1280)))

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.EXACT, 853, 854)
        assert wall.islands == [Island(first=1280, last=1280)]
        assert wall.beside(wall.islands[0]) == (1279, 1281)
        assert [probe.steps for probe in wall.probes] == [853, 854, 1279, 1280, 1281]
        assert all(not probe.outcome.cut_short for probe in wall.probes if probe.steps > 854)
        assert wall.seconds >= len(wall.probes) * SECONDS

    @given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
    def test_its_ends_are_where_the_runs_put_them(self, gap: int, told: int, real: int) -> None:
        """However long it was foretold to be, up to twice that."""
        first = 100 + gap
        last = first + real - 1
        measure = _between((1, 99), (first, last))
        wall = certify(
            CONDITIONS, measure, predict=lambda: _with_islands(99, (first, first + told - 1))
        )
        (island,) = wall.islands

        assert (wall.last_ok, wall.first_oom) == (99, 100)
        assert island.first == first
        assert island.last == min(last, first + 2 * told)
        assert len({(p.steps, p.outcome.cut_short) for p in wall.probes}) == len(wall.probes)

    def test_one_that_is_no_island_is_run_once_and_not_told(self) -> None:
        """Its first length ran out: nothing survives again, for all that was seen."""
        wall = certify(CONDITIONS, _beyond(EDGE), predict=lambda: _with_islands(EDGE, (90, 95)))

        assert wall.islands == []
        assert [probe.steps for probe in wall.probes] == [EDGE, EDGE + 1, 89, 90]
        assert (wall.last_ok, wall.first_oom) == (EDGE, EDGE + 1)

    def test_those_nearest_to_the_wall_are_run(self) -> None:
        """Each failing run may cost a wait: three are enough to know that there are some."""
        places = [(n, n) for n in range(100, 200, 20)]
        wall = certify(
            CONDITIONS, _between((1, 64), *places), predict=lambda: _with_islands(64, *places)
        )

        assert wall.islands == [Island(first=n, last=n) for n in (100, 120, 140)]

    def test_only_allowed_lengths_up_to_the_bound_are_run(self) -> None:
        """An island beyond is not looked for; one at the bound is open there."""
        lengths = Lengths(multiple_of=10)
        wall = certify(
            CONDITIONS,
            _between((1, 60), (200, 260), (400, 500)),
            predict=lambda: _with_islands(60, (200, 260), (400, 500)),
            lengths=lengths,
            max_steps=250,
        )

        assert wall.islands == [Island(first=200, last=250)]
        assert wall.beside(wall.islands[0]) == (190, None)
        assert all(lengths.allow(probe.steps) for probe in wall.probes)

    @pytest.mark.parametrize("conditions", [HOST, PARALLEL])
    def test_where_outcomes_vary_there_are_none(self, conditions: Point) -> None:
        """What is longer and survives there may run out the next time."""
        failure = KILLED if conditions is HOST else OOM
        measure = Measure(ends=lambda p: OK if p.steps <= EDGE or p.steps == 90 else failure)
        wall = certify(conditions, measure, predict=lambda: _with_islands(EDGE, (90, 90)))

        assert wall.islands == []
        assert 90 not in [probe.steps for probe in wall.probes]

    def test_a_crash_beyond_the_wall_is_no_island_s_end(self) -> None:
        """It says nothing of memory."""
        ends = {89: CRASH, 90: OK, 91: CRASH}
        measure = Measure(ends=lambda p: ends.get(p.steps, OK if p.steps <= EDGE else OOM))
        wall = certify(CONDITIONS, measure, predict=lambda: _with_islands(EDGE, (90, 90)))

        assert wall.islands == [Island(first=90, last=90)]
        assert wall.beside(wall.islands[0]) == (EDGE + 1, None)


class TestReplayed:
    """No device ran under the limit: that is never told as if one had."""

    @pytest.mark.parametrize("confirm", [0, 2])
    def test_a_wall_whose_ends_were_replayed_is_no_exact_one(self, confirm: int) -> None:
        """Its ends are told all the same."""
        measure = _between((1, EDGE), replayed=True)
        wall = certify(CONDITIONS, measure, confirm=confirm)

        assert wall.status is WallStatus.REPLAYED
        assert (wall.last_ok, wall.first_oom) == (EDGE, EDGE + 1)
        assert all(probe.replayed for probe in wall.probes)
        assert wall.left_out == "the context"
        assert wall.confirmation == (
            Confirmation(repeats=2, survived=2, ran_out=2) if confirm else None
        )

    @pytest.mark.parametrize(
        ("stretch", "ends"), [((1, 1000), (40, None)), ((2000, 2000), (None, 1))]
    )
    def test_so_is_one_with_one_end_only(
        self, stretch: tuple[int, int], ends: tuple[int | None, int | None]
    ) -> None:
        """At least and at most are proofs, too."""
        wall = certify(CONDITIONS, _between(stretch, replayed=True), max_steps=40)

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.REPLAYED, *ends)

    def test_one_replayed_end_is_enough(self) -> None:
        """The failing one, where only the limit is a model's."""
        measure = _between((1, EDGE))
        measure.replays = lambda point: point.steps > EDGE
        wall = certify(CONDITIONS, measure)

        assert wall.status is WallStatus.REPLAYED
        assert wall.failure is not None
        assert wall.failure.replayed
        assert wall.survivor is not None
        assert not wall.survivor.replayed

    def test_in_the_parallel_schedule_a_band_is_replayed(self) -> None:
        """Its ends lie apart."""

        def ends(point: Point) -> Outcome:
            varies = 50 <= point.steps < 60 and (point.steps + point.repeat) % 2
            return OK if point.steps < 50 or varies else OOM

        wall = certify(PARALLEL, Measure(ends=ends, replayed=True))

        assert wall.status is WallStatus.REPLAYED
        assert wall.last_ok is not None
        assert wall.first_oom is not None
        assert wall.first_oom > wall.last_ok

    def test_an_unproven_one_stays_so(self) -> None:
        """What went wrong is more than how it was run."""
        measure = Measure(ends=lambda p: OK if p.steps < 20 else CRASH, replayed=True)

        assert certify(CONDITIONS, measure).status is WallStatus.UNPROVEN

    def test_the_search_goes_by_what_is_reserved(self) -> None:
        """That is what the limit caps; the peak is what was handed out."""
        measure = Measure(ends=_beyond(EDGE).ends, reserves=2)
        wall = certify(CONDITIONS, measure)

        assert wall.survivor is not None
        assert wall.survivor.peak_bytes == PER_STEP * EDGE
        assert wall.survivor.reserved_bytes == 2 * PER_STEP * EDGE


class TestOpen:
    """One end is beyond what may be run."""

    def test_where_nothing_fails_the_wall_is_at_least_the_largest(self) -> None:
        """The largest number of steps was really run."""
        wall = certify(CONDITIONS, Measure(ends=lambda _: OK), max_steps=40)

        assert wall.status is WallStatus.AT_LEAST
        assert (wall.last_ok, wall.first_oom, wall.price) == (40, None, None)
        assert wall.survivor is not None
        assert wall.reason is None

    @pytest.mark.parametrize("predicted", [None, 0, 50])
    def test_where_one_step_fails_the_wall_is_at_most_one(self, predicted: int | None) -> None:
        """Nothing survived, so there is no ``last_ok``."""
        prediction = None if predicted is None else _prediction(predicted)
        wall = certify(CONDITIONS, Measure(ends=lambda _: OOM), predict=lambda: _told(prediction))

        assert wall.status is WallStatus.AT_MOST
        assert (wall.last_ok, wall.first_oom, wall.price) == (None, 1, None)
        assert wall.failure == Probe(steps=1, outcome=OOM, seconds=SECONDS)


class TestUnproven:
    """What failed was not the memory that is limited."""

    @pytest.mark.parametrize(
        ("conditions", "failure", "sentence"),
        [
            (CONDITIONS, KILLED, "not a device memory failure: oom_host in build: the kernel kill"),
            (CONDITIONS, CRASH, "not a device memory failure: crashed in first_step: died of"),
            (HOST, OOM, "not a host memory failure: oom_device in first_step: asked for too much"),
            (HOST, CRASH, "not a host memory failure: crashed in first_step: died of SIGSEGV"),
        ],
    )
    def test_another_failure_at_the_edge_proves_nothing(
        self, conditions: Point, failure: Outcome, sentence: str
    ) -> None:
        """The search goes on over it, but a wall must end on want of its own memory."""
        wall = certify(conditions, _beyond(20, failure))

        assert wall.status is WallStatus.UNPROVEN
        assert (wall.last_ok, wall.first_oom) == (20, None)
        assert wall.reason is not None
        assert wall.reason.startswith(f"at 21 steps, {sentence}")

    def test_a_crash_at_one_step_proves_nothing(self) -> None:
        """Neither end is known."""
        wall = certify(CONDITIONS, Measure(ends=lambda _: CRASH))

        assert wall.status is WallStatus.UNPROVEN
        assert (wall.last_ok, wall.first_oom) == (None, None)

    @pytest.mark.parametrize(
        ("failure", "sentence"),
        [
            (ERROR, "at 8 steps: error in build: ValueError: bad shape"),
            (TIMEOUT, "at 8 steps: timeout in steady: still running after 9 s"),
            (STOPPED, f"at 8 steps: oom_host in steady: {STOPPED.reason}"),
        ],
    )
    @pytest.mark.parametrize("conditions", [CONDITIONS, HOST])
    def test_what_other_steps_cannot_mend_stops_the_search(
        self, failure: Outcome, sentence: str, conditions: Point
    ) -> None:
        """The first such probe is the last, and the certificate says what it was."""
        wall = certify(conditions, Measure(ends=lambda _: failure))

        assert wall.status is WallStatus.UNPROVEN
        assert wall.reason == sentence
        assert [probe.steps for probe in wall.probes] == [8]
        assert (wall.last_ok, wall.first_oom, wall.predicted) == (None, None, None)

    def test_an_error_at_some_lengths_only_says_how_to_rule_them_out(self) -> None:
        """Where no length runs, or a run took too long, that would not mend it."""
        wall = certify(CONDITIONS, _beyond(20, ERROR))

        assert wall.status is WallStatus.UNPROVEN
        assert wall.reason is not None
        assert wall.reason.endswith(
            "; @scenario(multiple_of=..., at_least=...) rules out lengths that it does not take"
        )
        assert "rules out" not in (certify(CONDITIONS, _beyond(20, TIMEOUT)).reason or "")

    def test_what_was_known_before_is_kept(self) -> None:
        """The points that survived stay true."""
        wall = certify(CONDITIONS, _beyond(20, TIMEOUT))

        assert wall.status is WallStatus.UNPROVEN
        assert wall.last_ok == max(p.steps for p in wall.probes if p.outcome == OK)

    def test_a_wall_needs_a_limit(self) -> None:
        """Without one there is nothing to run into, nor to predict."""
        measure = _beyond(EDGE)
        with pytest.raises(ValueError, match="needs a limit"):
            certify(replace(CONDITIONS, limit_bytes=None), measure, predict=pytest.fail)

        assert measure.asked == []

    def test_an_interrupt_is_handed_on(self) -> None:
        """Ctrl-C is no outcome."""

        def interrupt(point: Point) -> Outcome:
            raise KeyboardInterrupt(point)

        with pytest.raises(KeyboardInterrupt):
            certify(CONDITIONS, Measure(ends=interrupt))


class TestHost:
    """The whole process is limited."""

    def test_the_demand_is_what_the_cap_counted(self) -> None:
        """The device's peaks say nothing of it."""

        def measure(point: Point, *, whole: bool) -> Measurement:
            measured = _beyond(EDGE, KILLED)(point, whole=whole)
            return replace(measured, device=DeviceMemory(peak_bytes=1))

        wall = certify(HOST, measure)

        assert (wall.kind, wall.limit_bytes, wall.limit_by) == ("host", LIMIT, "cgroup v2")
        assert (wall.status, wall.last_ok) == (WallStatus.EXACT, EDGE)
        assert wall.survivor is not None
        assert wall.survivor.peak_bytes == PER_STEP * EDGE

    def test_a_child_that_says_nothing_of_its_memory_is_no_obstacle(self) -> None:
        """The search goes by pass and failure alone."""

        def measure(point: Point, *, whole: bool) -> Measurement:
            return replace(_beyond(EDGE, KILLED)(point, whole=whole), host=None)

        wall = certify(HOST, measure)

        assert (wall.status, wall.last_ok) == (WallStatus.EXACT, EDGE)
        assert (wall.predicted, wall.limit_by) == (None, None)


class TestConfirmation:
    """Both ends are run again on request."""

    def test_says_how_often_each_end_held(self) -> None:
        """Here the failing end survived once, and the surviving one crashed twice."""
        again = {(EDGE, 1): CRASH, (EDGE, 2): CRASH, (EDGE + 1, 3): OK}

        def ends(point: Point) -> Outcome:
            usual = OK if point.steps <= EDGE else OOM
            return again.get((point.steps, point.repeat), usual)

        wall = certify(CONDITIONS, Measure(ends=ends), confirm=RETRIES)

        assert wall.status is WallStatus.EXACT
        assert wall.confirmation == Confirmation(
            repeats=RETRIES, survived=RETRIES - 2, ran_out=RETRIES - 1
        )

    def test_every_such_run_is_whole_and_a_point_of_its_own(self) -> None:
        """Equal points would be answered from the store."""
        measure = _beyond(EDGE)
        certify(CONDITIONS, measure, confirm=RETRIES)
        again = [(point.steps, point.repeat) for point in measure.asked if point.repeat]
        expected = [(steps, n + 1) for steps in (EDGE, EDGE + 1) for n in range(RETRIES)]

        assert again == expected
        assert all(measure.whole[-len(expected) :])

    @pytest.mark.parametrize("failure", [CRASH, ERROR])
    def test_is_not_made_of_what_was_not_proved(self, failure: Outcome) -> None:
        """There are no two ends."""
        measure = _beyond(EDGE, failure)
        wall = certify(CONDITIONS, measure, confirm=RETRIES)

        assert wall.confirmation is None
        assert all(point.repeat == 0 for point in measure.asked)


class TestBand:
    """In the parallel schedule peaks vary: both ends must hold every time."""

    def test_a_sharp_wall_stays_exact(self) -> None:
        """Both ends held as often as they were run."""
        measure = _beyond(EDGE)
        wall = certify(PARALLEL, measure)
        held = Confirmation(repeats=BAND_REPEATS, survived=BAND_REPEATS, ran_out=BAND_REPEATS)

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.EXACT, EDGE, EDGE + 1)
        assert wall.confirmation == held
        assert max(point.repeat for point in measure.asked) == BAND_REPEATS

    @given(st.integers(1, 3000), st.integers(1, 40), st.integers(1, 5), st.integers())
    def test_its_ends_held_in_every_run(
        self, first_unsure: int, width: int, repeats: int, seed: int
    ) -> None:
        """Between them chance decides; beyond them nothing was seen to differ."""
        chance = random.Random(seed)  # noqa: S311 (no secret)

        def ends(point: Point) -> Outcome:
            sure = OK if point.steps < first_unsure else OOM
            unsure = first_unsure <= point.steps < first_unsure + width
            return chance.choice([OK, OOM]) if unsure else sure

        wall = certify(PARALLEL, Measure(ends=ends), confirm=repeats)
        again = [probe for probe in wall.probes if probe.repeat]

        assert wall.last_ok is None or all(
            probe.outcome == OK for probe in again if probe.steps == wall.last_ok
        )
        assert all(probe.outcome == OOM for probe in again if probe.steps == wall.first_oom)
        assert wall.first_oom is not None
        if wall.last_ok is not None:
            neighbours = wall.first_oom - wall.last_ok == 1
            assert wall.status is (WallStatus.EXACT if neighbours else WallStatus.BAND)

    def test_a_run_that_differs_is_enough_to_move_on(self) -> None:
        """The rest of the repeats would be for nothing."""
        measure = Measure(
            ends=lambda p: OK if p.steps < EDGE or (p.steps == EDGE and not p.repeat) else OOM
        )
        wall = certify(PARALLEL, measure)

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.BAND, EDGE - 1, EDGE + 1)
        assert [point.repeat for point in measure.asked if point.steps == EDGE][-1] == 1

    def test_where_no_steps_survive_every_time_it_has_no_last_one(self) -> None:
        """Even one step did not, and it was run."""
        measure = Measure(ends=lambda p: OK if p.steps <= EDGE and not p.repeat else OOM)
        wall = certify(PARALLEL, measure)

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.BAND, None, EDGE + 1)
        assert wall.confirmation == Confirmation(
            repeats=BAND_REPEATS, survived=0, ran_out=BAND_REPEATS
        )
        assert 1 in [point.steps for point in measure.asked if point.repeat]

    def test_where_no_steps_fail_every_time_it_has_no_first_one(self) -> None:
        """Even the most that were allowed did not, and they were run."""
        most = 2 * EDGE
        measure = Measure(ends=lambda p: OOM if p.steps > EDGE and not p.repeat else OK)
        wall = certify(PARALLEL, measure, max_steps=most)

        assert (wall.status, wall.last_ok, wall.first_oom) == (WallStatus.BAND, EDGE, None)
        assert wall.confirmation == Confirmation(
            repeats=BAND_REPEATS, survived=BAND_REPEATS, ran_out=0
        )
        assert most in [point.steps for point in measure.asked if point.repeat]

    @pytest.mark.parametrize("failure", [ERROR, TIMEOUT, STOPPED])
    def test_what_other_steps_cannot_mend_ends_it(self, failure: Outcome) -> None:
        """Walking on would repeat it, at the price of a timeout each."""
        measure = Measure(
            ends=lambda p: failure if p.repeat == 2 else OK if p.steps <= EDGE else OOM
        )
        wall = certify(PARALLEL, measure)

        assert wall.status is WallStatus.UNPROVEN
        assert (wall.last_ok, wall.first_oom) == (EDGE, None)
        assert wall.reason is not None
        assert wall.reason.startswith(f"at {EDGE} steps: {failure.status.value} in ")
        assert [point.repeat for point in measure.asked if point.repeat] == [1, 2]
