"""Whatever a child does, its point gets an outcome, and nothing else is harmed."""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from real_points import point_of

from profiler.errors import StepwallError
from profiler.facts import Measurement, Outcome, Status, replace
from profiler.frameworks.recorder import UNWRITTEN
from profiler.measure.client import Client
from profiler.measure.job import Job, Task
from profiler.measure.job_folder import TAIL_BYTES, prepare
from profiler.measure.launcher import Launchers

Measure = Callable[..., Measurement]
Disk = Callable[[str], Path]
TIMEOUT_S = 2.0
STEPS = 4


@pytest.fixture
def faulty(measure: Measure, resources: Path) -> Measure:
    """Return ``faulty(scenario, ...)``: a point of ``resources/faults.py``."""

    def faulty(scenario: str, **settings: object) -> Measurement:
        return measure(scenario, steps=STEPS, source=resources / "faults.py", **settings)

    return faulty


@pytest.fixture
def spoiling(measure: Measure, resources: Path) -> Measure:
    """Return ``spoiling(scenario, ...)``: a point of ``resources/vandals.py``."""

    def spoiling(scenario: str, **settings: object) -> Measurement:
        return measure(scenario, steps=STEPS, source=resources / "vandals.py", **settings)

    return spoiling


@pytest.fixture(scope="module")
def reference(measure: Measure, resources: Path) -> Measurement:
    """Return the sound point, measured before anything went wrong."""
    return measure("sound", source=resources / "faults.py")


@pytest.fixture(autouse=True)
def next_point(reference: Measurement, faulty: Measure) -> Iterator[None]:
    """After every fault the sound point gives what it gave before, to the byte."""
    yield
    after = faulty("sound")
    assert after.outcome.status is Status.OK
    assert (after.graph, after.device) == (reference.graph, reference.device)


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    """Return where a scenario writes the ids of its processes."""
    return tmp_path / "pids"


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less than users do for a server that does not answer."""
    monkeypatch.setattr("profiler.measure.launcher.GRACE_S", 0.5)


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


def killed_by(signal: str) -> Outcome:
    """Return the outcome of a point whose child died of that signal while it built."""
    return Outcome(
        status=Status.CRASHED, phase="build_forward", reason=f"died of {signal}", signal=signal
    )


def left_with(code: int) -> Outcome:
    """Return the outcome of a point whose child left with that code while it built."""
    reason = f"exited with code {code} before it reported a result"
    return Outcome(status=Status.CRASHED, phase="build_forward", reason=reason, exit_code=code)


def failed(reason: str) -> Outcome:
    """Return the outcome of a point whose scenario failed for that reason."""
    return Outcome(status=Status.ERROR, phase="build_forward", reason=reason)


ENDS = {
    "leaves_silently": left_with(0),
    "leaves_with_code": left_with(STEPS),
    "aborts": killed_by("SIGABRT"),
    "segfaults": killed_by("SIGSEGV"),
    "overflows_the_stack": killed_by("SIGSEGV"),
    "kills_itself": killed_by("SIGKILL"),
    "kills_its_group": killed_by("SIGTERM"),
    "recurses": failed("RecursionError: maximum recursion depth exceeded"),
    "raises_an_interrupt": failed("KeyboardInterrupt"),
    "calls_sys_exit": failed(f"the scenario called sys.exit({STEPS})"),
    "returns_text": failed("the scenario returned str, not Training"),
    "raises_the_unspeakable": failed("UnspeakableError"),
    "raises_memory_error": Outcome(
        status=Status.OOM_HOST, phase="build_forward", reason="MemoryError"
    ),
}


class TestEnds:
    """A child that ends before its work is done."""

    @pytest.mark.parametrize("scenario", ENDS)
    def test_is_reported_as_it_was(self, faulty: Measure, scenario: str) -> None:
        """Status, phase, signal or exit code, and reason; a bare SIGKILL is no want of memory."""
        end = faulty(scenario).outcome

        assert replace(end, where=None) == ENDS[scenario]

    def test_of_cpp_memory_is_one_of_memory(self, faulty: Measure) -> None:
        """An uncaught ``std::bad_alloc`` aborts the process, and still is no mere crash."""
        end = faulty("raises_bad_alloc").outcome

        assert (end.status, end.phase, end.signal) == (Status.OOM_HOST, "build_forward", "SIGABRT")
        assert "bad_alloc" in str(end.reason)

    def test_takes_the_fork_server_down_alone(self, faulty: Measure, pid_file: Path) -> None:
        """The killer's point crashed; neither it nor what it started lives on."""
        killer = faulty("kills_the_server", pid_file=str(pid_file))

        assert killer.outcome.status is Status.CRASHED
        assert killer.outcome.reason == "the fork server died and took the point with it"
        assert survivors(pids_in(pid_file)) == []


