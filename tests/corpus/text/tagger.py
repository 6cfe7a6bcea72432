"""A tagger whose helper module is imported late, within the function."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def tagger(steps: int, *, batch: int = 24, tags: int = 12) -> Training:
    """Embedded tokens, an unrolled cell, a tag for each token."""
    from blocks import UNITS, encode

    tokens = tf1.placeholder(tf.int32, [batch, steps])
    cell = tf1.nn.rnn_cell.BasicRNNCell(UNITS)
    outputs, _ = tf1.nn.static_rnn(cell, tf.unstack(encode(tokens), axis=1), dtype=tf.float32)
    kernel = tf1.get_variable("kernel", [UNITS, tags])
    scores = [tf.matmul(output, kernel) for output in outputs]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tokens % tags, logits=tf.stack(scores, axis=1)
    )
    return Training(
        feeds={tokens: np.arange(batch * steps, dtype=np.int32).reshape(batch, steps) % 400},
        loss=tf.reduce_mean(losses),
    )
