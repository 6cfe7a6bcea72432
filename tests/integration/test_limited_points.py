"""A host limit caps the whole process of a point, by each means; and the machine is protected."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from fresh_launcher import FreshLaunchers

from profiler.facts import HostMemory, Measurement, Status
from profiler.filelock import FileLock
from profiler.limits import cgroup, host_limit
from profiler.limits.host_limit import Means
from profiler.measure import guard
from profiler.measure.guard import Guard
from profiler.measure.launcher import ByFramework, Launchers
from profiler.measure.supervision import Supervisor

Measure = Callable[..., Measurement]
MIB = 1 << 20
LIMIT = 512 * MIB
TIMEOUT_S = 120

# What a machine has on which nothing runs but this test's children.
MACHINE = 4 << 30
FLOOR = MACHINE - (2 << 30)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="host limits are Linux's")


def _small_machine() -> Callable[[], int]:
    """Return what is left of a machine of which nothing is used yet."""
    before = _used_bytes()
    return lambda: MACHINE - max(0, _used_bytes() - before)


def _used_bytes() -> int:
    used = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used += child.memory_info().rss
    return used


def _best_means() -> Means:
    with host_limit.capped(LIMIT) as cap:
        assert cap is not None
    return cap.means


def _skip_without(means: Means) -> None:
    if means is not Means.RLIMIT_DATA and _best_means() is not means:
        pytest.skip(f"{means.value} may not be used here")


@pytest.fixture(scope="module", params=Means, ids=lambda means: means.value)
def limited(request: pytest.FixtureRequest, measure: Measure, resources: Path) -> Iterator[Measure]:
    """Return ``limited(scenario, ...)``: a point of ``resources/hogs.py`` under each means."""
    _skip_without(request.param)
    with Launchers(Supervisor(means=request.param)) as launchers:

        def limited(scenario: str, **settings: object) -> Measurement:
            conditions = {"host_limit_bytes": LIMIT, "source": resources / "hogs.py"} | settings
            return measure(scenario, launchers=launchers, **conditions)

        limited.means = request.param  # type: ignore[attr-defined]
        yield limited


@pytest.fixture
def grouped(measure: Measure) -> Measure:
    """Return ``measure`` for a machine with memory cgroups."""
    if _best_means() is Means.RLIMIT_DATA:
        pytest.skip("no memory cgroup may be used here")
    return measure


def host(point: Measurement) -> HostMemory:
    """Return the host memory of a point that has it."""
    assert point.host is not None
    return point.host


def demand(point: Measurement) -> int:
    """Return the most that the limit has counted of a point that survived."""
    assert point.outcome.status is Status.OK, point.outcome
    peak = host(point).capped_peak_bytes
    assert peak is not None
    return peak


class TestLimit:
    """Each means, on blocks of known size."""

    def test_what_fits_is_measured_under_the_limit(self, limited: Measure) -> None:
        """The point says which limit it was under, by which means, and what that counted."""
        small, large = limited("holds", steps=16), limited("holds", steps=128)

        assert host(small).limit_bytes == LIMIT
        assert host(small).limit_by == limited.means.value  # type: ignore[attr-defined]
        assert 0 < demand(small) <= demand(large) <= LIMIT
        # The block itself, but for what fits into memory that the runtime takes later anyway.
        assert demand(large) > (host(large).baseline_bytes or 0) * 0.5 + 64 * MIB

    def test_what_does_not_fit_is_the_hosts_memory(self, limited: Measure) -> None:
        """It fails in the phase that asked for it, and the next point is sound."""
        failed = limited("holds", steps=LIMIT // MIB)
        after = limited("holds", steps=16)

        assert failed.outcome.status is Status.OOM_HOST
        assert failed.outcome.phase == "build_forward"
        assert after.outcome.status is Status.OK

    def test_a_limit_below_the_framework_is_a_clear_error(self, limited: Measure) -> None:
        """No crash, and no wall at any number of steps."""
        end = limited("holds", steps=1, host_limit_bytes=64 * MIB).outcome

        assert end.status is Status.ERROR
        assert "host limit 64 MiB: the framework alone holds" in str(end.reason)

    def test_what_only_a_device_allocator_counts_is_missing(self, limited: Measure) -> None:
        """The default allocator's account has gaps: no number, and the reason."""
        point = limited("holds", steps=16)

        assert point.device is not None
        assert point.device.peak_bytes is None
        assert "default allocator" in point.missing["device.peak_bytes"]

    def test_two_limits_at_once_are_refused_on_cpu(self, limited: Measure) -> None:
        """A device limit needs an allocator that would fill the host limit by itself."""
        end = limited("holds", steps=16, limit_bytes=64 * MIB).outcome

        assert end.status is Status.ERROR
        assert "not both" in str(end.reason)