class TestHangs:
    """A child that does not end."""

    @pytest.mark.usefixtures("short_grace")
    @pytest.mark.parametrize(
        "scenario", ["hangs_in_c", "spins", "stops_itself", "stops_the_server"]
    )
    def test_times_out_in_its_phase(self, faulty: Measure, scenario: str) -> None:
        """In C under Python's lock, in Python, stopped, or with the server stopped."""
        point = faulty(scenario, timeout_s=TIMEOUT_S)

        assert point.outcome == Outcome(
            status=Status.TIMEOUT,
            phase="build_forward",
            reason=f"still running after {TIMEOUT_S:g} s",
        )
        assert point.seconds >= TIMEOUT_S

    @pytest.mark.usefixtures("short_grace")
    @pytest.mark.parametrize("detached", [False, True], ids=["group", "session"])
    def test_ends_with_all_that_it_started(
        self, faulty: Measure, pid_file: Path, *, detached: bool
    ) -> None:
        """Ignoring signals does not help, neither the child nor what it forked."""
        point = faulty("hangs", timeout_s=TIMEOUT_S, pid_file=str(pid_file), detached=detached)

        assert point.outcome.status is Status.TIMEOUT
        child, grandchild = pids_in(pid_file)
        assert survivors([child, grandchild]) == []


class TestRemains:
    """What a child leaves running."""

    @pytest.mark.parametrize("detached", [False, True], ids=["group", "session"])
    def test_of_a_finished_child_are_swept(
        self, faulty: Measure, pid_file: Path, *, detached: bool
    ) -> None:
        """A process that a point left behind ends with it, and the point counts."""
        point = faulty("leaves_a_process", pid_file=str(pid_file), detached=detached)

        assert point.outcome.status is Status.OK
        assert survivors(pids_in(pid_file)) == []

    def test_of_a_daemon_are_swept(self, faulty: Measure, pid_file: Path) -> None:
        """Neither a session of its own nor a dead parent hides a process."""
        point = faulty("leaves_a_daemon", pid_file=str(pid_file))

        assert point.outcome == left_with(STEPS)
        assert survivors(pids_in(pid_file)) == []

    def test_of_other_points_are_spared(self, faulty: Measure, tmp_path: Path) -> None:
        """While one point's remains are swept, another's processes run on."""
        with ThreadPoolExecutor() as pool:
            long = pool.submit(
                faulty, "needs_a_daemon", pid_file=str(tmp_path / "long"), seconds=1.0
            )
            short = faulty("leaves_a_daemon", pid_file=str(tmp_path / "short"))

        assert short.outcome == left_with(STEPS)
        assert long.result().outcome.status is Status.OK
        assert long.result().seconds > short.seconds
        assert survivors(pids_in(tmp_path / "long")) == []

    def test_do_not_hold_a_point_up(self, faulty: Measure) -> None:
        """A thread that would keep an ordinary program alive does not keep a child."""
        assert faulty("leaves_a_thread").outcome.status is Status.OK


