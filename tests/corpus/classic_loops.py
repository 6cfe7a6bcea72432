"""While loops of TensorFlow 1: this file turns control flow v2 off when it is imported."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
tf1.disable_control_flow_v2()


@scenario
def classic_dynamic_rnn(steps: int, *, batch: int = 12, units: int = 64) -> Training:
    """A dynamic_rnn of control flow v1: Enter, Merge, Switch, NextIteration, stacks."""
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.LSTMCell(units), x, dtype=tf.float32)
    return Training(
        feeds={x: np.zeros((batch, steps, 32), np.float32)}, loss=tf.reduce_mean(tf.square(outputs))
    )


@scenario
def classic_while(
    steps: int, *, batch: int = 8, units: int = 96, parallel_iterations: int = 10
) -> Training:
    """A while loop by hand under control flow v1, with a TensorArray of outputs."""
    x = tf1.placeholder(tf.float32, [steps, batch, units])
    w = tf1.get_variable("w", [units, units])
    inputs = tf.TensorArray(tf.float32, steps).unstack(x)

    def body(step, state, outputs):
        state = tf.sigmoid(inputs.read(step) + tf.matmul(state, w))
        return step + 1, state, outputs.write(step, state)

    _, _, outputs = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (0, tf.zeros([batch, units]), tf.TensorArray(tf.float32, steps)),
        parallel_iterations=parallel_iterations,
    )
    return Training(
        feeds={x: np.ones((steps, batch, units), np.float32)},
        loss=tf.reduce_mean(tf.square(outputs.stack())),
    )