class TestGroups:
    """What only memory cgroups give."""

    def test_each_phase_can_be_the_one_that_fails(self, grouped: Measure) -> None:
        """An unrolled graph is killed later the larger the limit, and the phase is known."""
        least = demand(grouped("static_rnn", steps=1, host_limit_bytes=LIMIT))
        most = demand(grouped("static_rnn", steps=200, host_limit_bytes=LIMIT))
        ends = [
            grouped("static_rnn", steps=200, host_limit_bytes=limit).outcome
            for limit in (least, (least + most) // 2)
        ]

        assert [end.status for end in ends] == [Status.OOM_HOST] * 2
        assert [end.signal for end in ends] == ["SIGKILL"] * 2
        assert all("at the host limit of" in str(end.reason) for end in ends)
        order = [
            "start",
            "build_forward",
            "build_gradients",
            "runtime",
            "initialize",
            "first_step",
            "steady",
        ]
        first, second = (order.index(str(end.phase)) for end in ends)
        assert 1 <= first < second

    def test_forked_or_fresh_the_same_process_counts(
        self, grouped: Measure, launchers: ByFramework
    ) -> None:
        """What was inherited from the fork server counts as if the child had loaded it."""
        points = [
            grouped("static_rnn", steps=50, host_limit_bytes=LIMIT, launchers=one)
            for one in (launchers, FreshLaunchers())
        ]

        assert demand(points[0]) == pytest.approx(demand(points[1]), rel=0.05)

    def test_equal_points_count_alike(self, grouped: Measure) -> None:
        """The search works with these numbers."""
        found = [demand(grouped("static_rnn", steps=50, host_limit_bytes=LIMIT)) for _ in range(3)]

        assert max(found) <= min(found) * 1.03

    def test_one_childs_kill_is_not_anothers(self, grouped: Measure, resources: Path) -> None:
        """Two at once: each has a counter of its own."""

        def one(steps: int) -> Measurement:
            source = resources / "hogs.py"
            return grouped("grows", steps=steps, host_limit_bytes=LIMIT, source=source)

        with ThreadPoolExecutor(2) as threads:
            small, large = threads.map(one, (150, LIMIT // MIB))

        assert small.outcome.status is Status.OK
        assert large.outcome.status is Status.OOM_HOST

    def test_no_group_is_left(self, grouped: Measure) -> None:
        """Not after a pass, not after a kill."""
        own = cgroup.own()
        assert own is not None
        grouped("static_rnn", steps=2, host_limit_bytes=LIMIT)
        grouped("static_rnn", steps=100, host_limit_bytes=230 * MIB)

        left = [
            path
            for path in cgroup._base(own).glob(f"{cgroup.PREFIX}*")
            if FileLock.take_folder(path) is not None  # those that still run hold theirs
        ]
        assert left == []

    @pytest.mark.usefixtures("grouped")
    def test_the_group_of_a_killed_parent_is_swept(self) -> None:
        """With what still runs in it, by the next one that makes a group."""
        code = """if True:
            import subprocess, time
            from profiler.limits.host_limit import capped
            with capped(1 << 30) as cap:
                child = subprocess.Popen(["sleep", "60"])
                (cap.group.path / "cgroup.procs").write_text(str(child.pid))
                print(cap.group.path, child.pid, flush=True)
                time.sleep(60)
        """
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            path, pid = parent.stdout.readline().split()
            parent.kill()
        was_left = Path(path).exists()
        with host_limit.capped(LIMIT):
            is_left = Path(path).exists()

        assert was_left
        assert not is_left
        assert not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == "zombie"


class TestGuard:
    """No child takes the machine down; the floor is injected, the machine never in danger."""

    def test_a_child_that_takes_too_much_is_stopped(
        self, measure: Measure, resources: Path
    ) -> None:
        """It says who stopped it and what was left, and the next point is sound."""
        watch = Guard(floor_bytes=FLOOR, free=_small_machine())
        source = resources / "hogs.py"
        with Launchers(Supervisor(guard=watch)) as launchers:
            stopped = measure("grows", steps=MACHINE // MIB, launchers=launchers, source=source)
            after = measure("holds", steps=1, launchers=launchers, source=source)

        assert stopped.outcome.status is Status.OOM_HOST
        assert stopped.outcome.phase == "build_forward"
        assert stopped.outcome.was_stopped
        assert re.fullmatch(
            r"stepwall stopped it: the machine had only \d+ MiB left", str(stopped.outcome.reason)
        )
        assert after.outcome.status is Status.OK

    def test_the_largest_of_two_is_stopped(
        self, measure: Measure, resources: Path, tmp_path: Path
    ) -> None:
        """The smaller one had no part in it."""
        low = threading.Event()
        watch = Guard(floor_bytes=1, free=lambda: 0 if low.is_set() else 2)
        source, marks = resources / "hogs.py", [tmp_path / "small", tmp_path / "large"]
        with (
            Launchers(Supervisor(guard=watch)) as launchers,
            ThreadPoolExecutor(2) as threads,
        ):
            running = [
                threads.submit(
                    measure,
                    "grows",
                    steps=steps,
                    mark=str(mark),
                    launchers=launchers,
                    source=source,
                    timeout_s=5,
                )
                for steps, mark in zip((1, 200), marks, strict=True)
            ]
            while not all(mark.exists() for mark in marks):
                assert not low.wait(guard.POLL_S)
            low.set()
            large = running[1].result()
            low.clear()
            small = running[0].result()

        assert large.outcome.was_stopped
        assert small.outcome.status is Status.TIMEOUT
