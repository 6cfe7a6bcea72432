"""Convolutions over time: no loop and no unrolling, a graph of one size at any length."""

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import normal

tf1 = tf.compat.v1


@scenario(tags=("contrast",))
def causal_convolutions(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 4,
    width: int = 3,
) -> Training:
    """A stack of dilated causal convolutions: layer by layer each output sees twice as far."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    hidden = x
    for layer in range(layers):
        kernel = tf1.get_variable(f"kernel_{layer}", [width, hidden.shape[2], units])
        reach = (width - 1) * 2**layer
        padded = tf.pad(hidden, [[0, 0], [reach, 0], [0, 0]])
        hidden = tf.nn.relu(tf.nn.convolution(padded, kernel, padding="VALID", dilations=2**layer))
    return Training(feeds={x: normal(batch, steps, inputs)}, loss=tf.reduce_mean(tf.square(hidden)))
