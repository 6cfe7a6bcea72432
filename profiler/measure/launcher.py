"""The parent's side of child processes: start a job in one, watch it, and say how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from profiler.closing import Closing
from profiler.errors import StepwallError, UsageError
from profiler.frameworks import Framework, framework, lacking
from profiler.measure import job_folder, outcomes
from profiler.measure.job import Job
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.supervision import SupervisedChild, Supervisor
from profiler.measure.workspace import Workspace, end_marked, marked

# How long a killed process may take to be gone.
GRACE_S = 2.0
START_TIMEOUT_S = 120.0
_ANSWER_S = 0.5
# So many servers in a row may be killed, by whomever, before they have a child for the job.
_MOST_KILLED = 2
_CLOSED = "no child is started any more: its launcher was closed"
_SHOWN_BYTES = 200


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a child left: its report (JSON), how it ended, its seconds, the end of its output."""

    report: bytes
    exit: ProcessEnd
    seconds: float
    log_tail: str


class Launcher(Protocol):
    """Runs a job in a child process of its own; several threads may call it."""

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        """Run ``job`` to its end, whatever that is; the child is gone afterwards.

        Raises:
            StepwallError: if the tool itself failed; this says nothing of the job.
        """


class ByFramework(Protocol):
    """Launchers by the names of their frameworks."""

    def __getitem__(self, name: str, /) -> Launcher:
        """Return the launcher of that framework."""


class Launchers(Closing):
    """One fork launcher for each framework, made when it is first needed; use it in ``with``.

    Two frameworks are never loaded in one process.
    """

    def __init__(self, supervisor: Supervisor | None = None) -> None:
        """Make launchers whose children one supervisor watches."""
        self._supervisor = supervisor or Supervisor()
        self._open: dict[str, ForkLauncher] = {}
        self._stack = contextlib.ExitStack()
        self._closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """End every server, its children and the temporary files."""
        with self._lock:  # a thread that an interrupt left behind must not open another
            self._closed = True
        self._stack.close()

    def __getitem__(self, name: str) -> Launcher:
        """Return the launcher of that framework.

        Raises:
            UsageError: if it is not installed, or only its part of stepwall is.
            StepwallError: if they were closed.
        """
        with self._lock:
            if self._closed:
                raise StepwallError(_CLOSED)
            if name not in self._open:
                one = framework(name)
                if (needs := lacking(one)) is not None:
                    raise UsageError(f"this {needs}")
                launcher = ForkLauncher(one, self._supervisor)
                self._open[name] = self._stack.enter_context(launcher)
            return self._open[name]


class ForkLauncher(Closing):
    """Children of one fork server, which is started again if it dies; use it in ``with``."""

    def __init__(self, framework: Framework, supervisor: Supervisor | None = None) -> None:
        """Make a launcher; the server starts with the first job."""
        self._framework = framework
        self._supervisor = supervisor or Supervisor()
        self._workspace = Workspace()
        self._server: _ServerProcess | None = None
        self._closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        """End every server, its children and the temporary files."""
        with self._lock:
            self._closed = True
        if self._server is not None:
            self._server.close()
        self._workspace.close()

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        """Run ``job`` in a forked child; see ``Launcher.run``."""
        with self._supervisor.supervise(job) as child:
            for _ in range(_MOST_KILLED):
                ended = self._run_once(child, timeout_s)
                if ended.forked:
                    break
            return ended.result

    def _run_once(self, child: SupervisedChild, timeout_s: float) -> _Ended:
        server = self._running_server()
        folder = job_folder.prepare(self._workspace.path, child.job)
        start = time.perf_counter()
        fork = server.fork(folder)
        timed_out = None
        with child.guarded(lambda: fork.pid, lambda: server.kill(folder)):
            if not _waited(fork.done, timeout_s):
                timed_out = timeout_s
                server.stop(folder, fork)
        if fork.fault is not None:
            raise StepwallError(fork.fault)
        seconds = time.perf_counter() - start
        result = collect(folder, child.end(fork.status, timed_out), seconds)
        return _Ended(result=result, forked=fork.pid is not None or timed_out is not None)

    def _running_server(self) -> _ServerProcess:
        for _ in range(_MOST_KILLED - 1):
            with contextlib.suppress(_KilledError):
                return self._ready_server()
        return self._ready_server()

    def _ready_server(self) -> _ServerProcess:
        with self._lock:
            if self._closed:
                raise StepwallError(_CLOSED)
            if self._server is not None and not self._server.alive:
                self._server.close()
                self._server = None
            if self._server is None:
                self._server = _ServerProcess(self._workspace.path, self._framework)
            server = self._server
        server.wait_until_ready()
        return server


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """What became of a job; ``forked``: False where its server died before it had a child."""

    result: JobResult
    forked: bool


class _KilledError(StepwallError):
    """A fork server was killed while it started; the message says by what."""


