"""A campaign stores each point as it ends, skips what it has, and stops when it is told to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

from profiler.facts import (
    Confirmation,
    Environment,
    Outcome,
    Point,
    Status,
    WallPrediction,
    WallStatus,
    to_json,
)
from profiler.measure.client import Session
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.runner import Campaign, Trace
from profiler.store.runs import Store

SERIES = [
    [Point(scenario=name, family="toys", parameters={}, steps=steps) for steps in (8, 16, 32)]
    for name in ("a", "b")
]
POINTS = [point for members in SERIES for point in members]
ENVIRONMENT = Environment(
    stepwall="0",
    python="3",
    platform="here",
    cpu="one",
    cpu_count=1,
    memory_bytes=1,
    frameworks={},
    devices=["cpu"],
)
LIMIT = 64 << 10
PER_STEP = 1 << 10
EDGE = LIMIT // PER_STEP
MAX_STEPS = 1000
CONDITION = Point(scenario="a", family="toys", parameters={}, steps=1, limit_bytes=LIMIT)
Ends = Callable[[dict[str, Any]], Outcome]


class _Launcher:
    """Ends every job as it is told, without a process; remembers what was measured, and how.

    An out of memory is cut short unless it is run whole. A job that asks for a forecast
    gets ``foreseen``.
    """

    def __init__(self, ends: Ends, foreseen: WallPrediction | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self.whole: list[bool] = []
        self.explained: list[tuple[int, bool]] = []
        self.explanation: dict[str, Any] = {"explanation": to_json(samples.EXPLANATION)}
        self._ends = ends
        self._foreseen = foreseen
        self._lock = threading.Lock()

    def run(self, job: dict[str, Any], *, timeout_s: float) -> JobResult:
        assert timeout_s > 0
        if job["task"] == "forecast":
            facts: dict[str, Any] = {"foresight": {"walls": [to_json(self._foreseen)]}}
        elif job["task"] == "explain":
            self.explained.append((job["point"]["steps"], job["alone"]))
            facts = self.explanation
        else:
            facts = self._measured(job["point"], whole=job["mode"]["whole"])
        return JobResult(facts=facts, exit=ProcessEnd(wait_status=0), seconds=0.1, log_tail="")

    def _measured(self, point: dict[str, Any], *, whole: bool) -> dict[str, Any]:
        with self._lock:
            self.asked.append((point["scenario"], point["steps"]))
            self.whole.append(whole)
        end = self._ends(point)
        if end.status is Status.OOM_DEVICE and not whole:
            end = replace(end, cut_short=True)
        device = {"fed_bytes": 0, "peak_bytes": point["steps"] * PER_STEP}
        return {"outcome": to_json(end), "device": device}


def _fine(_: dict[str, Any]) -> Outcome:
    return Outcome(status=Status.OK)


def _oom_beyond(steps: int) -> Ends:
    def ends(point: dict[str, Any]) -> Outcome:
        return Outcome(status=Status.OK if point["steps"] <= steps else Status.OOM_DEVICE)

    return ends


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store(tmp_path, create=True) as store:
        yield store


def _campaign(store: Store, launcher: _Launcher, **events: Any) -> Campaign:
    run = store.start_run(None, "stepwall profile", ENVIRONMENT)
    return Campaign(session=Session(launcher=launcher), store=store, run=run, **events)


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_every_point_is_measured_once_and_stored(store: Store, jobs: int) -> None:
    """However many at a time."""
    launcher = _Launcher(_fine)
    campaign = _campaign(store, launcher)
    campaign.measure(POINTS, jobs=jobs)
    stored = store.load(campaign.run.id).measurements

    assert sorted(launcher.asked) == [(p.scenario, p.steps) for p in POINTS]
    assert sorted((m.point.scenario, m.point.steps) for m in stored) == sorted(launcher.asked)


def test_what_is_stored_already_is_not_measured_again(store: Store) -> None:
    """A resumed run goes on with the points that it lacks."""
    launcher = _Launcher(_fine)
    campaign = _campaign(store, launcher)
    campaign.measure(POINTS[:4])
    launcher.asked.clear()
    campaign.measure(POINTS)

    assert launcher.asked == [("b", 16), ("b", 32)]


def test_longer_points_are_skipped_once_memory_ran_out(store: Store) -> None:
    """In the same series only, and each is told."""
    skipped: list[Point] = []
    launcher = _Launcher(_oom_beyond(8))
    campaign = _campaign(store, launcher, on_skip=skipped.append)
    campaign.measure(POINTS)

    assert launcher.asked == [("a", 8), ("a", 16), ("b", 8), ("b", 16)]
    assert skipped == [SERIES[0][2], SERIES[1][2]]


def test_longer_points_are_skipped_when_memory_ran_out_before(store: Store) -> None:
    """A resumed run remembers, too, and measures none of them."""
    skipped: list[Point] = []
    launcher = _Launcher(_oom_beyond(8))
    campaign = _campaign(store, launcher, on_skip=skipped.append)
    campaign.measure(SERIES[0][:2])
    launcher.asked.clear()
    campaign.measure(SERIES[0])

    assert launcher.asked == []
    assert skipped == [SERIES[0][2]]


def test_an_interrupt_keeps_what_was_stored_and_stores_no_more(store: Store) -> None:
    """What the killed children would say is nothing about their points."""

    def interrupt(point: dict[str, Any]) -> Outcome:
        if point["steps"] == 16:
            raise KeyboardInterrupt
        return Outcome(status=Status.OK)

    campaign = _campaign(store, _Launcher(interrupt))
    with pytest.raises(KeyboardInterrupt):
        campaign.measure(POINTS)
    stored = store.load(campaign.run.id).measurements

    assert ("a", 8) in [(m.point.scenario, m.point.steps) for m in stored]
    assert 16 not in [m.point.steps for m in stored]


def test_walls_are_found_side_by_side_and_stored(store: Store) -> None:
    """One certificate for each of the conditions, with every probe told."""
    told: list[int] = []
    conditions = [replace(CONDITION, scenario=name) for name in ("a", "b")]
    campaign = _campaign(
        store, _Launcher(_oom_beyond(EDGE)), on_probe=lambda _, probe: told.append(probe.steps)
    )
    found = campaign.find_walls(conditions, max_steps=MAX_STEPS)
    stored = store.load(campaign.run.id).walls

    assert [(w.scenario, w.status) for w in found] == [(n, WallStatus.EXACT) for n in ("a", "b")]
    assert {(w.last_ok, w.first_oom) for w in stored} == {(EDGE, EDGE + 1)}
    assert len(told) == sum(len(w.probes) for w in stored)


def test_a_stored_wall_is_not_searched_again(store: Store) -> None:
    """So that a resumed run pays for the missing ones only."""
    launcher = _Launcher(_oom_beyond(EDGE))
    campaign = _campaign(store, launcher)
    campaign.find_walls([CONDITION], max_steps=MAX_STEPS)
    launcher.asked.clear()
    again = campaign.find_walls([CONDITION], max_steps=MAX_STEPS)

    assert (again, launcher.asked) == ([], [])


@pytest.mark.parametrize("foreseen", [None, EDGE, EDGE + 5, EDGE // 2])
@pytest.mark.parametrize("killed_after", range(5))
def test_a_resumed_search_runs_no_finished_probe_again(
    store: Store, killed_after: int, foreseen: int | None
) -> None:
    """It goes the same way, on what is stored; only the probe in flight was lost."""
    forecast = None if foreseen is None else _forecast(foreseen)
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), killed_after), forecast)
    campaign = _campaign(store, launcher)
    with contextlib.suppress(KeyboardInterrupt):
        campaign.find_walls([CONDITION], max_steps=MAX_STEPS)
    finished = launcher.asked[:killed_after]
    resumed = _Launcher(_oom_beyond(EDGE), forecast)
    replace(campaign, session=Session(launcher=resumed)).find_walls(
        [CONDITION], max_steps=MAX_STEPS
    )
    uninterrupted = _Launcher(_oom_beyond(EDGE), forecast)
    other = replace(campaign, run=store.start_run("other", "", ENVIRONMENT))
    replace(other, session=Session(launcher=uninterrupted)).find_walls(
        [CONDITION], max_steps=MAX_STEPS
    )
    walls = [store.load(run.id).walls[0] for run in (campaign.run, other.run)]

    assert finished + resumed.asked == uninterrupted.asked
    assert replace(walls[0], seconds=0.0) == replace(walls[1], seconds=0.0)


def test_a_stored_probe_that_was_cut_short_is_run_again_where_it_must_be_whole(
    store: Store,
) -> None:
    """Evidence from before the interruption is no proof after it, but still evidence."""
    forecast = _forecast(EDGE + 1)
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 2), forecast)
    campaign = _campaign(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        campaign.find_walls([CONDITION], max_steps=MAX_STEPS)
    stored = store.probe(campaign.run, replace(CONDITION, steps=EDGE + 1).key)
    resumed = _Launcher(_oom_beyond(EDGE), forecast)
    (wall,) = replace(campaign, session=Session(launcher=resumed)).find_walls(
        [CONDITION], max_steps=MAX_STEPS
    )

    assert stored is not None
    assert stored.outcome.cut_short
    assert (resumed.asked, resumed.whole) == ([("a", EDGE + 1)], [True])
    assert wall.failure is not None
    assert not wall.failure.outcome.cut_short


def test_the_runs_that_confirm_a_wall_are_kept_too(store: Store) -> None:
    """Each is a point of its own, and none is run again."""
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 4), _forecast(EDGE))
    campaign = _campaign(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        campaign.find_walls([CONDITION], max_steps=MAX_STEPS, confirm=2)
    resumed = _Launcher(_oom_beyond(EDGE), _forecast(EDGE))
    (wall,) = replace(campaign, session=Session(launcher=resumed)).find_walls(
        [CONDITION], max_steps=MAX_STEPS, confirm=2
    )

    assert launcher.asked[:4] == [("a", EDGE), ("a", EDGE + 1), ("a", EDGE), ("a", EDGE)]
    assert resumed.asked == [("a", EDGE + 1), ("a", EDGE + 1)]
    assert wall.confirmation == Confirmation(repeats=2, survived=2, ran_out=2)


def test_an_interrupted_probe_is_not_stored(store: Store) -> None:
    """What a killed child says is nothing about its point."""
    launcher = _Launcher(_interrupted(_oom_beyond(EDGE), 1), _forecast(EDGE))
    campaign = _campaign(store, launcher)
    with pytest.raises(KeyboardInterrupt):
        campaign.find_walls([CONDITION], max_steps=MAX_STEPS)

    assert store.probe(campaign.run, replace(CONDITION, steps=EDGE).key) is not None
    assert store.probe(campaign.run, replace(CONDITION, steps=EDGE + 1).key) is None


def _forecast(steps: int) -> WallPrediction:
    return WallPrediction(steps=steps, low=steps - 1, high=steps + 1, learnt_from=[8, 10])


def _interrupted(ends: Ends, after: int) -> Ends:
    """Return ``ends`` with an interrupt in place of all but the first ``after`` of them."""
    answers = iter(range(after))

    def interrupted(point: dict[str, Any]) -> Outcome:
        if next(answers, None) is None:
            raise KeyboardInterrupt
        return ends(point)

    return interrupted


@pytest.mark.parametrize("trace", Trace)
def test_a_traced_point_is_stored_with_its_explanation(store: Store, trace: Trace) -> None:
    """Alone, or with shorter steps that tell what one more adds."""
    launcher = _Launcher(_fine)
    campaign = _campaign(store, launcher)
    campaign.measure(POINTS[:1], trace=trace)
    (measured,) = store.load(campaign.run.id).measurements

    assert measured.trace == samples.EXPLANATION
    assert launcher.explained == [(POINTS[0].steps, trace is Trace.ALONE)]


def test_a_point_that_cannot_be_explained_says_why(store: Store) -> None:
    """Its numbers are there all the same."""
    launcher = _Launcher(_fine)
    end = Outcome(status=Status.CRASHED, phase="record", reason="gone", signal="SIGKILL")
    launcher.explanation = {"outcome": to_json(end)}
    campaign = _campaign(store, launcher)
    campaign.measure(POINTS[:1], trace=Trace.ALONE)
    (measured,) = store.load(campaign.run.id).measurements

    assert measured.outcome.status is Status.OK
    assert measured.trace is None
    assert "crashed: gone" in measured.missing["trace"]


def test_a_point_that_failed_is_not_run_again_to_be_explained(store: Store) -> None:
    """It has no peak."""
    launcher = _Launcher(_oom_beyond(1))
    _campaign(store, launcher).measure(POINTS[:1], trace=Trace.ALONE)

    assert launcher.explained == []


def test_a_wall_is_stored_with_what_holds_its_last_steps(store: Store) -> None:
    """The last that fit, under the same limit."""
    launcher = _Launcher(_oom_beyond(EDGE))
    campaign = _campaign(store, launcher)
    campaign.find_walls([CONDITION], max_steps=MAX_STEPS)
    (wall,) = store.load(campaign.run.id).walls

    assert wall.explanation == samples.EXPLANATION
    assert launcher.explained == [(EDGE, True)]


@pytest.mark.parametrize(
    ("changes", "edge", "why"),
    [
        ({"limit_bytes": None, "host_limit_bytes": LIMIT}, EDGE, "default allocator"),
        ({}, 0, "no steps fit"),
    ],
)
def test_a_wall_that_is_not_explained_says_why(
    store: Store, changes: dict[str, Any], edge: int, why: str
) -> None:
    """A host limit leaves the allocator untraced; and nothing fits where one step does not."""
    launcher = _Launcher(_oom_beyond(edge))
    campaign = _campaign(store, launcher)
    campaign.find_walls([replace(CONDITION, **changes)], max_steps=MAX_STEPS)
    (wall,) = store.load(campaign.run.id).walls

    assert wall.explanation is None
    assert why in (wall.unexplained or "")
    assert launcher.explained == []
