"""A runner stores each point as it ends, skips what it has, and stops when it is interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
import stub_framework

from profiler.facts import (
    STOPPED,
    CardWall,
    Confirmation,
    DeviceMemory,
    Outcome,
    Point,
    ScheduleCheck,
    Status,
    WallPrediction,
    WallPredictions,
    WallStatus,
    encode,
    replace,
)
from profiler.frameworks.recorder import ChildReport
from profiler.limits import machine
from profiler.measure import runner as runner_module
from profiler.measure.client import Client
from profiler.measure.job import Job, Task
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.runner import Explain, Runner
from profiler.planning.catalog import Catalog, Listing
from profiler.planning.files import ScenarioFile
from profiler.store.runs import Store

FILE = ScenarioFile(path="toys.py", framework=stub_framework.NAME)
CATALOG = Catalog(
    scenarios={
        name: Listing(
            name=name,
            family="toys",
            summary="",
            parameters=[],
            source="toys.py:1",
            source_hash="",
            file=FILE,
        )
        for name in ("a", "b")
    },
    broken=[],
)
SERIES = [
    [
        Point(framework="sampleflow", scenario=name, family="toys", parameters={}, steps=steps)
        for steps in (8, 16, 32)
    ]
    for name in ("a", "b")
]
POINTS = [point for members in SERIES for point in members]
LIMIT = 64 << 10
PER_STEP = 1 << 10
EDGE = LIMIT // PER_STEP
MAX_STEPS = 1000
CONDITION = replace(POINTS[0], steps=1, limit_bytes=LIMIT)
Ends = Callable[[Point], Outcome]
# How long a point waits for one beside it: where there must be one, and where there must be none.
LONG_S, SHORT_S = 30.0, 0.02


class _Launcher:
    """Ends every job as it is asked to, without a process; remembers what was measured, and how.

    An out of memory is cut short unless it is run whole. A job to predict gets ``predicted``.
    """

    def __init__(self, ends: Ends, predicted: WallPrediction | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.whole: list[bool] = []
        self.explained: list[tuple[int, bool]] = []
        self.explanation = ChildReport(outcome=samples.OK, answer=encode(samples.EXPLANATION))
        self.predicting = samples.OK
        self.cards: list[CardWall] = []
        self._ends = ends
        self._predicted = predicted
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> _Launcher:
        assert name == "sampleflow"
        return self

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        assert timeout_s > 0
        assert job.point is not None
        if job.task is Task.PREDICT:
            request = job.request
            assert request is not None
            found = [self._predicted] * len(request.limits_bytes)
            cards = [one for one in self.cards if one.limit_bytes in request.cards_bytes]
            walls = WallPredictions(walls=found, cards=cards)
            report = ChildReport(outcome=self.predicting, answer=encode(walls))
        elif job.task is Task.EXPLAIN:
            self.explained.append((job.point.steps, job.alone))
            report = self.explanation
        else:
            report = self._measured(job.point, whole=job.mode.whole)
        end = ProcessEnd(wait_status=0)
        return JobResult(report=encode(report).encode(), exit=end, seconds=0.1, log_tail="")

    def _measured(self, point: Point, *, whole: bool) -> ChildReport:
        with self._lock:
            self.asked.append((point.scenario, point.steps))
            self.whole.append(whole)
        end = self._ends(point)
        if end.status is Status.OOM_DEVICE and not whole:
            end = replace(end, cut_short=True)
        return ChildReport(outcome=end, device=DeviceMemory(peak_bytes=point.steps * PER_STEP))


def _fine(_: Point) -> Outcome:
    return samples.OK


def _oom_beyond(steps: int) -> Ends:
    def ends(point: Point) -> Outcome:
        return Outcome(status=Status.OK if point.steps <= steps else Status.OOM_DEVICE)

    return ends


def _client(launcher: _Launcher) -> Client:
    client = Client(launchers=launcher)
    client._catalog = CATALOG
    return client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store(tmp_path, create=True) as store:
        yield store


def _runner(store: Store, launcher: _Launcher, **events: Any) -> Runner:
    run = store.start_run(None, "stepwall profile", samples.ENVIRONMENT)
    return Runner(client=_client(launcher), store=store, run=run, **events)


def _resumed(runner: Runner, launcher: _Launcher) -> Runner:
    return dataclasses.replace(runner, client=_client(launcher))


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_every_point_is_measured_once_and_stored(store: Store, jobs: int) -> None:
    """However many at a time."""
    launcher = _Launcher(_fine)
    runner = _runner(store, launcher)
    runner.measure(POINTS, jobs=jobs)
    stored = store.load(runner.run.id).measurements

    assert sorted(launcher.asked) == [(p.scenario, p.steps) for p in POINTS]
    assert sorted((m.point.scenario, m.point.steps) for m in stored) == sorted(launcher.asked)


def test_what_is_stored_already_is_not_measured_again(store: Store) -> None:
    """A resumed run goes on with the points that it lacks."""
    launcher = _Launcher(_fine)
    runner = _runner(store, launcher)
    runner.measure(POINTS[:4])
    launcher.asked.clear()
    runner.measure(POINTS)

    assert launcher.asked == [("b", 16), ("b", 32)]


def test_longer_points_are_skipped_once_memory_ran_out(store: Store) -> None:
    """In the same series only; each is reported, and stored as skipped with the reason."""
    skipped: list[Point] = []
    launcher = _Launcher(_oom_beyond(8))
    runner = _runner(store, launcher, on_skip=skipped.append)
    runner.measure(POINTS)
    stored = {m.point.key: m.outcome for m in store.load(runner.run.id).measurements}

    assert launcher.asked == [("a", 8), ("a", 16), ("b", 8), ("b", 16)]
    assert skipped == [SERIES[0][2], SERIES[1][2]]
    assert [stored[point.key].status for point in SERIES[0]] == [
        *(Status.OK, Status.OOM_DEVICE, Status.SKIPPED)
    ]
    assert stored[SERIES[1][2].key].reason == "16 steps ran out of memory"


def test_other_failures_skip_nothing(store: Store) -> None:
    """A longer point may fail otherwise, or not at all."""
    crash = Outcome(status=Status.CRASHED, reason="died of SIGSEGV")
    launcher = _Launcher(lambda point: crash if point.steps == 8 else samples.OK)
    _runner(store, launcher).measure(SERIES[0])

    assert [steps for _, steps in launcher.asked] == [8, 16, 32]


@pytest.mark.parametrize("stored", [2, 3])
def test_a_resumed_run_measures_no_skipped_point(store: Store, stored: int) -> None:
    """Whether it was interrupted before they were stored as skipped, or after."""
    skipped: list[Point] = []
    launcher = _Launcher(_oom_beyond(8))
    runner = _runner(store, launcher, on_skip=skipped.append)
    runner.measure(SERIES[0][:stored])
    launcher.asked.clear()
    skipped.clear()
    runner.measure(SERIES[0])
    found = store.measurement(runner.run, SERIES[0][2].key)

    assert launcher.asked == []
    assert skipped == [SERIES[0][2]]
    assert found is not None
    assert found.outcome.status is Status.SKIPPED


def test_a_skipped_point_is_measured_where_it_is_asked_for_alone(store: Store) -> None:
    """As by another budget: there nothing shorter says how it would end."""
    launcher = _Launcher(_oom_beyond(8))
    runner = _runner(store, launcher)
    runner.measure(SERIES[0])
    runner.measure(SERIES[0][2:])
    found = store.measurement(runner.run, SERIES[0][2].key)

    assert [steps for _, steps in launcher.asked] == [8, 16, 32]
    assert found is not None
    assert found.outcome.status is Status.OOM_DEVICE


def test_a_skipped_point_keeps_what_was_measured_of_it_before(store: Store) -> None:
    """It may have fitted where a shorter one did not."""
    launcher = _Launcher(lambda point: samples.OK if point.steps != 16 else samples.OOM)
    runner = _runner(store, launcher)
    runner.measure(SERIES[0][2:])
    runner.measure(SERIES[0])
    found = store.measurement(runner.run, SERIES[0][2].key)

    assert found is not None
    assert found.outcome.status is Status.OK


def test_an_interrupt_keeps_what_was_stored_and_stores_no_more(store: Store) -> None:
    """What the killed children would say is nothing about their points."""

    def interrupt(point: Point) -> Outcome:
        if point.steps == 16:
            raise KeyboardInterrupt
        return Outcome(status=Status.OK)

    runner = _runner(store, _Launcher(interrupt))
    with pytest.raises(KeyboardInterrupt):
        runner.measure(POINTS)
    stored = store.load(runner.run.id).measurements

    assert ("a", 8) in [(m.point.scenario, m.point.steps) for m in stored]
    assert 16 not in [m.point.steps for m in stored]


def test_walls_are_found_side_by_side_and_stored(store: Store) -> None:
    """One certificate for each of the conditions, with every probe told."""
    told: list[int] = []
    conditions = [replace(CONDITION, scenario=name) for name in ("a", "b")]
    runner = _runner(
        store, _Launcher(_oom_beyond(EDGE)), on_probe=lambda _, probe: told.append(probe.steps)
    )
    found = runner.find_walls(conditions, max_steps=MAX_STEPS)
    stored = store.load(runner.run.id).walls

    assert [(w.scenario, w.status) for w in found] == [(n, WallStatus.EXACT) for n in ("a", "b")]
    assert {(w.last_ok, w.first_oom) for w in stored} == {(EDGE, EDGE + 1)}
    assert len(told) == sum(len(w.probes) for w in stored)


def test_walls_on_cards_are_predicted_and_not_run(store: Store) -> None:
    """They come with the prediction of the wall."""
    far = WallPrediction(steps=9_000, low=8_900, high=9_100, learned_from=[8, 16])
    launcher = _Launcher(_oom_beyond(EDGE), far)
    launcher.cards = [CardWall(limit_bytes=1 << 30, prediction=far, is_least=True)]
    plain, foretold = (_runner(store, launcher) for _ in range(2))
    (without,) = plain.find_walls([CONDITION], max_steps=MAX_STEPS)
    asked = len(launcher.asked)
    (wall,) = foretold.find_walls([CONDITION], max_steps=MAX_STEPS, cards=[1 << 30])

    assert without.cards == []
    assert len(launcher.asked) == 2 * asked
    assert wall.cards == launcher.cards
    assert store.load(foretold.run.id).walls[0].cards == wall.cards


def test_cards_say_how_the_short_runs_ended(store: Store) -> None:
    """The wall itself is searched without them."""
    launcher = _Launcher(_oom_beyond(EDGE))
    launcher.predicting = Outcome(status=Status.ERROR, phase="build", reason="ValueError: no")
    (wall,) = _runner(store, launcher).find_walls([CONDITION], max_steps=MAX_STEPS, cards=[1 << 30])

    assert wall.last_ok == EDGE
    reason = "the short runs that predict it ended with error in build: ValueError: no"
    assert wall.cards == [CardWall(limit_bytes=1 << 30, reason=reason)]


def test_a_stored_wall_is_returned_and_not_searched_again(store: Store) -> None:
    """So that a resumed run pays for the missing ones only."""
    launcher = _Launcher(_oom_beyond(EDGE))
    runner = _runner(store, launcher)
    first = runner.find_walls([CONDITION], max_steps=MAX_STEPS)
    launcher.asked.clear()
    again = runner.find_walls([CONDITION], max_steps=MAX_STEPS)

    assert again == first
    assert launcher.asked == []


def test_a_resumed_run_returns_the_wall_that_was_asked_for(store: Store) -> None:
    """Not the one of the same scenario under another limit, whichever was found first."""
    halved = replace(CONDITION, limit_bytes=LIMIT // 2)
    launcher = _Launcher(
        lambda p: samples.OK if p.steps * PER_STEP <= (p.limit_bytes or 0) else samples.OOM
    )
    runner = _runner(store, launcher)
    runner.find_walls([CONDITION, halved], max_steps=MAX_STEPS)
    walls = [
        runner.find_walls([one], max_steps=MAX_STEPS)[0] for one in (halved, CONDITION, halved)
    ]

    assert [(wall.limit_bytes, wall.last_ok) for wall in walls] == [
        *((LIMIT // 2, EDGE // 2), (LIMIT, EDGE), (LIMIT // 2, EDGE // 2))
    ]


@pytest.mark.parametrize("predicted", [None, EDGE, EDGE + 5, EDGE // 2])
@pytest.mark.parametrize("killed_after", range(5))
def test_a_resumed_search_runs_no_finished_probe_again(
    store: Store, killed_after: int, predicted: int | None
) -> None:
    """It goes the same way, on what is stored; only the probe in flight was lost."""
    prediction = None if predicted is None else _prediction(predicted)
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), killed_after), prediction)
    runner = _runner(store, launcher)
    with contextlib.suppress(KeyboardInterrupt):
        runner.find_walls([CONDITION], max_steps=MAX_STEPS)
    finished = launcher.asked[:killed_after]
    resumed = _Launcher(_oom_beyond(EDGE), prediction)
    _resumed(runner, resumed).find_walls([CONDITION], max_steps=MAX_STEPS)
    uninterrupted = _Launcher(_oom_beyond(EDGE), prediction)
    other = dataclasses.replace(runner, run=store.start_run("other", "", samples.ENVIRONMENT))
    _resumed(other, uninterrupted).find_walls([CONDITION], max_steps=MAX_STEPS)
    walls = [store.load(run.id).walls[0] for run in (runner.run, other.run)]

    assert finished + resumed.asked == uninterrupted.asked
    assert replace(walls[0], seconds=0.0) == replace(walls[1], seconds=0.0)


def test_a_stored_probe_that_was_cut_short_is_run_again_where_it_must_be_whole(
    store: Store,
) -> None:
    """Evidence from before the interruption is no proof after it, but still evidence."""
    prediction = _prediction(EDGE + 1)
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 2), prediction)
    runner = _runner(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        runner.find_walls([CONDITION], max_steps=MAX_STEPS)
    stored = store.probe(runner.run, replace(CONDITION, steps=EDGE + 1).key)
    resumed = _Launcher(_oom_beyond(EDGE), prediction)
    (wall,) = _resumed(runner, resumed).find_walls([CONDITION], max_steps=MAX_STEPS)

    assert stored is not None
    assert stored.outcome.cut_short
    assert (resumed.asked[0], resumed.whole[0]) == (("a", EDGE + 1), True)
    assert wall.failure is not None
    assert not wall.failure.outcome.cut_short


CRASHED = Outcome(status=Status.CRASHED, reason="the fork server died and took the point with it")


@pytest.mark.parametrize(
    "fault",
    [
        CRASHED,
        Outcome(status=Status.TIMEOUT, reason="still running after 5 s"),
        Outcome(status=Status.ERROR, reason="OSError: no network"),
        Outcome(status=Status.OOM_HOST, reason=f"{STOPPED}: the machine had only 1 MiB left"),
    ],
    ids=lambda fault: fault.status.value,
)
@pytest.mark.parametrize("at", [EDGE, EDGE + 1])
def test_what_left_a_wall_unproven_is_run_again(store: Store, fault: Outcome, at: int) -> None:
    """It says nothing of memory: a resumed search proves the wall, on the probes that do."""

    def ends(point: Point) -> Outcome:
        return fault if point.steps == at else _oom_beyond(EDGE)(point)

    launcher = _Launcher(ends, _prediction(EDGE))
    runner = _runner(store, launcher)
    (unproven,) = runner.find_walls([CONDITION], max_steps=MAX_STEPS)
    resumed = _Launcher(_oom_beyond(EDGE), _prediction(EDGE))
    (wall,) = _resumed(runner, resumed).find_walls([CONDITION], max_steps=MAX_STEPS)

    assert unproven.status is WallStatus.UNPROVEN
    assert (wall.status, wall.last_ok) == (WallStatus.EXACT, EDGE)
    kept = [one.steps for one in unproven.probes if one.outcome.status is Status.OK]
    assert not {("a", steps) for steps in kept} & set(resumed.asked)
    assert [one.status for one in store.load(runner.run.id).walls] == [WallStatus.EXACT]


def test_the_runs_that_confirm_a_wall_are_kept_too(store: Store) -> None:
    """Each is a point of its own, and none is run again."""
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 4), _prediction(EDGE))
    runner = _runner(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        runner.find_walls([CONDITION], max_steps=MAX_STEPS, confirm=2)
    resumed = _Launcher(_oom_beyond(EDGE), _prediction(EDGE))
    (wall,) = _resumed(runner, resumed).find_walls([CONDITION], max_steps=MAX_STEPS, confirm=2)

    assert launcher.asked[:4] == [("a", EDGE), ("a", EDGE + 1), ("a", EDGE), ("a", EDGE)]
    assert resumed.asked[:2] == [("a", EDGE + 1), ("a", EDGE + 1)]
    assert wall.confirmation == Confirmation(repeats=2, survived=2, ran_out=2)


def test_an_interrupted_probe_is_not_stored(store: Store) -> None:
    """What a killed child says is nothing about its point."""
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 1), _prediction(EDGE))
    runner = _runner(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        runner.find_walls([CONDITION], max_steps=MAX_STEPS)

    assert store.probe(runner.run, replace(CONDITION, steps=EDGE).key) is not None
    assert store.probe(runner.run, replace(CONDITION, steps=EDGE + 1).key) is None


def _prediction(steps: int) -> WallPrediction:
    return WallPrediction(steps=steps, low=steps - 1, high=steps + 1, learned_from=[8, 10])


def _interrupted(ends: Ends, after: int) -> Ends:
    """Return ``ends`` with an interrupt in place of all but the first ``after`` of them."""
    answers = iter(range(after))

    def interrupted(point: Point) -> Outcome:
        if next(answers, None) is None:
            raise KeyboardInterrupt
        return ends(point)

    return interrupted


@pytest.mark.parametrize("explain", Explain)
def test_a_traced_point_is_stored_with_its_explanation(
    store: Store, explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, or with shorter lengths that show what one more step adds, or with remedies."""
    stub_framework.install(monkeypatch)
    launcher = _Launcher(_fine)
    runner = _runner(store, launcher)
    runner.measure(POINTS[:1], explain=explain)
    (measured,) = store.load(runner.run.id).measurements

    assert measured.trace is not None
    assert replace(measured.trace, schedules=None) == samples.EXPLANATION
    assert (measured.trace.schedules is None) == (explain is Explain.ALONE)
    assert launcher.explained == [(POINTS[0].steps, explain is Explain.ALONE)]


