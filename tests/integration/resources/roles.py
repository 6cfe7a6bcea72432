# ruff: noqa: ANN001, ANN002, ANN202 (as users write them)
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Small graphs whose roles are known in closed form."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1

B, U = 32, 64


def _data(*shape):
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def _unrolled(steps, change=lambda w: w):
    x = tf1.placeholder(tf.float32, [steps, B, U])
    w = tf1.get_variable("w", [U, U])
    state = tf.zeros([B, U])
    for now in tf.unstack(x):
        state = tf.tanh(now + tf.matmul(state, change(w)))
    return {x: _data(steps, B, U)}, tf.reduce_mean(tf.square(state))


def _by_norm(loss, variables):
    return tf.clip_by_global_norm(tf1.gradients(loss, variables), 1.0)[0]


def _by_value(loss, variables):
    return [tf.clip_by_value(one, -1.0, 1.0) for one in tf1.gradients(loss, variables)]


def _scaled(loss, variables):
    return [one / 128.0 for one in tf1.gradients(loss * 128.0, variables)]


@scenario
def updated(steps: int, *, way: str = "plain") -> Training:
    """One weight, unrolled; its gradient goes another way to the update."""
    change = (lambda w: tf.cast(tf.cast(w, tf.float64), tf.float32)) if way == "cast" else None
    feeds, loss = _unrolled(steps, change or (lambda w: w))
    ways = {"norm": _by_norm, "value": _by_value, "scale": _scaled}
    return Training(feeds=feeds, loss=loss, gradients=ways.get(way))


@scenario
def minimized(steps: int, *, tied: bool = False) -> Training:
    """The same, trained by the author's own optimizer."""
    feeds, loss = _unrolled(steps)
    train = tf1.train.GradientDescentOptimizer(1e-4).minimize(loss)
    if tied:
        with tf.control_dependencies([train]):
            loss = tf.identity(loss)
    return Training(feeds=feeds, loss=loss)


@scenario
def hidden(steps: int) -> Training:
    """Trained within a function."""
    x = tf1.placeholder(tf.float32, [steps, B, U])
    w = tf.Variable(tf.zeros([U, U]), name="w")

    @tf.function
    def train(given):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(given[0], w)))
        w.assign_sub(tape.gradient(loss, w))
        return loss

    return Training(feeds={x: _data(steps, B, U)}, loss=train(x))


@scenario
def tanh_chain(steps: int, *, width: int = 64) -> Training:
    """Backward runs in place on what forward kept."""
    x = tf1.placeholder(tf.float32, [B, width])
    y = x * tf1.get_variable("gain", [width], initializer=tf1.ones_initializer())
    for _ in range(steps):
        y = tf.tanh(y)
    return Training(feeds={x: _data(B, width)}, loss=tf.reduce_sum(y))


@scenario
def frozen(steps: int) -> Training:
    """A frozen variable of random numbers, and one that the loss does not depend on."""
    x = tf1.placeholder(tf.float32, [B, 512])
    fixed = tf.Variable(tf.random.normal([512, 512], seed=1) * 0.1, trainable=False)
    tf1.get_variable("unused", [8])
    w = tf1.get_variable("w", [512, 4])
    y = x
    for _ in range(steps):
        y = tf.tanh(tf.matmul(y, fixed))
    return Training(feeds={x: _data(B, 512)}, loss=tf.reduce_mean(tf.matmul(y, w)))


@scenario
def convolved(steps: int) -> Training:
    """Convolutions: their kernels unfold their input in scratch memory."""
    x = tf1.placeholder(tf.float32, [8, 32, 32, 4])
    y = x
    for step in range(steps):
        y = tf.nn.relu(tf.nn.conv2d(y, tf1.get_variable(f"k{step}", [3, 3, 4, 4]), 1, "SAME"))
    return Training(feeds={x: _data(8, 32, 32, 4)}, loss=tf.reduce_mean(tf.square(y)))


@scenario
def in_function(steps: int) -> Training:
    """A loop in a tf.function, which the runtime does not inline."""
    x = tf1.placeholder(tf.float32, [B, U])
    w = tf.Variable(tf.random.normal([U, U], seed=1) * 0.1, name="w")

    @tf.function
    def run(state):
        for _ in tf.range(steps):
            state = tf.tanh(tf.matmul(state, w))
        return state

    return Training(feeds={x: _data(B, U)}, loss=tf.reduce_mean(tf.square(run(x))))


@scenario
def version_1_loop(steps: int) -> Training:
    """A while loop of control flow version 1."""
    tf1.disable_control_flow_v2()
    x = tf1.placeholder(tf.float32, [B, steps, U])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.BasicRNNCell(U), x, dtype=tf.float32)
    return Training(feeds={x: _data(B, steps, U)}, loss=tf.reduce_mean(tf.square(outputs)))
