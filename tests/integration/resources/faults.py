"""Scenarios that die, hang or misbehave in every way that a child can."""

import ctypes
import os
import signal
import sys
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


def fork_sleeper() -> int:
    """Fork a process that ignores SIGTERM and sleeps, and return its id."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(FOREVER_S)
        os._exit(0)
    return pid


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
def hangs(steps: int, *, pid_file: str = "") -> Training:
    """Ignore SIGTERM and sleep, beside another process that does so too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(pid_file).write_text(f"{os.getpid()} {fork_sleeper()}")
    time.sleep(FOREVER_S)
    return healthy(steps)


@scenario
def leaves_a_process(steps: int, *, pid_file: str = "") -> Training:
    """Leave a process behind."""
    Path(pid_file).write_text(str(fork_sleeper()))
    return healthy(steps)


@scenario
def chatters(steps: int) -> Training:
    """Print 20 MB to stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        for _ in range(10):
            stream.write("rubbish\n" * (1_000_000 // 8))
    return healthy(steps)


@scenario
def moves_away(steps: int, *, folder: str = "/") -> Training:
    """Change the working directory."""
    os.chdir(folder)
    return healthy(steps)


@scenario
def kills_the_server(steps: int, *, pid_file: str = "") -> Training:
    """Kill the process that forked it."""
    Path(pid_file).write_text(str(os.getpid()))
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
