"""Floats of other sizes."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def half_precision(steps: int, *, batch: int = 16, units: int = 64) -> Training:
    """float16 cells with float32 weights: each use of a weight is a cast."""
    x = tf1.placeholder(tf.float16, [batch, steps, units])
    w = tf1.get_variable("w", [2 * units, units])
    state = tf.zeros([batch, units], tf.float16)
    for now in tf.unstack(x, axis=1):
        state = tf.tanh(tf.matmul(tf.concat([now, state], 1), tf.cast(w, tf.float16)))
    return Training(
        feeds={x: np.full((batch, steps, units), 0.1, np.float16)},
        loss=tf.reduce_mean(tf.square(tf.cast(state, tf.float32))),
    )


@scenario
def brain_floats(steps: int, *, batch: int = 16, units: int = 64) -> Training:
    """bfloat16 in a loop, weights included."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units], tf.bfloat16)
    narrow = tf.cast(x, tf.bfloat16)
    _, outputs = tf.while_loop(
        lambda step, *_: step < steps,
        lambda step, y: (step + 1, tf.tanh(narrow[step] + tf.matmul(y, w))),
        [0, tf.zeros([batch, units], tf.bfloat16)],
    )
    return Training(
        feeds={x: np.full((steps, batch, units), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32))),
    )


@scenario
def double_precision(steps: int, *, batch: int = 8, units: int = 48) -> Training:
    """A float64 LSTM of the library in a loop."""
    x = tf1.placeholder(tf.float64, [batch, steps, 16])
    cell = tf1.nn.rnn_cell.LSTMCell(units, dtype=tf.float64)
    outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype=tf.float64)
    return Training(
        feeds={x: np.full((batch, steps, 16), 0.1)}, loss=tf.reduce_mean(tf.square(outputs))
    )
