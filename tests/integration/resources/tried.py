"""Scenarios whose remedies have a closed form, and some that have none."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
WIDTH = 256


def _training(steps: int, samples: int, copies: int) -> Training:
    x = tf1.placeholder(tf.float32, [samples, steps, WIDTH])
    scale = tf1.get_variable("scale", [], initializer=tf1.ones_initializer())
    # Backward needs each of the sines' inputs: none can be computed in place of another.
    kept = [tf.sin(x * (scale + float(number))) for number in range(copies)]
    loss = tf.add_n([tf.reduce_sum(one) for one in kept]) * 1e-6
    return Training(loss=loss, feeds={x: np.zeros((samples, steps, WIDTH), np.float32)})


@scenario
def copies(steps: int, *, samples: int = 8, lean: bool = False) -> Training:
    """Four tensors as large as what is fed, or a lean two; the batch has another name."""
    return _training(steps, samples, 2 if lean else 4)


@scenario
def unbatched(steps: int, *, batch: int = 8) -> Training:
    """A parameter of that name that nothing which is fed follows."""
    return _training(steps, 4, batch // 4)
