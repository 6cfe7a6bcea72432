"""The parent's side of child processes: start a job in one, watch it, and say how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from profiler.child import JOB_FILE
from profiler.engines import DEFAULT_ENGINE, IMPORT_ENVIRONMENT, PRELOAD
from profiler.errors import StepwallError
from profiler.outcome import Exit
from profiler.recorder import LOG_FILE, RESULT_FILE

GRACE_S = 2.0
START_TIMEOUT_S = 120.0
_LOG_TAIL_BYTES = 4000


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a child left: its facts so far, how it ended, its seconds, the end of its output."""

    facts: dict[str, Any]
    exit: Exit
    seconds: float
    log_tail: str


class Launcher(Protocol):
    """Runs a job in a child process of its own; several threads may call it."""

    def run(self, job: dict[str, Any], *, timeout_s: float) -> Ended:
        """Run ``job`` to its end, whatever that is; the child is gone afterwards."""


class ForkLauncher:
    """Children of one fork server, which is started again if it dies; use it in ``with``."""

    def __init__(self, engine: str = DEFAULT_ENGINE) -> None:
        """Make a launcher; the server starts with the first job."""
        self._engine = engine
        self._temporary = tempfile.TemporaryDirectory(prefix="stepwall-")
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
        self._temporary.cleanup()

    def run(self, job: dict[str, Any], *, timeout_s: float) -> Ended:
        """Run ``job`` in a forked child."""
        folder = _prepare(Path(self._temporary.name), job)
        server = self._running_server()
        kills, start = _kernel_oom_kills(), time.perf_counter()
        fork = server.fork(folder)
        timed_out = None
        if not fork.done.wait(timeout_s):
            timed_out = timeout_s
            server.stop(folder, fork)
        exited = Exit(
            wait_status=fork.status,
            timed_out_s=timed_out,
            kernel_oom_kill=_kernel_oom_kills() > kills,
        )
        return _collect(folder, exited, time.perf_counter() - start)

    def _running_server(self) -> _Server:
        with self._lock:
            if self._server is not None and not self._server.alive:
                self._server.close()
                self._server = None
            if self._server is None:
                self._server = _Server(Path(self._temporary.name), self._engine)
            return self._server


class FreshLauncher:
    """Each job in a fresh interpreter: about ten times slower, and shares nothing."""

    def __init__(self, engine: str = DEFAULT_ENGINE) -> None:
        """Make a launcher."""
        self._engine = engine

    def run(self, job: dict[str, Any], *, timeout_s: float) -> Ended:
        """Run ``job`` in an interpreter of its own."""
        with tempfile.TemporaryDirectory(prefix="stepwall-") as temporary:
            folder = _prepare(Path(temporary), job)
            kills, start = _kernel_oom_kills(), time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "profiler.child", str(folder), str(os.getpid())],
                env=_child_environment(self._engine),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            timed_out = None
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                timed_out = timeout_s
            seconds = time.perf_counter() - start
            _stop_group(process)
            exited = Exit(
                wait_status=_wait_status(process.returncode),
                timed_out_s=timed_out,
                kernel_oom_kill=_kernel_oom_kills() > kills,
            )
            return _collect(folder, exited, seconds)


class _Fork:
    """One forked child: set ``done`` when it has ended, with its wait status."""

    def __init__(self) -> None:
        self.done = threading.Event()
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
        with self._log.open("wb") as log, theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "profiler.forkserver",
                    str(theirs.fileno()),
                    *PRELOAD[engine],
                ],
                pass_fds=[theirs.fileno()],
                env=_child_environment(engine),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(START_TIMEOUT_S) or not self.alive:
            tail = _tail(self._log)
            self.close()
            raise StepwallError(f"the fork server did not start; its last words:\n{tail}")

    def fork(self, folder: Path) -> _Fork:
        fork = _Fork()
        self._forks[str(folder)] = fork
        self._send(fork=str(folder))
        if not self.alive:  # it died before or while we asked: nobody else will end this fork
            fork.end(None)
        return fork

    def stop(self, folder: Path, fork: _Fork) -> None:
        """Kill a child's process group, politely first, and wait until it is gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._send(kill=str(folder), signal=int(number))
            if fork.done.wait(GRACE_S):
                return
        # The server itself hangs: it takes its children with it.
        self._process.kill()
        fork.done.wait()

    def close(self) -> None:
        """Hang up, which makes the server kill its children and leave."""
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
        with contextlib.suppress(OSError), self._channel.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "ready" in message:
                    self._ready.set()
                elif "ended" in message:
                    self._forks.pop(message["ended"]).end(message["status"])
        self.alive = False
        self._ready.set()
        for fork in list(self._forks.values()):
            fork.end(None)


def _prepare(parent: Path, job: dict[str, Any]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=parent))
    (folder / JOB_FILE).write_text(json.dumps(job))
    return folder


def _collect(folder: Path, exited: Exit, seconds: float) -> Ended:
    try:
        facts = json.loads((folder / RESULT_FILE).read_text())
    except (OSError, ValueError):
        facts = {}
    return Ended(
        facts=facts if isinstance(facts, dict) else {},
        exit=exited,
        seconds=seconds,
        log_tail=_tail(folder / LOG_FILE),
    )


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _kernel_oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


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
