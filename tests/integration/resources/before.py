"""A small chain, as it was before somebody made it worse (``worsened.py``)."""

from __future__ import annotations

import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def chain(steps: int, *, batch: int = 256, units: int = 64) -> Training:
    """One product with the same matrix and one tanh per step."""
    outputs = tf1.get_variable("start", [batch, units])
    # Otherwise gradients over a thousand steps explode, and by rounding the loss is one or none.
    orthogonal = tf1.orthogonal_initializer()
    weights = tf1.get_variable("weights", [units, units], initializer=orthogonal)
    for _ in range(steps):
        outputs = tf.tanh(outputs @ weights)
    return Training(feeds={}, loss=tf.nn.l2_loss(outputs) / (batch * units))
