"""Keras under a mixed-precision policy: this file sets it when it is imported."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from profiler import Training, scenario

tf1 = tf.compat.v1
keras.mixed_precision.set_global_policy("mixed_float16")
tf_keras.mixed_precision.set_global_policy("mixed_float16")


@scenario
def mixed_lstm(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """A Keras 3 LSTM that computes in float16 with float32 weights."""
    x = tf1.placeholder(tf.float32, [batch, steps, 32])
    outputs = keras.layers.LSTM(units, return_sequences=True)(x)
    return Training(
        feeds={x: np.full((batch, steps, 32), 0.5, np.float32)},
        loss=tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32))),
    )


@scenario
def mixed_dense(steps: int, *, batch: int = 8, units: int = 96) -> Training:
    """The same two dense layers at every step, in float16."""
    x = tf1.placeholder(tf.float32, [batch, steps, 64])
    first = keras.layers.Dense(units, activation="relu")
    second = keras.layers.Dense(units)
    state = tf.zeros([batch, units], tf.float16)
    for step in range(steps):
        state = first(tf.concat([tf.cast(x[:, step], tf.float16), state], 1))
        state = second(state)
    return Training(
        feeds={x: np.full((batch, steps, 64), 0.1, np.float32)},
        loss=tf.reduce_mean(tf.square(tf.cast(state, tf.float32))),
    )
