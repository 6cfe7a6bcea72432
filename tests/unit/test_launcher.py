"""A job's end is read without trust, and a fork server that fails is never waited for in vain."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import stub_framework

from profiler.errors import StepwallError, UsageError
from profiler.frameworks.recorder import LOG_FILE, RESULT_FILE
from profiler.measure import launcher
from profiler.measure.guard import Guard
from profiler.measure.job import Job, Task
from profiler.measure.launcher import ForkLauncher, JobResult, Launchers, collect
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.supervision import Supervisor

EXITED = ProcessEnd(wait_status=0)
# The children of these tests do not run jobs: one is answered at once, the other one hangs.
ANSWER = Job(task=Task.DESCRIBE, framework=stub_framework.NAME)
HANG = Job(task=Task.MEASURE, framework=stub_framework.NAME)


def _report(ended: JobResult) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.report)
    return found


def test_what_a_child_left_is_collected(tmp_path: Path) -> None:
    """Its report, its exit, its seconds and its last words; and the folder is removed."""
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / RESULT_FILE).write_text("a report")
    (folder / LOG_FILE).write_text("last words\n")
    ended = collect(folder, EXITED, 1.5)

    assert ended == JobResult(report=b"a report", exit=EXITED, seconds=1.5, log_tail="last words")
    assert not folder.exists()


def test_a_child_that_left_nothing_is_collected(tmp_path: Path) -> None:
    """Neither result nor log, nor even its folder."""
    assert collect(tmp_path / "gone", EXITED, 0.0) == JobResult(
        report=b"", exit=EXITED, seconds=0.0, log_tail=""
    )


# What the fork servers of these tests import before they fork, in place of a framework.
PRELOADED = """
import json, os, subprocess, sys, time

server = sys.modules["__main__"]
say = server._Server._say

def run(folder, *_):
    job = json.loads((folder / "job.json").read_text())
    report = {"pid": os.getpid(), "job": job} | dict(os.environ)
    (folder / "result.json").write_text(json.dumps(report))
    if job["task"] == "measure":
        time.sleep(60)
    return 0

server.child.run = run
"""
# The server answers the end of a child with some bytes of its own.
GARBLED = """
def garbled(self, **message):
    if "ended" in message:
        self._channel.sendall({line!r})
    else:
        say(self, **message)

server._Server._say = garbled
"""
# The server dies while it says that a child has ended.
CUT = """
def cut(self, **message):
    if "ended" in message:
        self._channel.sendall(b'{"ended": "/tm')
        os._exit(1)
    say(self, **message)

server._Server._say = cut
"""
# The server does not kill, and a process that no mark shows holds its socket open.
HANGING = """
server._Server._kill = lambda *_: None
holder = subprocess.Popen(
    ["sleep", "60"], env={{}}, pass_fds=[int(sys.argv[1])], start_new_session=True
)
open({pids!r}, "a").write(f"{{holder.pid}} ")
"""

Launch = Callable[..., ForkLauncher]


@pytest.fixture
def launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Launch:
    """Return ``launch(code)``: a launcher whose fork server runs that code before it serves."""
    folder = tmp_path / "modules"
    folder.mkdir()
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    framework = stub_framework.StubFramework(
        preload=("preloaded",), environment={"PYTHONPATH": path, "FOR_THE_FRAMEWORK": "1"}
    )
    monkeypatch.setattr(launcher, "GRACE_S", 0.5)

    def launch(code: str = "", supervisor: Supervisor | None = None) -> ForkLauncher:
        (folder / "preloaded.py").write_text(PRELOADED + code)
        started = ForkLauncher(framework, supervisor)
        request.addfinalizer(lambda: started.__exit__(None, None, None))
        return started

    return launch


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _survives(pid: int, *, wait_s: float = 5.0) -> bool:
    """Return whether the process still runs after a while."""
    deadline = time.monotonic() + wait_s
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return _runs(pid)


def test_a_job_runs_in_a_child_of_the_fork_server(launch: Launch) -> None:
    """Its report is read, and it is gone afterwards."""
    ended = launch().run(ANSWER, timeout_s=10)

    assert ended.exit == EXITED
    assert _report(ended)["job"] == {"task": "describe", "framework": stub_framework.NAME}
    assert not _runs(_report(ended)["pid"])


def test_a_childs_environment_is_ours_and_the_frameworks(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the framework reads at its import stands in it."""
    monkeypatch.setenv("STEPWALL_TEST", "here")
    found = _report(launch().run(ANSWER, timeout_s=10))

    assert (found["STEPWALL_TEST"], found["FOR_THE_FRAMEWORK"]) == ("here", "1")


