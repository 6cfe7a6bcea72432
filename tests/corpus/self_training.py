"""Graphs that already train themselves."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _batch(*shape):
    return np.random.default_rng(19).standard_normal(shape).astype(np.float32)


@scenario
def minimized(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """The author's own optimizer has been applied: the loss waits for its update."""
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.BasicRNNCell(units), x, dtype=tf.float32)
    loss = tf.reduce_mean(tf.square(outputs))
    train = tf1.train.GradientDescentOptimizer(1e-3).minimize(loss)
    with tf.control_dependencies([train]):
        done = tf.identity(loss)
    return Training(feeds={x: _batch(batch, steps, 32)}, loss=done)


@scenario
def taped(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """A tape, and the weights assigned by hand, as in a custom training step."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf.Variable(tf.random.stateless_normal([2 * units, units], [1, 2]) * 0.1)
    with tf.GradientTape() as tape:
        state = tf.zeros([batch, units])
        for step in range(steps):
            state = tf.tanh(tf.matmul(tf.concat([x[:, step], state], 1), w))
        loss = tf.reduce_mean(tf.square(state))
    with tf.control_dependencies([w.assign_sub(1e-3 * tape.gradient(loss, w))]):
        done = tf.identity(loss)
    return Training(feeds={x: _batch(batch, steps, units)}, loss=done)


@scenario
def adam_in_function(steps: int, *, batch: int = 20, units: int = 48) -> Training:
    """A training step that is a tf.function: tape, Adam's moments, assignments."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf.Variable(tf.random.stateless_normal([units, units], [1, 2]) * 0.1)
    m = tf.Variable(tf.zeros([units, units]), trainable=False)

    @tf.function
    def train_step(sequence):
        with tf.GradientTape() as tape:
            state = tf.zeros([batch, units])
            for step in range(steps):
                state = tf.tanh(sequence[:, step] + tf.matmul(state, w))
            loss = tf.reduce_mean(tf.square(state))
        m.assign(0.9 * m + 0.1 * tape.gradient(loss, w))
        w.assign_sub(1e-3 * m)
        return loss

    return Training(feeds={x: _batch(batch, steps, units)}, loss=train_step(x))
