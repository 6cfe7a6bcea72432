"""Building blocks of the speech model: acoustic frames."""

import tensorflow as tf

tf1 = tf.compat.v1
UNITS = 96


def encode(x):
    """Return the frames, spliced with their neighbours and lifted."""
    left = tf.pad(x, [[0, 0], [1, 0], [0, 0]])[:, :-1]
    kernel = tf1.get_variable("splice", [2 * x.shape[-1], UNITS])
    return tf.nn.relu(tf.tensordot(tf.concat([left, x], 2), kernel, 1))