class _Fork:
    """One forked child: ``done`` is set when it has ended.

    Attributes:
        status: its wait status, or None where the server died and took it along.
        fault: how the server failed, or None; the status says nothing then.
    """

    def __init__(self) -> None:
        self.done = threading.Event()
        self.pid: int | None = None
        self.status: int | None = None
        self.fault: str | None = None

    def end(self, status: int | None, fault: str | None = None) -> None:
        """Say how the child ended; the first call counts."""
        if not self.done.is_set():
            self.status, self.fault = status, fault
            self.done.set()


class _ServerProcess:
    """A running fork server and the thread that listens to it."""

    def __init__(self, folder: Path, framework: Framework) -> None:
        ours, theirs = socket.socketpair()
        self._log = folder / f"server-{uuid.uuid4().hex[:8]}.log"
        self._channel = ours
        self._forks: dict[str, _Fork] = {}
        self._sending = threading.Lock()
        self._ready = threading.Event()
        self._fault: str | None = None
        self._closing = False
        self.alive = True
        with self._log.open("wb") as log, theirs:
            # -P: what lies in the user's working folder must not shadow what is imported.
            command = [sys.executable, "-P", "-m", "profiler.measure.forkserver"]
            self._process = subprocess.Popen(
                [
                    *command,
                    str(theirs.fileno()),
                    "fixed" if framework.fixed_addresses else "random",
                    *framework.preload,
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **framework.environment, **marked(self._log)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_until_ready(self) -> None:
        """Wait until it can fork.

        Raises:
            StepwallError: if it cannot; it is dead then.
        """
        in_time = _waited(self._ready, START_TIMEOUT_S)
        if in_time and self.alive:
            return
        self.alive = False
        output = "\n".join(filter(None, [self._fault, job_folder.tail(self._log)]))
        self.close()
        # Python's own start has a traceback for Ctrl-C, and may end with 1 for it.
        interrupted = output.endswith(KeyboardInterrupt.__name__)
        shown = f"; the end of its output:\n{output}" if output and not interrupted else ""
        code = -signal.SIGINT if interrupted else self._process.returncode
        if in_time and code < 0 and self._fault is None:
            name = outcomes.signal_name(-code)
            raise _KilledError(f"the fork server died of {name} while it started{shown}")
        raise StepwallError(f"the fork server did not start{shown}")

    def fork(self, folder: Path) -> _Fork:
        fork = _Fork()
        self._forks[str(folder)] = fork
        self._send(fork=str(folder))
        if not self.alive:  # it died before or while we asked: nobody else will end this fork
            fork.end(None, self._fault)
        return fork

    def kill(self, folder: Path) -> None:
        """Kill a child."""
        self._send(kill=str(folder))

    def stop(self, folder: Path, fork: _Fork) -> None:
        """Kill a child and wait until it is gone; a server that does not answer goes with it."""
        self.kill(folder)
        if not fork.done.wait(GRACE_S):
            self._give_up()

    def close(self) -> None:
        """Hang up, which makes the server kill its children and leave."""
        self._closing = True
        if not self._ready.is_set():  # it is importing, and would notice much later
            self._process.kill()
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._channel.close()

    def _send(self, **request: Any) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(request).encode() + b"\n")

    def _listen(self) -> None:
        """Take the server's answers until it hangs up, dies or says what cannot be read."""
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):  # it died in the middle
                    break
                try:
                    self._take(json.loads(line))
                except (LookupError, RecursionError, TypeError, ValueError):
                    shown = line[:_SHOWN_BYTES]
                    self._fault = f"the fork server gave an answer that cannot be read: {shown!r}"
                    break
        with contextlib.suppress(subprocess.TimeoutExpired):  # its own end says why
            self._process.wait(_ANSWER_S)
        self._give_up()

    def _take(self, answer: dict[str, Any]) -> None:
        if "ready" in answer:
            self._ready.set()
        elif "forked" in answer:
            self._forks[answer["forked"]].pid = answer["pid"]
        else:
            self._forks.pop(answer["ended"]).end(answer["status"])

    def _give_up(self) -> None:
        """Count the server as dead: kill it and what it leaves, and end every fork."""
        self.alive = False
        self._ready.set()
        if not self._closing:
            self._process.kill()
            end_marked(self._log)
        for fork in list(self._forks.values()):
            fork.end(None, self._fault)


def _waited(event: threading.Event, timeout_s: float) -> bool:
    """Wait for the event, a little longer after a stop of this process: the answer is there."""
    return event.wait(timeout_s) or event.wait(_ANSWER_S)


def collect(folder: Path, end: ProcessEnd, seconds: float) -> JobResult:
    """Return what the child left, and remove it: output may be large, and jobs many."""
    result = JobResult(
        report=job_folder.report(folder),
        exit=end,
        seconds=seconds,
        log_tail=job_folder.log_tail(folder),
    )
    shutil.rmtree(folder, ignore_errors=True)
    return result
