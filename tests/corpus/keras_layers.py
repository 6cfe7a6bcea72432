"""Layers of Keras 3 and of the older Keras, called inside a graph."""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def keras_lstm(steps: int, *, batch: int = 8, units: int = 64, features: int = 32) -> Training:
    """A Keras 3 LSTM layer that loops."""
    x = tf1.placeholder(tf.float32, [batch, steps, features])
    outputs = keras.layers.LSTM(units, return_sequences=True)(x)
    return Training(
        feeds={x: np.ones((batch, steps, features), np.float32)},
        loss=tf.reduce_mean(tf.square(outputs)),
    )


@scenario
def keras_gru_unrolled(
    steps: int, *, batch: int = 8, units: int = 48, features: int = 32
) -> Training:
    """A Keras 3 GRU layer, unrolled, then a dense layer for each step."""
    x = tf1.placeholder(tf.float32, [batch, steps, features])
    outputs = keras.layers.GRU(units, unroll=True, return_sequences=True)(x)
    outputs = keras.layers.Dense(10)(outputs)
    return Training(
        feeds={x: np.ones((batch, steps, features), np.float32)},
        loss=tf.reduce_mean(tf.square(outputs)),
    )


@scenario
def keras_two_layers(steps: int, *, batch: int = 24, units: int = 40) -> Training:
    """Two Keras 3 simple layers: the first unrolled, the second not."""
    x = tf1.placeholder(tf.float32, [batch, steps, 24])
    hidden = keras.layers.SimpleRNN(units, unroll=True, return_sequences=True)(x)
    last = keras.layers.SimpleRNN(units)(hidden)
    return Training(
        feeds={x: np.ones((batch, steps, 24), np.float32)}, loss=tf.reduce_sum(tf.square(last))
    )


@scenario
def old_keras_gru(steps: int, *, batch: int = 8, units: int = 64) -> Training:
    """A layer of tf_keras with a mask over a padded batch."""
    x = tf1.placeholder(tf.float32, [batch, steps, 24])
    mask = tf1.placeholder(tf.bool, [batch, steps])
    outputs = tf_keras.layers.GRU(units, return_sequences=True)(x, mask=mask)
    valid = np.arange(steps)[None, :] < np.linspace(max(1, steps // 3), steps, batch)[:, None]
    return Training(
        feeds={x: np.ones((batch, steps, 24), np.float32), mask: valid},
        loss=tf.reduce_mean(tf.square(outputs)),
    )
