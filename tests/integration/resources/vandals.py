"""Scenarios that spoil what lies around them: output, result, folder, descriptors."""

import ctypes
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def healthy(steps: int) -> Training:
    """Return a small training."""
    x = tf1.placeholder(tf.float32, [steps, 3])
    w = tf1.get_variable("w", [3, 4])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
    return Training(feeds={x: np.ones((steps, 3), np.float32)}, loss=loss)


def job_folder() -> Path:
    """Return the folder of this child's job, which a scenario has no business to know."""
    return Path("/proc/self/fd/1").readlink().parent


@scenario
def chatters(steps: int) -> Training:
    """Print 100 MB to stdout and stderr, and fail."""
    for stream in (sys.stdout, sys.stderr):
        for _ in range(50):
            stream.write("rubbish\n" * (1_000_000 // 8))
    raise ValueError(steps)


@scenario
def moves_away(steps: int, *, folder: str = "/") -> Training:
    """Change the working directory."""
    os.chdir(folder)
    return healthy(steps)


@scenario
def leaves_a_result(steps: int, *, text: str = "") -> Training:
    """Write a result of its own and leave before anyone can correct it."""
    (job_folder() / "result.json").write_text(text)
    os._exit(steps)


@scenario
def leaves_a_pipe(steps: int) -> Training:
    """Put pipes that nobody writes to in place of its result and its output."""
    for name in ("result.json", "output.log"):
        path = job_folder() / name
        path.unlink()
        os.mkfifo(path)
    os._exit(steps)


@scenario
def blocks_its_result(steps: int) -> Training:
    """Put a folder in the place of its result."""
    path = job_folder() / "result.json"
    path.unlink()
    path.mkdir()
    return healthy(steps)


@scenario
def removes_its_folder(steps: int) -> Training:
    """Remove its job's folder."""
    shutil.rmtree(job_folder())
    return healthy(steps)


@scenario
def removes_all_folders(steps: int) -> Training:
    """Remove the folders of all jobs."""
    shutil.rmtree(job_folder().parent)
    return healthy(steps)


@scenario
def fills_the_disk(steps: int) -> Training:
    """Write into its job's folder until there is no room."""
    with (job_folder() / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    return healthy(steps)


@scenario
def closes_everything(steps: int) -> Training:
    """Close every file descriptor."""
    os.closerange(0, 1 << 16)
    return healthy(steps)


@scenario
def scribbles_everywhere(steps: int) -> Training:
    """Write garbage to every file descriptor that it inherited, and hang up every socket."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        try:
            os.write(descriptor, b"garbage\n" * 8)
            ctypes.CDLL(None).shutdown(descriptor, 2)
        except OSError:
            continue
    return healthy(steps)
