"""The chain of ``before.py``, made worse: a gate per step, of which backprop keeps more tensors."""

from __future__ import annotations

import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def chain(steps: int, *, batch: int = 256, units: int = 64) -> Training:
    """One product with the same matrix, one tanh and one gate per step."""
    outputs = tf1.get_variable("start", [batch, units])
    # Otherwise gradients over a thousand steps explode, and by rounding the loss is one or none.
    orthogonal = tf1.orthogonal_initializer()
    weights = tf1.get_variable("weights", [units, units], initializer=orthogonal)
    for _ in range(steps):
        outputs = tf.tanh(outputs @ weights)
        outputs *= tf.sigmoid(outputs)
    return Training(feeds={}, loss=tf.nn.l2_loss(outputs) / (batch * units))