def test_a_job_that_takes_too_long_is_killed(launch: Launch) -> None:
    """What it had found by then is kept."""
    ended = launch().run(HANG, timeout_s=0.3)

    assert ended.exit == ProcessEnd(wait_status=signal.SIGKILL, timed_out_s=0.3)
    assert _report(ended)["job"]["task"] == "measure"
    assert not _runs(_report(ended)["pid"])


def test_a_guard_that_fails_ends_the_job_with_an_error(launch: Launch) -> None:
    """At once, not after the time limit."""

    def free() -> int:
        raise OSError("no /proc")

    supervisor = Supervisor(guard=Guard(free=free))
    with pytest.raises(StepwallError, match="the guard of the machine's memory failed"):
        launch(supervisor=supervisor).run(HANG, timeout_s=60)


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"ended": "/elsewhere", "status": 0}\n',
    ],
    ids=lambda line: str(line[:16]),
)
def test_an_answer_that_cannot_be_read_is_an_error(launch: Launch, line: bytes) -> None:
    """It says nothing of the point: the tool failed."""
    server = launch(GARBLED.format(line=line))
    with pytest.raises(StepwallError, match="the fork server gave an answer that cannot be read"):
        server.run(ANSWER, timeout_s=10)


def test_an_answer_that_is_cut_is_a_servers_death(launch: Launch) -> None:
    """It died in the middle of the line; the next job has a new server."""
    server = launch(CUT)
    lost = server.run(ANSWER, timeout_s=10)
    launch()

    assert lost.exit == ProcessEnd(wait_status=None)
    assert server.run(ANSWER, timeout_s=10).exit == EXITED


def test_a_server_that_does_not_let_go_is_given_up(launch: Launch, tmp_path: Path) -> None:
    """Though somebody else holds its socket open, so that its death is not heard."""
    pids = tmp_path / "pids"
    server = launch(HANGING.format(pids=str(pids)))
    try:
        ended = server.run(HANG, timeout_s=0.3)
    finally:
        for pid in pids.read_text().split():
            os.kill(int(pid), signal.SIGKILL)

    assert ended.exit == ProcessEnd(wait_status=None, timed_out_s=0.3)
    assert not _survives(_report(ended)["pid"])


def test_a_server_that_does_not_start_is_an_error_with_its_output(launch: Launch) -> None:
    """The end of it, which says why."""
    with pytest.raises(StepwallError, match=r"(?s)the fork server did not start.*no such thing"):
        launch("raise SystemExit('no such thing')").run(ANSWER, timeout_s=10)