def test_a_point_that_cannot_be_explained_says_why(store: Store) -> None:
    """Its numbers are there all the same."""
    launcher = _Launcher(_fine)
    end = Outcome(status=Status.CRASHED, phase="record", reason="gone", signal="SIGKILL")
    launcher.explanation = ChildReport(outcome=end)
    runner = _runner(store, launcher)
    runner.measure(POINTS[:1], explain=Explain.ALONE)
    (measured,) = store.load(runner.run.id).measurements

    assert measured.outcome.status is Status.OK
    assert measured.trace is None
    assert "crashed: gone" in measured.missing["trace"]


def test_a_point_that_failed_is_not_run_again_to_be_explained(store: Store) -> None:
    """It has no peak."""
    launcher = _Launcher(_oom_beyond(1))
    _runner(store, launcher).measure(POINTS[:1], explain=Explain.ALONE)

    assert launcher.explained == []


def test_a_wall_is_stored_with_what_holds_its_last_steps(store: Store) -> None:
    """The last that fit, under the same limit."""
    launcher = _Launcher(_oom_beyond(EDGE))
    runner = _runner(store, launcher)
    runner.find_walls([CONDITION], max_steps=MAX_STEPS)
    (wall,) = store.load(runner.run.id).walls

    assert wall.explanation == samples.EXPLANATION
    assert launcher.explained == [(EDGE, True)]


