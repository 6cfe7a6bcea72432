"""A file that starts TensorFlow's runtime when it is imported."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1

SCALE = tf.constant(0.5)
WIDTH = 1000


@scenario
def scaled(steps: int) -> Training:
    """A loss that is scaled by a constant of the module."""
    x = tf1.placeholder(tf.float32, [steps, WIDTH])
    w = tf1.get_variable("w", [WIDTH, 4])
    loss = float(SCALE.numpy()) * tf.reduce_mean(tf.square(tf.matmul(x, w)))
    return Training(feeds={x: np.ones((steps, WIDTH), np.float32)}, loss=loss)
