"""The fork server: one process with the framework imported, one forked child per job.

It reads a line of JSON per request from a socket and answers with lines of JSON:

==========================  ===========================================
``{"fork": FOLDER}``        fork a child that runs the job in FOLDER
``{"kill": FOLDER}``        kill that child
``{"ready": true}``         answer: the framework is imported
``{"forked": FOLDER}``      answer: the child runs, as process ``pid``
``{"ended": FOLDER}``       answer: the child ended, with its wait ``status``
==========================  ===========================================

The framework's runtime is never started here, and no scenario is imported here: a forked
runtime is dead. At the end of the socket it kills its children and leaves.

What ends what (Linux). Each mechanism was switched off while tests/integration/test_faults.py
ran; without it, the faults beside it leave a process behind or harm another point.

=======================================  ==================================================
mechanism                                the faults that need it
=======================================  ==================================================
SIGKILL to the child                     it hangs, spins, ignores signals or stopped itself
a session for each child                 it signals its own process group
the server is a sub-reaper: it adopts    a process that a child leaves, in its own session
and kills what a dead child leaves       or not, also one whose parent is dead
each child is a sub-reaper               such a process of another child, which must live on
the end of the socket                    the parent was killed
the mark in the environment, see         a child killed or stopped the server; the parent
``workspace.end_marked``                 and the server were both killed
a kill of all in a memory cgroup, see    a process without the mark, whose parent and server
``cgroup.Group.remove``                  were both killed
=======================================  ==================================================
"""

from __future__ import annotations

import contextlib
import ctypes
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

if __name__ == "__main__":
    # Before what takes time. Python's own handler would end it with a traceback, and would make an
    # exception of the scenario out of a child's death by it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from profiler.measure import child

_ROUNDS = 100
_PR_SET_CHILD_SUBREAPER = 36
_ASK_PERSONALITY = 0xFFFFFFFF
_ADDR_NO_RANDOMIZE = 0x0040000


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
        adopt_orphans()
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
        _end_children(spared=())

    def _answer(self) -> bool:
        received = self._channel.recv(65536)
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "fork" in request:
                self._fork(request["fork"])
            else:
                self._kill(request["kill"])
        return bool(received)

    def _fork(self, folder: str) -> None:
        pid = os.fork()
        if pid == 0:
            for item in self._ours:  # a scenario could reach the server through them
                item.close()
            run_child(Path(folder))
        self._folders[pid] = folder
        self._say(forked=folder, pid=pid)

    def _kill(self, folder: str) -> None:
        for pid, name in self._folders.items():
            if name == folder:  # not reaped yet: the id is still its own
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        for pid in list(self._folders):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                folder = self._folders.pop(pid)
                _end_children(spared=self._folders)
                self._say(ended=folder, status=status)

    def _say(self, **message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")


def run_child(folder: Path) -> None:
    """Turn this fork of the server into the child of the job in ``folder``; never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.setsid()
    adopt_orphans()
    code = 70
    try:
        code = child.run(folder)
    finally:
        # _exit: the forked copy must not run the server's own clean-up.
        os._exit(code)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def fix_addresses() -> None:
    """Start this process again without address randomisation, where the kernel allows it (Linux).

    A framework may keep graph nodes in sets that are ordered by address: with random addresses
    equal points may run their nodes in another order, and peak elsewhere.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "personality"):
        return
    current = libc.personality(_ASK_PERSONALITY)
    if current == -1 or current & _ADDR_NO_RANDOMIZE:
        return
    if libc.personality(current | _ADDR_NO_RANDOMIZE) != -1:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 (the command that started us)


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
        lists = [
            path.read_text(encoding="utf-8") for path in Path("/proc/self/task").glob("*/children")
        ]
        return [int(pid) for pids in lists for pid in pids.split()]
    return []


def main() -> None:
    """Import the modules named after the descriptor and the kind of addresses, then serve."""
    if sys.argv[2] == "fixed":
        fix_addresses()
    channel = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[3:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _Server(channel).serve()


if __name__ == "__main__":
    main()
