"""Graphs with an optimizer or an update of their own, as TensorFlow 1 code brings them."""

import numpy as np
import tensorflow as tf

from profiler import Inference, Training, scenario

tf1 = tf.compat.v1


def _frames(*shape):
    return np.random.default_rng(5).standard_normal(shape, np.float32)


@scenario
def clipped_adam_lstm(steps: int, *, batch: int = 12, units: int = 48) -> Training:
    """Two LSTM layers, gradients clipped together, Adam with a decaying rate: a whole update."""
    x = tf1.placeholder(tf.float32, [batch, steps, 20])
    y = tf1.placeholder(tf.float32, [batch, steps, 6])
    cells = [tf1.nn.rnn_cell.LSTMCell(units) for _ in range(2)]
    outputs, state = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.MultiRNNCell(cells), x, dtype=tf.float32)
    loss = tf.reduce_mean(tf.square(tf1.layers.dense(outputs, 6) - y))
    counter = tf1.train.get_or_create_global_step()
    rate = tf1.train.exponential_decay(1e-3, counter, 100, 0.9)
    variables = tf1.trainable_variables()
    gradients, _ = tf.clip_by_global_norm(tf1.gradients(loss, variables), 5.0)
    train = tf1.train.AdamOptimizer(rate).apply_gradients(
        zip(gradients, variables, strict=True), global_step=counter
    )
    feeds = {x: _frames(batch, steps, 20), y: _frames(batch, steps, 6)}
    return Training(feeds=feeds, loss=loss, update=train, fetches=[state])


@scenario
def momentum_from_iterator(steps: int, *, batch: int = 16, units: int = 40) -> Training:
    """Data from an iterator of the graph, a GRU unrolled, momentum."""
    data = tf1.data.make_initializable_iterator(
        tf1.data.Dataset.from_tensors(_frames(batch, steps, units)).repeat()
    )
    x = data.get_next()
    outputs, _ = tf1.nn.static_rnn(
        tf1.nn.rnn_cell.GRUCell(units), tf.unstack(x, axis=1), dtype=tf.float32
    )
    loss = tf.reduce_mean(tf.square(tf.stack(outputs, 1) - x))
    return Training(
        feeds={},
        loss=loss,
        optimizer=tf1.train.MomentumOptimizer(1e-2, 0.9),
        initialize=[data.initializer],
    )


@scenario
def scored_sentences(
    steps: int, *, batch: int = 8, units: int = 64, vocabulary: int = 200
) -> Inference:
    """The score of each sentence: no backward pass."""
    tokens = tf1.placeholder(tf.int32, [batch, steps])
    table = tf1.get_variable("table", [vocabulary, units])
    outputs, _ = tf1.nn.dynamic_rnn(
        tf1.nn.rnn_cell.BasicRNNCell(units), tf.nn.embedding_lookup(table, tokens), dtype=tf.float32
    )
    logits = tf1.layers.dense(outputs, vocabulary)
    scores = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tokens, logits=logits)
    drawn = np.random.default_rng(3).integers(0, vocabulary, (batch, steps), np.int32)
    return Inference(feeds={tokens: drawn}, outputs=tf.reduce_sum(scores, 1))