class TestSpoils:
    """A child that spoils what lies around it."""

    def test_of_the_output_cost_no_memory(
        self, spoiling: Measure, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Of a hundred megabytes of rubbish the parent reads the end, and prints nothing."""
        tracemalloc.start()
        point = spoiling("chatters")
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert replace(point.outcome, where=None) == failed(f"ValueError: {STEPS}")
        assert len(str(point.log_tail)) <= TAIL_BYTES
        assert peak_bytes < 4 << 20
        assert capfd.readouterr() == ("", "")

    def test_of_the_directory_stay_in_the_child(self, spoiling: Measure, tmp_path: Path) -> None:
        """The result is found wherever the child went, and the parent stays."""
        here = Path.cwd()
        point = spoiling("moves_away", folder=str(tmp_path))

        assert point.outcome.status is Status.OK
        assert Path.cwd() == here

    @pytest.mark.parametrize("text", ["", "{}"])
    def test_of_an_empty_result_are_no_result(self, spoiling: Measure, text: str) -> None:
        """What says nothing counts as no word at all."""
        end = spoiling("leaves_a_result", text=text).outcome

        assert end == replace(left_with(STEPS), phase=None)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("rubbish", "JSON is malformed"),
            ("[1, 2]", "Expected `object`, got `array`"),
            ('{"outcome"', "Input data was truncated"),
            ('{"step": {"median_s": NaN, "steps": 1}}', "Expected a finite number"),
            ("[" * 100_000, "Expected `object`, got `array`"),
            ('{"notes": [' + "[" * 100_000, ""),
            ('{"outcome": 7}', "Expected `object | null`, got `int`"),
            ('{"outcome": {"status": "splendid"}}', "Invalid enum value 'splendid'"),
            ('{"outcome": {"status": "ok"}}', "it says ok, but reports no device memory"),
            ('{"graph": {"serialized_bytes": "many"}}', "Expected `int | null`, got `str`"),
            ('{"graph": {"forward_nodes": 1}}', "unknown field `forward_nodes`"),
            ('{"notes": {"a": "b"}}', "Expected `array`, got `object`"),
        ],
    )
    def test_of_the_results_shape_are_a_crash(self, spoiling: Measure, text: str, why: str) -> None:
        """No JSON, or JSON of a wrong shape, is named, and no part of it is believed."""
        end = spoiling("leaves_a_result", text=text).outcome

        assert (end.status, end.exit_code) == (Status.CRASHED, STEPS)
        assert str(end.reason).startswith("left an unreadable result: ")
        assert why in str(end.reason)

    def test_of_pipes_for_files_do_not_block(self, spoiling: Measure) -> None:
        """A pipe in place of the result, or of the output, is not waited for."""
        point = spoiling("leaves_a_pipe")

        assert point.outcome == replace(left_with(STEPS), phase=None)
        assert point.log_tail == ""

    @pytest.mark.parametrize(
        "scenario", ["blocks_its_result", "removes_its_folder", "removes_all_folders"]
    )
    def test_of_its_folder_are_reported(self, spoiling: Measure, scenario: str) -> None:
        """A child that can no longer write its result says so by its exit code."""
        end = spoiling(scenario).outcome

        assert (end.status, end.exit_code) == (Status.CRASHED, UNWRITTEN)
        assert str(end.reason).startswith("its result could not be written")

    @pytest.mark.parametrize("scenario", ["closes_everything", "scribbles_everywhere"])
    def test_of_descriptors_stay_in_the_child(
        self, spoiling: Measure, reference: Measurement, scenario: str
    ) -> None:
        """Neither closing nor scribbling reaches the server, and the point is measured."""
        point = spoiling(scenario)

        assert point.outcome.status is Status.OK
        assert (point.graph, point.device) == (reference.graph, reference.device)

    def test_of_a_full_disk_end_with_the_point(
        self,
        disk: Disk,
        client_of: Callable[..., Client],
        resources: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What a child filled its folder with is removed, and the next point has room."""
        monkeypatch.setattr(tempfile, "tempdir", str(disk("16m")))
        with Launchers() as launchers:
            client = client_of(resources / "vandals.py", launchers=launchers)
            full, after = (
                client.measure(point_of(client, scenario, steps=STEPS))
                for scenario in ("fills_the_disk", "moves_away")
            )

        assert (full.outcome.status, full.outcome.phase) == (Status.CRASHED, "build_forward")
        assert full.outcome.exit_code == UNWRITTEN
        assert after.outcome.status is Status.OK

    def test_of_a_disk_that_stays_full_are_one_error(self, disk: Disk) -> None:
        """Where no job can be written any more, the tool says so in one line."""
        place = disk("64k")
        place.chmod(0o700)  # else it is no place for a job
        with pytest.raises(OSError, match="No space left"):
            (place / "filler").write_bytes(b"x" * (1 << 20))
        with pytest.raises(StepwallError) as caught:
            prepare(place, Job(task=Task.LIST, framework="x" * 10_000))

        assert str(caught.value) == f"temporary folder {str(place)!r}: No space left on device"


def test_leaves_the_parents_process_alone(faulty: Measure) -> None:
    """No descendant of the tests is left but the fork servers that they share."""

    def running() -> set[psutil.Process]:
        descendants = psutil.Process().children(recursive=True)
        return {one for one in descendants if one.status() != psutil.STATUS_ZOMBIE}

    before = running()
    faulty("sound")

    assert running() == before
    assert {one.ppid() for one in before} == {os.getpid()}  # a child of a server would be left
    assert all("profiler.measure.forkserver" in one.cmdline() for one in before)
