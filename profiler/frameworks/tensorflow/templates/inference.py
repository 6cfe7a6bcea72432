"""A graph of TensorFlow 1 style that is only run forward: what to feed, and what comes out."""

import numpy as np
import tensorflow as tf

from profiler import Inference, scenario

tf1 = tf.compat.v1


@scenario
def my_model(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> Inference:
    """One recurrent cell in a while loop: put your own model here."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.BasicRNNCell(units), x, dtype=tf.float32)
    return Inference(feeds={x: np.zeros((batch, steps, inputs), np.float32)}, outputs=outputs)
