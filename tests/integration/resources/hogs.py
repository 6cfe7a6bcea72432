"""Scenarios that take host memory in known amounts."""

import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1

MIB = 1 << 20


def healthy(steps: int) -> Training:
    """Return a small training."""
    x = tf1.placeholder(tf.float32, [steps, 3])
    w = tf1.get_variable("w", [3, 4])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w)))
    return Training(feeds={x: np.ones((steps, 3), np.float32)}, loss=loss)


@scenario
def holds(steps: int) -> Training:
    """Touch as many MiB as there are steps while it builds, and let them go."""
    block = np.ones(steps * MIB, np.uint8)
    del block
    return healthy(4)


@scenario
def grows(steps: int, *, mark: str = "") -> Training:
    """Take a MiB after another, a thousand a second, up to the steps; then wait at the mark."""
    blocks = []
    for _ in range(steps):
        blocks.append(np.ones(MIB, np.uint8))
        time.sleep(0.001)
    if mark:
        Path(mark).write_text("full")
        time.sleep(60)
    return healthy(4)
