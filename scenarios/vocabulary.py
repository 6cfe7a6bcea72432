"""A language model over a large vocabulary: the softmax over all words, and over a sample."""

from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, make_cell

tf1 = tf.compat.v1


@scenario(tags=("remedies", "vocabulary", "loop"))
def full_softmax(
    steps: int, *, batch: int = 8, units: int = 64, vocabulary: int = 8192, cell: Cell = "lstm"
) -> Training:
    """Each step's output is scored against every word."""
    words, following = _words(batch, steps), _words(batch, steps)
    hidden, kernel, bias = _model(words, units, vocabulary, cell)
    logits = tf.matmul(hidden, kernel, transpose_b=True) + bias
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(following, [-1]), logits=logits
    )
    return _training(words, following, vocabulary, losses)


@scenario(tags=("remedies", "vocabulary", "loop", "approximate"))
def sampled_softmax(
    steps: int,
    *,
    batch: int = 8,
    units: int = 64,
    vocabulary: int = 8192,
    sampled: int = 256,
    cell: Cell = "lstm",
) -> Training:
    """Each step's output is scored against a random sample, so gradients are estimates."""
    words, following = _words(batch, steps), _words(batch, steps)
    hidden, kernel, bias = _model(words, units, vocabulary, cell)
    losses = tf.nn.sampled_softmax_loss(
        weights=kernel,
        biases=bias,
        labels=tf.reshape(following, [-1, 1]),
        inputs=hidden,
        num_sampled=sampled,
        num_classes=vocabulary,
        seed=0,
    )
    return _training(words, following, vocabulary, losses)


def _words(batch: int, steps: int) -> Any:
    return tf1.placeholder(tf.int32, [batch, steps])


def _model(words: Any, units: int, vocabulary: int, cell: Cell) -> tuple[Any, Any, Any]:
    """Return every step's output, one below the other, and the weights of the softmax."""
    embedding = tf1.get_variable("embedding", [vocabulary, units])
    kernel = tf1.get_variable("softmax_kernel", [vocabulary, units])
    bias = tf1.get_variable("softmax_bias", [vocabulary], initializer=tf.zeros)
    embedded = tf.nn.embedding_lookup(embedding, words)
    outputs, _ = tf1.nn.dynamic_rnn(make_cell(cell, units), embedded, dtype=tf.float32)
    return tf.reshape(outputs, [-1, units]), kernel, bias


def _training(words: Any, following: Any, vocabulary: int, losses: Any) -> Training:
    """Return the training on a text of random words, each of which predicts the next one."""
    batch, steps = (int(size) for size in words.shape)
    text = np.random.default_rng(0).integers(vocabulary, size=(batch, steps + 1), dtype=np.int32)
    return Training(
        feeds={words: text[:, :-1], following: text[:, 1:]}, loss=tf.reduce_mean(losses)
    )