@pytest.mark.parametrize(
    ("changes", "edge", "why"),
    [
        ({"limit_bytes": None, "host_limit_bytes": LIMIT}, EDGE, "no allocations are recorded"),
        ({}, 0, "no step fits"),
    ],
)
def test_a_wall_that_is_not_explained_says_why(
    store: Store, changes: dict[str, Any], edge: int, why: str
) -> None:
    """A host limit leaves the allocator untraced; and nothing fits where one step does not."""
    launcher = _Launcher(_oom_beyond(edge))
    runner = _runner(store, launcher)
    runner.find_walls([replace(CONDITION, **changes)], max_steps=MAX_STEPS)
    (wall,) = store.load(runner.run.id).walls

    assert wall.explanation is None
    assert why in (wall.unexplained or "")
    assert launcher.explained == []


def test_a_wall_is_stored_with_a_short_step_in_both_schedules(store: Store) -> None:
    """Without its limit; where no step fits there is none to run."""
    launcher = _Launcher(_oom_beyond(EDGE))
    (wall,) = _runner(store, launcher).find_walls([CONDITION], max_steps=MAX_STEPS)
    other = dataclasses.replace(
        _runner(store, launcher), run=store.start_run("none", "", samples.ENVIRONMENT)
    )
    (none,) = _resumed(other, _Launcher(_oom_beyond(0))).find_walls(
        [CONDITION], max_steps=MAX_STEPS
    )

    assert wall.schedules == ScheduleCheck(
        steps=EDGE,
        serial_peak_bytes=EDGE * PER_STEP,
        parallel_peak_bytes=[EDGE * PER_STEP] * 3,
    )
    assert launcher.asked[-4:] == [("a", EDGE)] * 4
    assert (none.status, none.schedules) == (WallStatus.AT_MOST, None)


