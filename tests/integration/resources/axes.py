"""Scenarios that sweep something else than steps, with parameters of every kind."""

from __future__ import annotations

import enum

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
INPUTS = 32


class Activation(enum.Enum):
    """What a layer ends with."""

    TANH = "tanh"
    RELU = "relu"


def _dense(x: tf.Tensor, width: int, name: str) -> tf.Tensor:
    return tf.matmul(x, tf1.get_variable(name, [x.shape[1], width]))


@scenario
def wide(
    units: int,
    *,
    batch: int = 8,
    layers: tuple[int, ...] = (16,),
    activation: Activation = Activation.TANH,
    clip: float | None = None,
) -> Training:
    """Build a first layer that is wider and wider."""
    x = tf1.placeholder(tf.float32, [batch, INPUTS])
    out = x
    for number, width in enumerate((units, *layers)):
        out = getattr(tf.nn, activation.value)(_dense(out, width, f"layer_{number}"))
    loss = tf.reduce_mean(tf.square(out))
    return Training(
        feeds={x: np.ones((batch, INPUTS), np.float32)},
        loss=loss if clip is None else tf.minimum(loss, clip),
    )


@scenario
def stack(layers: int, *, batch: int = 8) -> Training:
    """Build equal layers one after the other."""
    out = x = tf1.placeholder(tf.float32, [batch, INPUTS])
    for number in range(layers):
        out = tf.tanh(_dense(out, INPUTS, f"layer_{number}"))
    return Training(
        feeds={x: np.ones((batch, INPUTS), np.float32)}, loss=tf.reduce_mean(tf.square(out))
    )
