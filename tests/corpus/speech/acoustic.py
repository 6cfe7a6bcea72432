"""An acoustic model with a helper module beside it, which another file's folder has, too."""

import numpy as np
import tensorflow as tf
from blocks import UNITS, encode

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def acoustic_model(steps: int, *, batch: int = 4, features: int = 40) -> Training:
    """Spliced frames, then a GRU as wide as the helper module says."""
    x = tf1.placeholder(tf.float32, [batch, steps, features])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.GRUCell(UNITS), encode(x), dtype=tf.float32)
    return Training(
        feeds={x: np.ones((batch, steps, features), np.float32)},
        loss=tf.reduce_mean(tf.square(outputs)),
    )
