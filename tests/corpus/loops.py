"""Loops without a library's cell."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _noise(*shape):
    return np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)


@scenario
def gru_by_hand(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """The GRU's equations in tf.while_loop; inputs sliced, outputs in a TensorArray."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    gates = tf1.get_variable("gates", [2 * units, 2 * units])
    candidate = tf1.get_variable("candidate", [2 * units, units])

    def body(step, h, outputs):
        now = x[:, step]
        r, z = tf.split(tf.sigmoid(tf.matmul(tf.concat([now, h], 1), gates)), 2, axis=1)
        c = tf.tanh(tf.matmul(tf.concat([now, r * h], 1), candidate))
        h = z * h + (1 - z) * c
        return step + 1, h, outputs.write(step, h)

    _, _, outputs = tf.while_loop(
        lambda step, _h, _o: step < steps,
        body,
        [0, tf.zeros([batch, units]), tf.TensorArray(tf.float32, steps)],
    )
    return Training(
        feeds={x: _noise(batch, steps, units)}, loss=tf.reduce_mean(tf.square(outputs.stack()))
    )


@scenario
def folded(steps: int, *, batch: int = 16, units: int = 96) -> Training:
    """tf.foldl: only the last state comes out."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    last = tf.foldl(
        lambda h, now: tf.tanh(now + tf.matmul(h, w)), x, initializer=tf.zeros([batch, units])
    )
    return Training(feeds={x: _noise(steps, batch, units)}, loss=tf.reduce_mean(tf.square(last)))


@scenario
def scanned(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """tf.scan over two states, one of which is a running mean."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    b = tf1.get_variable("b", [units])

    def one(states, now):
        h, mean = states
        h = tf.nn.softsign(now + tf.matmul(h, w) + b)
        return h, 0.9 * mean + 0.1 * h

    h, mean = tf.scan(one, x, (tf.zeros([batch, units]), tf.zeros([batch, units])))
    return Training(
        feeds={x: _noise(steps, batch, units)}, loss=tf.reduce_mean(tf.square(h - mean))
    )


@scenario
def tensor_arrays(steps: int, *, batch: int = 16, units: int = 48) -> Training:
    """TensorArrays written and read in a Python loop, as in a hand-written decoder."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [2 * units, units])
    inputs = tf.TensorArray(tf.float32, steps).unstack(x)
    states = tf.TensorArray(tf.float32, steps, clear_after_read=False)
    state = tf.zeros([batch, units])
    for step in range(steps):
        state = tf.tanh(tf.matmul(tf.concat([inputs.read(step), state], 1), w))
        states = states.write(step, state)
    return Training(
        feeds={x: _noise(steps, batch, units)}, loss=tf.reduce_mean(tf.square(states.stack()))
    )


@scenario
def python_loop_in_function(steps: int, *, batch: int = 16, units: int = 64) -> Training:
    """A Python loop inside a tf.function: the copies lie in the function library."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])

    @tf.function
    def network(sequence, weights):
        state = tf.zeros([batch, units])
        for step in range(steps):
            state = tf.tanh(sequence[:, step] + tf.matmul(state, weights))
        return state

    return Training(
        feeds={x: _noise(batch, steps, units)}, loss=tf.reduce_mean(tf.square(network(x, w)))
    )


@scenario
def function_per_step(steps: int, *, batch: int = 12, units: int = 56) -> Training:
    """The cell is a tf.function of the user's, called once per step."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])
    u = tf1.get_variable("u", [units, units])

    @tf.function
    def cell(now, state, first, second):
        return tf.nn.selu(tf.matmul(now, first) + tf.matmul(state, second) * 0.2)

    state = tf.zeros([batch, units])
    for now in tf.unstack(x, axis=1):
        state = cell(now, state, w, u)
    return Training(feeds={x: _noise(batch, steps, units)}, loss=tf.reduce_mean(state))


@scenario
def autograph_loop(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """A tf.range loop that AutoGraph turns into a while loop."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])

    @tf.function
    def network(sequence, weights):
        state = tf.zeros([batch, units])
        total = 0.0
        for step in tf.range(steps):
            state = tf.tanh(sequence[step] + tf.matmul(state, weights))
            total += tf.reduce_mean(tf.square(state))
        return total

    return Training(feeds={x: _noise(steps, batch, units)}, loss=network(x, w))