# The first server dies; those after it find the file that it made.
DIES_ONCE = """
import signal, pathlib

def dies(*_):
    if not pathlib.Path({flag!r}).exists():
        pathlib.Path({flag!r}).touch()
        if signal.getsignal(signal.{name}) is signal.SIG_IGN:  # of a shell, in the background
            signal.signal(signal.{name}, signal.SIG_DFL)
        os.kill(os.getpid(), signal.{name})
        time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL", "SIGQUIT"])
@pytest.mark.parametrize("moment", ["dies()", "server._Server._fork = dies"])
def test_a_server_that_was_killed_before_it_had_a_child_is_replaced(
    launch: Launch, tmp_path: Path, name: str, moment: str
) -> None:
    """While it started, or when it was asked: the job has lost nothing, and runs."""
    fork = "fork = server._Server._fork\n"
    code = DIES_ONCE.format(flag=str(tmp_path / "flag"), name=name)
    if moment != "dies()":
        code = fork + code.rstrip() + "\n    else:\n        fork(*_)\n"
    ended = launch(code + moment).run(ANSWER, timeout_s=30)

    assert (tmp_path / "flag").exists()
    assert ended.exit == EXITED


def test_a_server_that_is_always_killed_is_one_line(launch: Launch) -> None:
    """With the signal; it is not started for ever."""
    code = "import signal; os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"
    with pytest.raises(StepwallError) as raised:
        launch(code).run(ANSWER, timeout_s=10)

    assert str(raised.value) == "the fork server died of SIGTERM while it started"


@pytest.mark.parametrize("how", ["raise KeyboardInterrupt", "raise SystemExit(1)"])
def test_a_server_that_is_interrupted_while_python_starts_shows_no_traceback(
    launch: Launch, how: str
) -> None:
    """However Python ends then: by the signal, or with 1."""
    shown = "print('Traceback\\nKeyboardInterrupt', file=sys.stderr, flush=True)\n"
    with pytest.raises(StepwallError) as raised:
        launch(f"import sys\n{shown}{how}").run(ANSWER, timeout_s=10)

    assert str(raised.value) == "the fork server died of SIGINT while it started"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_kills_a_child_is_how_it_ended(launch: Launch, number: int) -> None:
    """Ctrl-C's, too: it is no exception that the scenario raised."""
    server = launch(f"""
import signal

def run(folder, *_):
    try:
        if signal.getsignal({int(number)}) is signal.SIG_IGN:  # of a shell, in the background
            signal.signal({int(number)}, signal.SIG_DFL)
        os.kill(os.getpid(), {int(number)})
        time.sleep(60)
    except BaseException:
        return 0

server.child.run = run
""")

    assert server.run(ANSWER, timeout_s=10).exit == ProcessEnd(wait_status=number)


def test_a_child_that_stands_still_for_a_while_has_not_failed(
    launch: Launch, tmp_path: Path
) -> None:
    """Stopped, and its server too, it goes on where it was."""
    pids = tmp_path / "pids"
    server = launch(f"""
def run(folder, *_):
    with open({str(pids)!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{os.getppid()}} .")
    while not os.path.exists({str(tmp_path / "go")!r}):
        time.sleep(0.02)
    return 0

server.child.run = run
""")
    found: list[JobResult] = []
    thread = threading.Thread(target=lambda: found.append(server.run(ANSWER, timeout_s=60)))
    thread.start()
    while not (pids.exists() and pids.read_text().endswith(".")):
        time.sleep(0.02)
    stopped = [psutil.Process(int(pid)) for pid in pids.read_text().split()[:2]]
    for process in stopped:
        process.suspend()
    (tmp_path / "go").touch()
    for process in stopped:
        process.resume()
    thread.join()

    assert [ended.exit for ended in found] == [EXITED]


def test_the_working_folder_shadows_nothing(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither our packages, nor the standard library, nor what the server imports."""
    place = tmp_path / "place"
    (place / "scenarios").mkdir(parents=True)
    names = ["profiler.py", "scenarios/__init__.py", "json.py", "numpy.py", "preloaded.py"]
    for name in names:
        (place / name).write_text(f"raise ImportError('{name} of the working folder')")
    monkeypatch.chdir(place)

    code = f"""
import importlib.util
for name in ("profiler", "scenarios", "json", "numpy"):
    assert {str(place)!r} not in importlib.util.find_spec(name).origin, name
"""
    assert launch(code).run(ANSWER, timeout_s=10).exit == EXITED


class TestLaunchers:
    """One launcher for each framework."""

    def test_a_framework_has_one_launcher_that_starts_nothing_yet(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However often it is asked for."""
        stub_framework.install(monkeypatch)
        with Launchers() as launchers:
            launcher = launchers[stub_framework.NAME]

            assert launchers[stub_framework.NAME] is launcher
            assert isinstance(launcher, ForkLauncher)
            assert launcher._server is None

    def test_a_framework_that_is_not_installed_is_a_usage_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the nearest name."""
        stub_framework.install(monkeypatch)
        with Launchers() as launchers, pytest.raises(UsageError, match="did you mean 'sampleflow'"):
            _ = launchers["sampelflow"]
