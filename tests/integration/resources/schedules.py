"""Unrolled networks that need other amounts of memory where the order of operations is free.

Their operations take long against the wake-up of a thread: two run at once on a busy machine too.
"""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _unrolled(steps: int, batch: int, units: int, window: int | None) -> Training:
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])
    u = tf1.get_variable("u", [units, units])
    state = tf.zeros([batch, units])
    losses = []
    for step in range(steps):
        if window and step % window == 0:
            state = tf.stop_gradient(state)
        state = tf.tanh(tf.matmul(x[:, step], w) + tf.matmul(state, u))
        losses.append(tf.reduce_mean(tf.square(state)))
    return Training(feeds={x: np.ones((batch, steps, units), np.float32)}, loss=tf.add_n(losses))


@scenario
def whole(steps: int, *, batch: int = 32, units: int = 256) -> Training:
    """Backprop through all steps."""
    return _unrolled(steps, batch, units, None)


@scenario
def truncated(steps: int, *, batch: int = 32, units: int = 256, window: int = 8) -> Training:
    """Backprop through eight steps at a time: the gradient of the state is stopped."""
    return _unrolled(steps, batch, units, window)
