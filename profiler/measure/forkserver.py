"""The fork server: one process with the framework imported, one forked child per job.

It reads a line of JSON per request from a socket and answers with lines of JSON:

==========================  ===========================================
``{"fork": FOLDER}``        fork a child that runs the job in FOLDER
``{"kill": FOLDER, ...}``   send ``signal`` to that child's process group
``{"ready": true}``         answer: the framework is imported
``{"forked": FOLDER}``      answer: the child runs, as process ``pid``
``{"ended": FOLDER}``       answer: the child ended, with its ``status``
==========================  ===========================================

The framework's runtime is never started here, and no scenario is imported here: a forked
runtime is dead. At the end of the socket it kills its children and leaves.

Whatever a child started, in whatever session, ends with it: the server and each child are
sub-reapers (Linux), so that what a dead child leaves becomes the server's own child.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

from profiler.measure import child

_ROUNDS = 100


class _Server:
    """The children that run now, and the socket to the parent."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._ours: list[socket.socket | selectors.BaseSelector] = []
        self._folders: dict[int, str] = {}
        self._pending = b""

    def serve(self) -> None:
        """Answer requests and report ended children until the parent hangs up."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)  # noqa: FBT003 (the name of the method says it)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        child.adopt_orphans()
        with selectors.DefaultSelector() as selector:
            self._ours = [self._channel, woken, wake, selector]
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            self._say(ready=True)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if woken in ready:
                    woken.recv(4096)
                    self._reap()
                if self._channel in ready and not self._answer():
                    break
        for pid in self._folders:
            _kill_group(pid, signal.SIGKILL)
        _end_children(spared=())

    def _answer(self) -> bool:
        received = self._channel.recv(65536)
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "fork" in request:
                self._fork(request["fork"])
            else:
                self._kill(request["kill"], request["signal"])
        return bool(received)

    def _fork(self, folder: str) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            for item in self._ours:  # a scenario could reach the server through them
                item.close()
            run_child(Path(folder), server)
        self._folders[pid] = folder
        self._say(forked=folder, pid=pid)

    def _kill(self, folder: str, number: int) -> None:
        for pid, name in self._folders.items():
            if name == folder:
                _kill_group(pid, number)

    def _reap(self) -> None:
        for pid in list(self._folders):
            # WNOWAIT: the group is swept while its leader still holds the process id.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                _kill_group(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
                folder = self._folders.pop(pid)
                _end_children(spared=self._folders)
                self._say(ended=folder, status=status)

    def _say(self, **message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")


def run_child(folder: Path, server: int) -> None:
    """Turn this fork of ``server`` into the child of the job in ``folder``; never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.setsid()
    code = 70
    try:
        code = child.run(folder, server)
    finally:
        # _exit: the forked copy must not run the server's own clean-up.
        os._exit(code)


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:  # it has just been forked, and has no group of its own yet
            os.kill(pid, number)


def _end_children(spared: Container[int]) -> None:
    """Kill this process's children but those spared, and what becomes its child thereby."""
    # Bounded, for those that do nothing but fork and leave.
    for _ in range(_ROUNDS):
        strangers = [pid for pid in _children() if pid not in spared]
        if not strangers:
            return
        for pid in strangers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in strangers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    """Return the ids of this process's children; none where the kernel does not list them."""
    with contextlib.suppress(OSError):
        lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
        return [int(pid) for pids in lists for pid in pids.split()]
    return []


def main() -> None:
    """Import the modules named after the socket's file descriptor, then serve."""
    child.fix_addresses("profiler.measure.forkserver")
    channel = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _Server(channel).serve()


if __name__ == "__main__":
    main()