def _most_at_once(store: Store, work: Callable[[Runner], object], *, patience_s: float) -> int:
    """Return how many points ran at one time, each of which waits for another."""
    running, most = 0, 0
    changed = threading.Condition()

    def ends(point: Point) -> Outcome:
        nonlocal running, most
        with changed:
            running += 1
            most = max(most, running)
            changed.notify_all()
            changed.wait_for(lambda: most > 1, timeout=patience_s)
            running -= 1
        return Outcome(status=Status.OK if point.steps <= EDGE else Status.OOM_DEVICE)

    work(_runner(store, _Launcher(ends)))
    return most


@pytest.mark.parametrize(("devices", "most"), [("cpu", 2), ("gpu:0", 1), ("gpu:0 gpu:1", 2)])
def test_walls_on_one_card_are_found_one_after_another(
    store: Store, monkeypatch: pytest.MonkeyPatch, devices: str, most: int
) -> None:
    """On the CPU as many as the host has memory for, which says nothing of a card's."""
    monkeypatch.setattr(machine, "available_bytes", lambda: 3 << 30)
    names = (devices.split() * 2)[:2]
    conditions = [
        replace(CONDITION, scenario=scenario, device=name)
        for scenario, name in zip(("a", "b"), names, strict=True)
    ]

    found = _most_at_once(
        store,
        lambda runner: runner.find_walls(conditions, max_steps=MAX_STEPS),
        patience_s=LONG_S if most > 1 else SHORT_S,
    )
    assert found == most


def test_a_wall_on_a_card_takes_its_limit_from_the_card_and_not_from_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two cards of more memory than the host has are searched side by side."""
    monkeypatch.setattr(machine, "available_bytes", lambda: 3 << 30)
    conditions = [replace(CONDITION, device=f"gpu:{at}", limit_bytes=80 << 30) for at in (0, 1)]

    assert runner_module.walls_at_once(conditions) == 2
    assert runner_module.walls_at_once([replace(one, device="cpu") for one in conditions]) == 1


@pytest.mark.parametrize(("device", "most"), [("cpu", 2), ("gpu:0", 1)])
def test_series_on_one_card_are_measured_one_after_another(
    store: Store, device: str, most: int
) -> None:
    """However many are asked for at once."""
    points = [replace(point, device=device) for point in POINTS]

    found = _most_at_once(
        store,
        lambda runner: runner.measure(points, jobs=2),
        patience_s=LONG_S if most > 1 else SHORT_S,
    )
    assert found == most
