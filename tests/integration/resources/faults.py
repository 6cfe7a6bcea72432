"""Scenarios that die, hang or fail in every way that a child can."""

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1

FOREVER_S = 3600


def healthy(steps: int) -> Training:
    """Return a small training."""
    x = tf1.placeholder(tf.float32, [steps, 3])
    w = tf1.get_variable("w", [3, 4])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
    return Training(feeds={x: np.ones((steps, 3), np.float32)}, loss=loss)


def fork_sleeper(*, detached: bool = False) -> int:
    """Fork a process that ignores SIGTERM and sleeps, and return its id."""
    pid = os.fork()
    if pid == 0:
        if detached:
            os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(FOREVER_S)
        os._exit(0)
    return pid


def fork_daemon(pid_file: Path) -> int:
    """Let a child fork a sleeper in a session of its own and leave; return the sleeper's id."""
    if os.fork() == 0:
        os.setsid()
        pid_file.write_text(str(fork_sleeper(detached=True)))
        os._exit(0)
    os.wait()
    return int(pid_file.read_text())


@scenario
def sound(steps: int) -> Training:
    """Do nothing wrong."""
    return healthy(steps)


@scenario
def leaves_silently(steps: int) -> Training:
    """End with success and without a word."""
    del steps
    os._exit(0)


@scenario
def leaves_with_code(steps: int) -> Training:
    """End with an exit code and without a word."""
    os._exit(steps)


@scenario
def aborts(steps: int) -> Training:
    """Abort, as a failed check in C++ does."""
    del steps
    os.abort()


@scenario
def segfaults(steps: int) -> Training:
    """Read address 0."""
    ctypes.string_at(0)
    return healthy(steps)


@scenario
def kills_itself(steps: int) -> Training:
    """Die of SIGKILL, with no memory shortage near."""
    os.kill(os.getpid(), signal.SIGKILL)
    return healthy(steps)


@scenario
def kills_its_group(steps: int) -> Training:
    """End every process of its group, itself among them."""
    os.killpg(0, signal.SIGTERM)
    return healthy(steps)


@scenario
def overflows_the_stack(steps: int) -> Training:
    """Recurse in C until the stack is gone."""

    def deeper() -> None:
        through_c()

    through_c = ctypes.CFUNCTYPE(None)(deeper)
    sys.setrecursionlimit(1 << 30)
    deeper()
    return healthy(steps)


@scenario
def raises_bad_alloc(steps: int) -> Training:
    """Allocate in C++ until it throws, under a limit of its own that leaves 256 MiB."""
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + (256 << 20),) * 2)
    new = ctypes.CDLL("libstdc++.so.6")._Znwm
    new.argtypes, new.restype = [ctypes.c_size_t], ctypes.c_void_p
    for _ in range(1 << 20):
        new(1 << 20)
    return healthy(steps)


@scenario
def hangs(steps: int, *, pid_file: str = "", detached: bool = False) -> Training:
    """Ignore every signal that can be ignored and sleep, beside another that does so too."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    Path(pid_file).write_text(f"{os.getpid()} {fork_sleeper(detached=detached)}")
    time.sleep(FOREVER_S)
    return healthy(steps)


@scenario
def hangs_in_c(steps: int) -> Training:
    """Sleep in C and hold Python's lock meanwhile, so that no Python handler can run."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    ctypes.PyDLL(None).sleep(FOREVER_S)
    return healthy(steps)


@scenario
def spins(steps: int) -> Training:
    """Compute without end."""
    while True:
        pass
    return healthy(steps)


@scenario
def stops_itself(steps: int) -> Training:
    """Stop, as if by Ctrl-Z."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return healthy(steps)


@scenario
def stops_the_server(steps: int) -> Training:
    """Stop the process that forked it, and hang."""
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(FOREVER_S)
    return healthy(steps)


@scenario
def leaves_a_process(steps: int, *, pid_file: str = "", detached: bool = False) -> Training:
    """Leave a process behind."""
    Path(pid_file).write_text(str(fork_sleeper(detached=detached)))
    return healthy(steps)


@scenario
def leaves_a_daemon(steps: int, *, pid_file: str = "") -> Training:
    """Leave the child of a dead child behind, as daemons are made, and die."""
    fork_daemon(Path(pid_file))
    os._exit(steps)


@scenario
def needs_a_daemon(steps: int, *, pid_file: str = "", seconds: float = 0.0) -> Training:
    """Use the child of a dead child for some time."""
    daemon = fork_daemon(Path(pid_file))
    time.sleep(seconds)
    if os.waitpid(daemon, os.WNOHANG) != (0, 0):
        raise RuntimeError("the daemon has been killed")
    return healthy(steps)


@scenario
def leaves_a_thread(steps: int) -> Training:
    """Leave a thread behind that never ends and is no daemon."""
    threading.Thread(target=time.sleep, args=(FOREVER_S,)).start()
    return healthy(steps)


@scenario
def raises_memory_error(steps: int) -> Training:
    """Ask Python for more than there can be."""
    return healthy(steps + len(bytearray(1 << 62)))


@scenario
def recurses(steps: int) -> Training:
    """Recurse in Python."""
    return recurses(steps + 1)


@scenario
def raises_an_interrupt(steps: int) -> Training:
    """Raise what Ctrl-C would raise."""
    del steps
    raise KeyboardInterrupt


@scenario
def calls_sys_exit(steps: int) -> Training:
    """Leave with an exit code, as a script would."""
    sys.exit(steps)


@scenario
def returns_text(steps: int) -> Training:
    """Return what is no training."""
    return f"{steps} steps"  # type: ignore[return-value]


@scenario
def kills_the_server(steps: int, *, pid_file: str = "") -> Training:
    """Kill the process that forked it, with another in a session of its own."""
    Path(pid_file).write_text(f"{os.getpid()} {fork_sleeper(detached=True)}")
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(FOREVER_S)
    return healthy(steps)


class UnspeakableError(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError


@scenario
def raises_the_unspeakable(steps: int) -> Training:
    """Raise an error whose message cannot be read."""
    del steps
    raise UnspeakableError
