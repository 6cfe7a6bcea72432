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
from types import TracebackType
from typing import Any, Protocol, Self

from profiler.errors import StepwallError
from profiler.frameworks import DEFAULT_ENGINE, IMPORT_ENVIRONMENT, PRELOAD
from profiler.measure import job_folder
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.supervision import Supervisor
from profiler.measure.workspace import Workspace, end_marked, marked

GRACE_S = 2.0
START_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a child left: its facts so far, how it ended, its seconds, the end of its output."""

    facts: dict[str, Any]
    exit: ProcessEnd
    seconds: float
    log_tail: str


class Launcher(Protocol):
    """Runs a job in a child process of its own; several threads may call it."""

    def run(self, job: dict[str, Any], *, timeout_s: float) -> JobResult:
        """Run ``job`` to its end, whatever that is; the child is gone afterwards."""


class ForkLauncher:
    """Children of one fork server, which is started again if it dies; use it in ``with``."""

    def __init__(self, engine: str = DEFAULT_ENGINE, keeper: Supervisor | None = None) -> None:
        """Make a launcher; the server starts with the first job."""
        self._engine = engine
        self._keeper = keeper or Supervisor()
        self._workspace = Workspace()
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return the launcher itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the server, its children and the temporary files."""
        if self._server is not None:
            self._server.close()
        self._workspace.close()

    def run(self, job: dict[str, Any], *, timeout_s: float) -> JobResult:
        """Run ``job`` in a forked child."""
        with self._keeper.keep(job) as kept:
            folder = job_folder.prepare(self._workspace.path, kept.job)
            server = self._running_server()
            start = time.perf_counter()
            fork = server.fork(folder)
            timed_out, facts = None, None
            with kept.guarded(lambda: fork.pid, lambda: server.kill(folder, signal.SIGKILL)):
                if not fork.done.wait(timeout_s):
                    timed_out = timeout_s
                    # Now: SIGTERM may wake the child, and it goes on.
                    facts = job_folder.facts(folder)
                    server.stop(folder, fork)
            seconds = time.perf_counter() - start
            return _collect(folder, kept.exit(fork.status, timed_out), seconds, facts)

    def _running_server(self) -> _Server:
        with self._lock:
            if self._server is not None and not self._server.alive:
                self._server.close()
                self._server = None
            if self._server is None:
                self._server = _Server(self._workspace.path, self._engine)
            return self._server


class FreshLauncher:
    """Each job in a fresh interpreter: about ten times slower, and shares nothing."""

    def __init__(self, engine: str = DEFAULT_ENGINE, keeper: Supervisor | None = None) -> None:
        """Make a launcher."""
        self._engine = engine
        self._keeper = keeper or Supervisor()

    def run(self, job: dict[str, Any], *, timeout_s: float) -> JobResult:
        """Run ``job`` in an interpreter of its own."""
        with self._keeper.keep(job) as kept, Workspace() as workspace:
            folder = job_folder.prepare(workspace.path, kept.job)
            start = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "profiler.measure.child", str(folder), str(os.getpid())],
                env=_child_environment(self._engine) | marked(folder),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            timed_out, facts = None, None
            with kept.guarded(lambda: process.pid, process.kill):
                try:
                    process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    timed_out, facts = timeout_s, job_folder.facts(folder)
            seconds = time.perf_counter() - start
            _stop_group(process)
            end_marked(folder)
            exited = kept.exit(_wait_status(process.returncode), timed_out)
            return _collect(folder, exited, seconds, facts)


class _Fork:
    """One forked child: set ``done`` when it has ended, with its wait status."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.pid: int | None = None
        self.status: int | None = None

    def end(self, status: int | None) -> None:
        self.status = status
        self.done.set()


class _Server:
    """A running fork server and the thread that listens to it."""

    def __init__(self, folder: Path, engine: str) -> None:
        ours, theirs = socket.socketpair()
        self._log = folder / f"server-{uuid.uuid4().hex[:8]}.log"
        self._channel = ours
        self._forks: dict[str, _Fork] = {}
        self._sending = threading.Lock()
        self._ready = threading.Event()
        self.alive = True
        self._closing = False
        with self._log.open("wb") as log, theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "profiler.measure.forkserver",
                    str(theirs.fileno()),
                    *PRELOAD[engine],
                ],
                pass_fds=[theirs.fileno()],
                env=_child_environment(engine) | marked(self._log),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(START_TIMEOUT_S) or not self.alive:
            tail = job_folder.tail(self._log)
            self.close()
            raise StepwallError(f"the fork server did not start; its last words:\n{tail}")

    def fork(self, folder: Path) -> _Fork:
        fork = _Fork()
        self._forks[str(folder)] = fork
        self._send(fork=str(folder))
        if not self.alive:  # it died before or while we asked: nobody else will end this fork
            fork.end(None)
        return fork

    def kill(self, folder: Path, number: signal.Signals) -> None:
        """Send a signal to a child's process group."""
        self._send(kill=str(folder), signal=int(number))

    def stop(self, folder: Path, fork: _Fork) -> None:
        """Kill a child's process group, politely first, and wait until it is gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.kill(folder, number)
            if fork.done.wait(GRACE_S):
                return
        # The server itself hangs: it takes its children with it.
        self._process.kill()
        fork.done.wait()

    def close(self) -> None:
        """Hang up, which makes the server kill its children and leave."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        end_marked(self._log)
        self._channel.close()

    def _send(self, **request: Any) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(request).encode() + b"\n")

    def _listen(self) -> None:
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "ready" in message:
                    self._ready.set()
                elif "forked" in message:
                    self._forks[message["forked"]].pid = message["pid"]
                elif "ended" in message:
                    self._forks.pop(message["ended"]).end(message["status"])
        self.alive = False
        self._ready.set()
        if not self._closing:  # what its children started has lost its last keeper
            end_marked(self._log)
        for fork in list(self._forks.values()):
            fork.end(None)


def _collect(
    folder: Path, exited: ProcessEnd, seconds: float, facts: dict[str, Any] | None = None
) -> JobResult:
    """Return what the child left, and remove it: output may be large, and jobs many."""
    ended = JobResult(
        facts=job_folder.facts(folder) if facts is None else facts,
        exit=exited,
        seconds=seconds,
        log_tail=job_folder.log_tail(folder),
    )
    shutil.rmtree(folder, ignore_errors=True)
    return ended


def _child_environment(engine: str) -> dict[str, str]:
    return {**os.environ, **IMPORT_ENVIRONMENT[engine]}


def _wait_status(returncode: int) -> int:
    return -returncode if returncode < 0 else returncode << 8


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    # Also where the leader has gone: others of its group may not have listened.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
