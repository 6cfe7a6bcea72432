"""A campaign stores each point as it ends, skips what it has, and stops when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from profiler.campaign import Campaign
from profiler.launcher import Ended
from profiler.outcome import Exit
from profiler.results import Environment, Outcome, Point, Status, WallStatus, to_json
from profiler.session import Session
from profiler.store import Store

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
Ends = Callable[[dict[str, Any]], Outcome]


class _Launcher:
    """Ends every job as it is told, without a process."""

    def __init__(self, ends: Ends) -> None:
        self.asked: list[tuple[str, int]] = []
        self._ends = ends
        self._lock = threading.Lock()

    def run(self, job: dict[str, Any], *, timeout_s: float) -> Ended:
        assert timeout_s > 0
        with self._lock:
            self.asked.append((job["point"]["scenario"], job["point"]["steps"]))
        facts = {
            "outcome": to_json(self._ends(job["point"])),
            "device": {"fed_bytes": 0, "peak_bytes": job["point"]["steps"] << 10},
        }
        return Ended(facts=facts, exit=Exit(wait_status=0), seconds=0.1, log_tail="")


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
    conditions = [
        Point(scenario=name, family="toys", parameters={}, steps=1, limit_bytes=20 << 10)
        for name in ("a", "b")
    ]
    campaign = _campaign(
        store, _Launcher(_oom_beyond(20)), on_probe=lambda _, probe: told.append(probe.steps)
    )
    found = campaign.find_walls(conditions, max_steps=1000)
    stored = store.load(campaign.run.id).walls

    assert [(w.scenario, w.status) for w in found] == [(n, WallStatus.EXACT) for n in ("a", "b")]
    assert {(w.last_ok, w.first_oom) for w in stored} == {(20, 21)}
    assert len(told) == sum(len(w.probes) for w in stored)


def test_a_stored_wall_is_not_searched_again(store: Store) -> None:
    """So that a resumed run pays for the missing ones only."""
    condition = Point(scenario="a", family="toys", parameters={}, steps=1, limit_bytes=20 << 10)
    launcher = _Launcher(_oom_beyond(20))
    campaign = _campaign(store, launcher)
    campaign.find_walls([condition], max_steps=1000)
    launcher.asked.clear()
    again = campaign.find_walls([condition], max_steps=1000)

    assert (again, launcher.asked) == ([], [])
