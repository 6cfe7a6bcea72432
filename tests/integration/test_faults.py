"""Whatever a child does, its point gets an outcome, and nothing else is harmed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

from profiler.results import Measurement, Outcome, Status

Measure = Callable[..., Measurement]
TIMEOUT_S = 3.0


@pytest.fixture
def faulty(measure: Measure, resources: Path) -> Measure:
    """Return ``faulty(scenario, ...)``: a point of ``resources/faults.py``."""

    def faulty(scenario: str, **settings: object) -> Measurement:
        return measure(scenario, source=resources / "faults.py", **settings)

    return faulty


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    """Return where a scenario writes the ids of its processes."""
    return tmp_path / "pids"


def survivors(pids: Iterable[int], *, wait_s: float = 5.0) -> list[int]:
    """Return which of the processes still run after a while (zombies do not)."""
    deadline = time.monotonic() + wait_s
    running = list(pids)
    while running and time.monotonic() < deadline:
        running = [pid for pid in running if _runs(pid)]
        time.sleep(0.05)
    return running


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def pids_in(path: Path) -> list[int]:
    """Return the process ids that a scenario left in a file."""
    return [int(word) for word in path.read_text().split()]


class TestDeaths:
    """A child that ends without a result."""

    @pytest.mark.parametrize(
        ("scenario", "signal"),
        [("aborts", "SIGABRT"), ("segfaults", "SIGSEGV"), ("kills_itself", "SIGKILL")],
    )
    def test_names_the_signal(self, faulty: Measure, scenario: str, signal: str) -> None:
        """A death by signal is a crash; SIGKILL is no want of memory without evidence."""
        end = faulty(scenario).outcome

        assert end == Outcome(
            status=Status.CRASHED, phase="build", reason=f"died of {signal}", signal=signal
        )

    @pytest.mark.parametrize(
        ("scenario", "code"), [("leaves_silently", 0), ("leaves_with_code", 4)]
    )
    def test_names_the_exit_code(self, faulty: Measure, scenario: str, code: int) -> None:
        """Leaving without a word is a crash, even with success as the exit code."""
        end = faulty(scenario, steps=4).outcome

        assert end == Outcome(
            status=Status.CRASHED,
            phase="build",
            reason=f"exited with code {code} before it reported a result",
            exit_code=code,
        )

    def test_survives_the_death_of_the_fork_server(self, faulty: Measure, pid_file: Path) -> None:
        """The point that killed the server crashed, its child is gone, the next one measures."""
        killer = faulty("kills_the_server", pid_file=str(pid_file))
        after = faulty("sound")

        assert killer.outcome.status is Status.CRASHED
        assert killer.outcome.reason == "the fork server died and took the point with it"
        assert survivors(pids_in(pid_file)) == []
        assert after.outcome.status is Status.OK

    def test_reports_an_error_that_cannot_be_printed(self, faulty: Measure) -> None:
        """An exception whose message raises is still an error of the scenario."""
        end = faulty("raises_the_unspeakable").outcome

        assert (end.status, end.phase) == (Status.ERROR, "build")
        assert "UnspeakableError" in str(end.reason)


class TestHangs:
    """A child, or what it started, that does not end."""

    def test_kills_the_whole_group_after_the_timeout(self, faulty: Measure, pid_file: Path) -> None:
        """Ignoring SIGTERM does not help, neither the child nor what it forked."""
        point = faulty("hangs", timeout_s=TIMEOUT_S, pid_file=str(pid_file))

        assert point.outcome == Outcome(
            status=Status.TIMEOUT, phase="build", reason=f"still running after {TIMEOUT_S:g} s"
        )
        assert point.seconds >= TIMEOUT_S
        child, grandchild = pids_in(pid_file)
        assert survivors([child, grandchild]) == []

    def test_sweeps_what_a_finished_child_left(self, faulty: Measure, pid_file: Path) -> None:
        """A process that a point left behind ends with it, and the point counts."""
        point = faulty("leaves_a_process", pid_file=str(pid_file))

        assert point.outcome.status is Status.OK
        assert survivors(pids_in(pid_file)) == []


class TestNuisances:
    """A child that misbehaves and still does its work."""

    def test_keeps_megabytes_of_output_away(
        self, faulty: Measure, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Twenty megabytes of rubbish neither block the point nor reach the terminal."""
        point = faulty("chatters")

        assert point.outcome.status is Status.OK
        assert capfd.readouterr() == ("", "")

    def test_lets_a_child_change_its_directory(self, faulty: Measure, tmp_path: Path) -> None:
        """The result is found wherever the child went, and the parent stays."""
        here = Path.cwd()
        point = faulty("moves_away", folder=str(tmp_path))

        assert point.outcome.status is Status.OK
        assert Path.cwd() == here

    def test_measures_the_next_point_as_the_first(self, faulty: Measure) -> None:
        """After deaths and a hang, a sound point gives what it gave before, to the byte."""
        before = faulty("sound")
        for scenario in ("segfaults", "leaves_silently", "chatters"):
            faulty(scenario)
        after = faulty("sound")

        assert before.outcome.status is Status.OK
        assert (after.graph, after.device) == (before.graph, before.device)


def test_leaves_the_parents_process_alone(faulty: Measure) -> None:
    """No descendant of the tests is left but the fork server."""
    faulty("sound")

    running = [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE
    ]
    assert all("profiler.forkserver" in child.cmdline() for child in running)
    assert len(running) == 1
