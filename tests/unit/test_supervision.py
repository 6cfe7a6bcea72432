"""Points on one card run one at a time: each is told that it may take all of the card's memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import report_samples as samples

from profiler.facts import Point, replace
from profiler.measure.job import Job, Task
from profiler.measure.supervision import Supervisor

POINT = Point(framework=samples.FRAMEWORK.name, scenario="a", family="a", parameters={}, steps=1)
# How long a child that must be alone waits in vain for another.
SHORT_S, LONG_S = 0.3, 30.0


def _job(device: str | None, task: Task) -> Job:
    point = replace(POINT, device=device) if device else None
    return Job(task=task, framework=POINT.framework, point=point)


def _at_once(supervisor: Supervisor, jobs: list[Job], wait_s: float) -> list[bool]:
    """Return of each job whether all of them were supervised at one time."""
    meeting = threading.Barrier(len(jobs))

    def run(job: Job) -> bool:
        with supervisor.supervise(job):
            try:
                meeting.wait(wait_s)
            except threading.BrokenBarrierError:
                return False
            return True

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.mark.parametrize("task", [Task.MEASURE, Task.EXPLAIN, Task.PREDICT])
def test_one_card_runs_one_child(task: Task) -> None:
    """Whatever it is asked to do with a point."""
    jobs = [_job("gpu:1", Task.MEASURE), _job("gpu:1", task)]

    assert _at_once(Supervisor(), jobs, SHORT_S) == [False, False]


@pytest.mark.parametrize(
    "devices", [("cpu", "cpu", "cpu"), ("gpu:0", "gpu:1"), ("gpu:0", "cpu"), (None, None)]
)
def test_others_run_side_by_side(devices: tuple[str | None, ...]) -> None:
    """On the CPU, on two cards, and what has no point."""
    jobs = [_job(device, Task.MEASURE if device else Task.LIST) for device in devices]

    assert all(_at_once(Supervisor(), jobs, LONG_S))


def test_a_child_that_failed_leaves_the_card_to_the_next() -> None:
    """Its end is all that is waited for."""
    supervisor = Supervisor()
    with pytest.raises(RuntimeError), supervisor.supervise(_job("gpu:0", Task.MEASURE)):
        raise RuntimeError

    assert _at_once(supervisor, [_job("gpu:0", Task.MEASURE)], LONG_S) == [True]
