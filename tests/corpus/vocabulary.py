"""Language models: embeddings in, a softmax over the vocabulary out."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _tokens(vocabulary, *shape):
    return np.random.default_rng(1).integers(0, vocabulary, shape).astype(np.int32)


@scenario
def word_lm(
    steps: int, *, batch: int = 8, vocabulary: int = 500, width: int = 32, units: int = 64
) -> Training:
    """A GRU language model; next words as sparse targets."""
    words = tf1.placeholder(tf.int32, [batch, steps])
    following = tf1.placeholder(tf.int32, [batch, steps])
    table = tf1.get_variable("table", [vocabulary, width])
    cell = tf1.nn.rnn_cell.GRUCell(units)
    outputs, _ = tf1.nn.dynamic_rnn(cell, tf.nn.embedding_lookup(table, words), dtype=tf.float32)
    kernel = tf1.get_variable("softmax_w", [units, vocabulary])
    bias = tf1.get_variable("softmax_b", [vocabulary], initializer=tf1.zeros_initializer())
    flat = tf.reshape(outputs, [-1, units])
    logits = tf.matmul(flat, kernel) + bias
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(following, [-1]), logits=logits
    )
    return Training(
        feeds={
            words: _tokens(vocabulary, batch, steps),
            following: _tokens(vocabulary, batch, steps),
        },
        loss=tf.reduce_mean(losses),
    )


@scenario
def char_lm_one_hot(
    steps: int, *, batch: int = 16, alphabet: int = 96, units: int = 64
) -> Training:
    """Characters in and out as one-hot vectors, one cell copy and one softmax per step."""
    chars = tf1.placeholder(tf.float32, [steps, batch, alphabet])
    targets = tf1.placeholder(tf.float32, [steps, batch, alphabet])
    cell = tf1.nn.rnn_cell.LSTMCell(units)
    outputs, _ = tf1.nn.static_rnn(cell, tf.unstack(chars), dtype=tf.float32)
    kernel = tf1.get_variable("out", [units, alphabet])
    total = 0.0
    for output, target in zip(outputs, tf.unstack(targets), strict=True):
        total += tf.reduce_mean(
            tf1.nn.softmax_cross_entropy_with_logits_v2(
                labels=target, logits=tf.matmul(output, kernel)
            )
        )
    eye = np.eye(alphabet, dtype=np.float32)
    return Training(
        feeds={
            chars: eye[_tokens(alphabet, steps, batch)],
            targets: eye[_tokens(alphabet, steps, batch)],
        },
        loss=total / steps,
    )


@scenario
def sampled_softmax_lm(
    steps: int, *, batch: int = 8, vocabulary: int = 2000, width: int = 48, sampled: int = 64
) -> Training:
    """A large vocabulary, of which a step samples a few words for its softmax."""
    words = tf1.placeholder(tf.int32, [batch, steps])
    following = tf1.placeholder(tf.int64, [batch, steps])
    table = tf1.get_variable("table", [vocabulary, width])
    out = tf1.get_variable("out", [vocabulary, width])
    bias = tf1.get_variable("bias", [vocabulary])
    cell = tf1.nn.rnn_cell.BasicRNNCell(width)
    outputs, _ = tf1.nn.dynamic_rnn(cell, tf.gather(table, words), dtype=tf.float32)
    losses = tf.nn.sampled_softmax_loss(
        weights=out,
        biases=bias,
        labels=tf.reshape(following, [-1, 1]),
        inputs=tf.reshape(outputs, [-1, width]),
        num_sampled=sampled,
        num_classes=vocabulary,
        seed=3,
    )
    return Training(
        feeds={
            words: _tokens(vocabulary, batch, steps),
            following: _tokens(vocabulary, batch, steps).astype(np.int64),
        },
        loss=tf.reduce_mean(losses),
    )


@scenario
def tied_embedding(
    steps: int, *, batch: int = 8, vocabulary: int = 300, width: int = 64
) -> Training:
    """The table that words come from also scores the next word; unrolled by hand."""
    words = tf1.placeholder(tf.int32, [batch, steps + 1])
    table = tf1.get_variable("table", [vocabulary, width])
    recurrent = tf1.get_variable("recurrent", [width, width])
    state = tf.zeros([batch, width])
    losses = []
    for step in range(steps):
        seen = tf.nn.embedding_lookup(table, words[:, step])
        state = tf.tanh(seen + tf.matmul(state, recurrent))
        scores = tf.matmul(state, table, transpose_b=True)
        losses.append(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=words[:, step + 1], logits=scores)
        )
    return Training(
        feeds={words: _tokens(vocabulary, batch, steps + 1)},
        loss=tf.reduce_mean(tf.stack(losses)),
    )


@scenario
def bag_of_words(
    steps: int, *, documents: int = 16, vocabulary: int = 1000, width: int = 64
) -> Training:
    """The mean of a document's embeddings is classified: sparse gradients, no recurrence."""
    words = tf1.placeholder(tf.int32, [documents, steps])
    label = tf1.placeholder(tf.float32, [documents, 1])
    table = tf1.get_variable("table", [vocabulary, width])
    kernel = tf1.get_variable("kernel", [width, 1])
    mean = tf.reduce_mean(tf.nn.embedding_lookup(table, words), axis=1)
    logits = tf.matmul(mean, kernel)
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=logits))
    return Training(
        feeds={
            words: _tokens(vocabulary, documents, steps),
            label: np.ones((documents, 1), np.float32),
        },
        loss=loss,
    )
