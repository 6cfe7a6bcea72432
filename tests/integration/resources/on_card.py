"""Steps for a card: one that grows, and one that leaves its process without work for a while."""

import time
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
# Longer than a process may wait before it is taken for one that waits for memory.
KERNEL_S = 1.2


def _loss(steps: int, batch: int) -> tuple[dict[Any, Any], Any]:
    x = tf1.placeholder(tf.float32, [batch, steps])
    w = tf1.get_variable("w", [steps, 256])
    return {x: np.ones((batch, steps), np.float32)}, tf.reduce_mean(tf.square(x @ w))


def _kernel() -> Any:
    time.sleep(KERNEL_S)
    return np.float32(0)


@scenario
def growing(steps: int, *, batch: int = 4) -> Training:
    """A product, as wide as it is long."""
    feeds, loss = _loss(steps, batch)
    return Training(feeds=feeds, loss=loss)


@scenario
def waiting(steps: int) -> Training:
    """The same, after a kernel that takes long and needs no processor."""
    feeds, loss = _loss(steps, 4)
    slept = tf1.py_func(_kernel, [], tf.float32)
    slept.set_shape([])
    return Training(feeds=feeds, loss=loss + tf.stop_gradient(slept))
