"""A training step of TensorFlow 2 style: a tf.function as it stands, and its arguments."""

import numpy as np
import tensorflow as tf

from profiler import TrainStep, scenario


@scenario
def my_model(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> TrainStep:
    """One recurrent cell in a loop under a tape: put your own step here."""
    kernel = tf.Variable(tf.random.stateless_normal([inputs + units, units], [1, 2], stddev=0.1))

    @tf.function
    def train_step(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            state, loss = tf.zeros([batch, units]), 0.0
            for t in tf.range(steps):
                state = tf.tanh(tf.concat([x[t], state], 1) @ kernel)
                loss += tf.reduce_mean(tf.square(state))
        kernel.assign_sub(1e-3 * tape.gradient(loss, kernel))
        return loss

    return TrainStep(train_step, [np.ones((steps, batch, inputs), np.float32)])
