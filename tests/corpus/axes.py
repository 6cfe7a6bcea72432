"""What grows is not always time, and not every length may be run."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def growing_width(steps: int, *, batch: int = 16, length: int = 6) -> Training:
    """A short unrolled network of growing width: ``steps`` is the number of units."""
    x = tf1.placeholder(tf.float32, [length, batch, steps])
    w = tf1.get_variable("w", [2 * steps, steps])
    state = tf.zeros([batch, steps])
    for now in tf.unstack(x):
        state = tf.tanh(tf.matmul(tf.concat([now, state], 1), w))
    return Training(
        feeds={x: np.full((length, batch, steps), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(state)),
    )


@scenario
def growing_batch(steps: int, *, length: int = 20, units: int = 48) -> Training:
    """A loop of fixed length over a growing batch: ``steps`` is the number of samples."""
    x = tf1.placeholder(tf.float32, [steps, length, 24])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.GRUCell(units), x, dtype=tf.float32)
    return Training(
        feeds={x: np.full((steps, length, 24), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(outputs)),
    )


@scenario(multiple_of=20)
def blocks_of_twenty(steps: int, *, batch: int = 8, units: int = 64, block: int = 20) -> Training:
    """Truncated windows of exactly twenty steps, stacked as one batch."""
    assert steps % block == 0, f"steps must be a multiple of {block}, not {steps}"
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    windows = tf.reshape(x, [batch * (steps // block), block, 32])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.BasicRNNCell(units), windows, dtype=tf.float32)
    return Training(
        feeds={x: np.full((batch, steps, 32), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(outputs)),
    )


@scenario(multiple_of=4, at_least=8)
def pyramid(steps: int, *, batch: int = 8, units: int = 32) -> Training:
    """A pyramidal network: each of two layers halves the length. Needs 8 steps at least."""
    if steps < 8 or steps % 4:
        raise ValueError(f"a pyramid needs 8, 12, 16, ... steps, not {steps}")
    x = tf1.placeholder(tf.float32, [batch, steps, 16])
    hidden, width, length = x, 16, steps
    for layer in range(3):
        cell = tf1.nn.rnn_cell.LSTMCell(units, name=f"layer_{layer}")
        hidden, _ = tf1.nn.dynamic_rnn(cell, hidden, dtype=tf.float32, scope=f"rnn_{layer}")
        width = units
        if layer < 2:
            length //= 2
            hidden = tf.reshape(hidden, [batch, length, 2 * width])
    return Training(
        feeds={x: np.full((batch, steps, 16), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(hidden)),
    )


@scenario
def odd_lengths_fail(steps: int, *, batch: int = 24, units: int = 64) -> Training:
    """Reads the sequence from both ends at once; an odd length has a middle and raises."""
    if steps % 2:
        raise ValueError("an odd number of steps has no two halves")
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])
    state = tf.zeros([batch, units])
    for step in range(steps // 2):
        both = x[:, step] * x[:, steps - 1 - step]
        state = tf.tanh(both + tf.matmul(state, w))
    return Training(
        feeds={x: np.full((batch, steps, units), 0.5, np.float32)},
        loss=tf.reduce_mean(tf.square(state)),
    )
