"""Frozen weights, random ones, normalisation, regularisation, many losses."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _data(*shape):
    return np.random.default_rng(17).standard_normal(shape).astype(np.float32)


@scenario
def frozen_encoder(steps: int, *, batch: int = 4, units: int = 64) -> Training:
    """A pretrained encoder that is not trained, 2.4 MB of weights, and a small trained head."""
    x = tf1.placeholder(tf.float32, [batch, steps, 64])
    lift = tf1.get_variable("lift", [64, 600], trainable=False)
    mix = tf1.get_variable("mix", [600, 600], trainable=False)
    fixed = tf.nn.relu(tf.tensordot(tf.nn.relu(tf.tensordot(x, lift, 1)), mix, 1))
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.GRUCell(units), fixed, dtype=tf.float32)
    return Training(feeds={x: _data(batch, steps, 64)}, loss=tf.reduce_mean(tf.square(outputs)))


@scenario
def random_table(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """Large freshly initialised variables, of which every step reads a row."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    normal = tf1.random_normal_initializer(stddev=0.1, seed=1)
    positions = tf1.get_variable("positions", [2000, units], initializer=normal)
    w = tf1.get_variable("w", [units, units], initializer=tf1.orthogonal_initializer(seed=1))
    state = tf.zeros([batch, units])
    for step in range(steps):
        state = tf.tanh(x[:, step] + positions[step] + tf.matmul(state, w))
    return Training(feeds={x: _data(batch, steps, units)}, loss=tf.reduce_mean(tf.square(state)))


@scenario
def normed_steps(steps: int, *, batch: int = 48, units: int = 48) -> Training:
    """Batch norm of every step's output by its own mean and variance."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    gain = tf1.get_variable("gain", [units], initializer=tf1.ones_initializer())
    shift = tf1.get_variable("shift", [units], initializer=tf1.zeros_initializer())
    state = tf.zeros([batch, units])
    for now in tf.unstack(x):
        state = now + tf.matmul(state, w)
        mean, variance = tf.nn.moments(state, axes=[0])
        state = tf.tanh(tf.nn.batch_normalization(state, mean, variance, shift, gain, 1e-3))
    return Training(feeds={x: _data(steps, batch, units)}, loss=tf.reduce_mean(tf.square(state)))


@scenario
def weight_decay(steps: int, *, batch: int = 8, units: int = 128, decay: float = 1e-3) -> Training:
    """An unrolled network with an L2 term for each of its weights."""
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    cell = tf1.nn.rnn_cell.BasicRNNCell(units)
    outputs, _ = tf1.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
    penalty = tf.add_n([tf.nn.l2_loss(one) for one in tf1.trainable_variables()])
    return Training(
        feeds={x: _data(batch, steps, 32)},
        loss=tf.reduce_mean(tf.square(outputs[-1])) + decay * penalty,
    )


@scenario
def many_losses(steps: int, *, batch: int = 12, units: int = 48, vocabulary: int = 200) -> Training:
    """A wide output is projected at each step, and every step has two losses."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])
    wide = tf1.get_variable("wide", [units, vocabulary])
    state, total = tf.zeros([batch, units]), tf.constant(0.0)
    for step in range(steps):
        state = tf.tanh(x[:, step] + tf.matmul(state, w))
        projected = tf.matmul(state, wide)
        total += tf.reduce_mean(tf.reduce_logsumexp(projected, axis=1))
        total += 0.1 * tf.reduce_mean(tf.abs(state))
    return Training(feeds={x: _data(batch, steps, units)}, loss=total)


@scenario
def skip_connections(steps: int, *, batch: int = 8, units: int = 56, back: int = 4) -> Training:
    """Each state also sees the one four steps before it (a skip recurrent network)."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    near = tf1.get_variable("near", [units, units])
    far = tf1.get_variable("far", [units, units])
    states = [tf.zeros([batch, units])]
    for step in range(steps):
        earlier = states[max(0, len(states) - back)]
        states.append(tf.tanh(x[:, step] + tf.matmul(states[-1], near) + tf.matmul(earlier, far)))
    return Training(
        feeds={x: _data(batch, steps, units)}, loss=tf.reduce_mean(tf.square(tf.stack(states[1:])))
    )


@scenario
def tanh_chain(steps: int, *, batch: int = 64, width: int = 256) -> Training:
    """Elementwise operations only: backward runs in place on what forward kept."""
    x = tf1.placeholder(tf.float32, [batch, width])
    gain = tf1.get_variable("gain", [width], initializer=tf1.ones_initializer())
    y = x * gain
    for _ in range(steps):
        y = tf.tanh(y)
    return Training(feeds={x: _data(batch, width)}, loss=tf.reduce_sum(y))
