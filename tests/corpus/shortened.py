"""Backprop through fewer steps, or through recomputed ones."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _series(*shape):
    return np.random.default_rng(13).standard_normal(shape).astype(np.float32)


@scenario
def truncated_by_stop(steps: int, *, batch: int = 8, units: int = 64, window: int = 10) -> Training:
    """Truncated BPTT: the state's gradient is stopped every ten steps."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])
    u = tf1.get_variable("u", [units, units])
    state = tf.zeros([batch, units])
    losses = []
    for step in range(steps):
        if step % window == 0:
            state = tf.stop_gradient(state)
        state = tf.tanh(tf.matmul(x[:, step], w) + tf.matmul(state, u))
        losses.append(tf.reduce_mean(tf.square(state)))
    return Training(feeds={x: _series(batch, steps, units)}, loss=tf.add_n(losses))


@scenario
def truncated_by_order(steps: int, *, batch: int = 8, units: int = 64, window: int = 8) -> Training:
    """Truncated BPTT: each window waits for the one before; its gradients are added up."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [2 * units, units])
    state = tf.zeros([batch, units])
    losses = []
    for start in range(0, steps, window):
        with tf.control_dependencies(losses[-1:]):
            state = tf.stop_gradient(tf.identity(state))
        for step in range(start, min(steps, start + window)):
            state = tf.tanh(tf.matmul(tf.concat([x[:, step], state], 1), w))
        losses.append(tf.reduce_mean(tf.square(state)))

    def in_order(_loss, variables):
        total = None
        for loss in losses:
            with tf.control_dependencies([] if total is None else [total]):
                (gradient,) = tf.gradients(loss, variables)
                total = tf.identity(gradient) if total is None else total + gradient
        return [total]

    return Training(
        feeds={x: _series(batch, steps, units)}, loss=tf.add_n(losses), gradients=in_order
    )


@scenario
def recomputed_in_loop(steps: int, *, batch: int = 16, units: int = 64) -> Training:
    """A while loop whose body is computed again during backprop."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    inputs = tf.TensorArray(tf.float32, steps).unstack(x)

    @tf.recompute_grad
    def cell(now, state, weights):
        hidden = tf.tanh(now + tf.matmul(state, weights))
        return tf.tanh(hidden + tf.sigmoid(tf.matmul(hidden, weights)))

    _, state = tf.while_loop(
        lambda step, _: step < steps,
        lambda step, state: (step + 1, cell(inputs.read(step), state, w)),
        [0, tf.zeros([batch, units])],
    )
    return Training(feeds={x: _series(steps, batch, units)}, loss=tf.reduce_mean(tf.square(state)))


@scenario
def recomputed_segments(
    steps: int, *, batch: int = 16, units: int = 64, segment: int = 8
) -> Training:
    """An unrolled network of which each segment of eight steps is computed again."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])

    @tf.recompute_grad
    def run(state, part, weights):
        for now in tf.unstack(part, axis=1):
            state = tf.tanh(now + tf.matmul(state, weights))
        return state

    state = tf.zeros([batch, units])
    for start in range(0, steps, segment):
        state = run(state, x[:, start : start + segment], w)
    return Training(feeds={x: _series(batch, steps, units)}, loss=tf.reduce_mean(tf.square(state)))


@scenario
def recomputed_whole(steps: int, *, batch: int = 16, units: int = 64) -> Training:
    """All steps together are computed again: this saves nothing."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    w = tf1.get_variable("w", [units, units])

    @tf.recompute_grad
    def everything(sequence, weights):
        state = tf.zeros([batch, units])
        for now in tf.unstack(sequence, axis=1):
            state = tf.sigmoid(now + tf.matmul(state, weights))
        return state

    return Training(
        feeds={x: _series(batch, steps, units)},
        loss=tf.reduce_mean(tf.square(everything(x, w))),
    )
