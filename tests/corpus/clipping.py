"""What engineers put between a gradient and its update."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _signal(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


def _by_norm(loss, variables):
    return [tf.clip_by_norm(one, 1.0) for one in tf.gradients(loss, variables)]


def _by_global_norm(loss, variables):
    clipped, _ = tf.clip_by_global_norm(tf.gradients(loss, variables), 5.0)
    return clipped


def _by_value(loss, variables):
    return [tf.clip_by_value(one, -0.1, 0.1) for one in tf.gradients(loss, variables)]


@scenario
def clipped_by_norm(steps: int, *, batch: int = 8, units: int = 96) -> Training:
    """An unrolled LSTM whose gradients are clipped one by one."""
    x = tf1.placeholder(tf.float32, [batch, steps, 24])
    cell = tf1.nn.rnn_cell.LSTMCell(units)
    outputs, _ = tf1.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)
    return Training(
        feeds={x: _signal(batch, steps, 24)},
        loss=tf.reduce_sum(tf.square(outputs[-1])),
        gradients=_by_norm,
    )


@scenario
def clipped_by_global_norm(steps: int, *, batch: int = 12, units: int = 64) -> Training:
    """Two looped GRU layers whose gradients share one norm."""
    x = tf1.placeholder(tf.float32, [batch, steps, 40])
    cells = tf1.nn.rnn_cell.MultiRNNCell([tf1.nn.rnn_cell.GRUCell(units) for _ in range(2)])
    outputs, _ = tf1.nn.dynamic_rnn(cells, x, dtype=tf.float32)
    return Training(
        feeds={x: _signal(batch, steps, 40)},
        loss=tf.reduce_mean(tf.abs(outputs)),
        gradients=_by_global_norm,
    )


@scenario
def clipped_by_value(steps: int, *, batch: int = 4, units: int = 80) -> Training:
    """An Elman network by hand, each gradient clipped to a range."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    u = tf1.get_variable("u", [units, units])
    state = tf.zeros([batch, units])
    for one in tf.unstack(x):
        state = tf.nn.relu(tf.matmul(one, w) + tf.matmul(state, u) * 0.1)
    return Training(
        feeds={x: _signal(steps, batch, units)},
        loss=tf.reduce_mean(state),
        gradients=_by_value,
    )


@scenario
def scaled_loss(steps: int, *, batch: int = 16, units: int = 64, scale: float = 128.0) -> Training:
    """The loss is scaled up before backprop and the gradients down after it."""
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    cell = tf1.nn.rnn_cell.BasicRNNCell(units)
    outputs, _ = tf1.nn.static_rnn(cell, tf.unstack(x, axis=1), dtype=tf.float32)

    def scaled(loss, variables):
        return [one / scale for one in tf.gradients(loss * scale, variables)]

    return Training(
        feeds={x: _signal(batch, steps, 32)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs))),
        gradients=scaled,
    )


@scenario
def adam_by_hand(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """Moments are kept in variables of one's own; Adam's direction goes into the update."""
    x = tf1.placeholder(tf.float32, [batch, steps, 48])
    cell = tf1.nn.rnn_cell.GRUCell(units)
    outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype=tf.float32)

    def adam(loss, variables):
        directions = []
        for one, gradient in zip(variables, tf.gradients(loss, variables), strict=True):
            zero = tf1.zeros_initializer()
            name = one.op.name
            m = tf1.get_variable(f"{name}/m", one.shape, initializer=zero, trainable=False)
            v = tf1.get_variable(f"{name}/v", one.shape, initializer=zero, trainable=False)
            first = m.assign(0.9 * m + 0.1 * gradient)
            second = v.assign(0.999 * v + 0.001 * tf.square(gradient))
            directions.append(first / (tf.sqrt(second) + 1e-7))
        return directions

    return Training(
        feeds={x: _signal(batch, steps, 48)},
        loss=tf.reduce_mean(tf.square(outputs - 0.5)),
        gradients=adam,
    )


@scenario
def accumulated(steps: int, *, batch: int = 24, units: int = 72) -> Training:
    """One micro-batch per step; each gradient is added to a variable before the next one."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    kernel = tf1.get_variable("kernel", [units, 4 * units])
    losses = [tf.reduce_mean(tf.square(tf.nn.elu(tf.matmul(one, kernel)))) for one in tf.unstack(x)]

    def summed(_loss, variables):
        (weights,) = variables
        total = tf1.get_variable(
            "total", weights.shape, initializer=tf1.zeros_initializer(), trainable=False
        )
        done = total.assign(tf.zeros_like(total))
        for one in losses:
            with tf.control_dependencies([done]):
                (gradient,) = tf.gradients(one, [weights])
                done = total.assign_add(gradient)
        return [done / len(losses)]

    return Training(
        feeds={x: _signal(steps, batch, units)}, loss=tf.add_n(losses) / steps, gradients=summed
    )
