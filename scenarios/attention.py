"""A Transformer block: every step is scored against every step, at once or in chunks."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import normal

tf1 = tf.compat.v1

Attend = Callable[[Any, Any, Any], Any]


@scenario(tags=("contrast", "attention"))
def transformer_block(
    steps: int, *, batch: int = 4, units: int = 64, heads: int = 4, layers: int = 1
) -> Training:
    """Attention over all pairs of steps, then two dense layers: memory grows with T²."""
    return _blocks(_attend, steps, batch=batch, units=units, heads=heads, layers=layers)


@scenario(tags=("contrast", "attention", "recomputed"))
def transformer_block_chunked(
    steps: int,
    *,
    batch: int = 4,
    units: int = 64,
    heads: int = 4,
    layers: int = 1,
    chunk: int = 32,
) -> Training:
    """The same, a chunk of queries at a time; backward recomputes its scores."""

    def attend(query: Any, key: Any, value: Any) -> Any:
        chunks = -(-steps // chunk)
        padding = [[0, 0], [0, 0], [0, chunks * chunk - steps], [0, 0]]
        depth = units // heads
        padded = tf.reshape(tf.pad(query, padding), [batch, heads, chunks, chunk, depth])
        again = tf.recompute_grad(_attend)
        mixed = tf.map_fn(
            lambda some: again(some, key, value),
            tf.transpose(padded, [2, 0, 1, 3, 4]),
            parallel_iterations=1,
        )
        mixed = tf.transpose(mixed, [1, 2, 0, 3, 4])
        return tf.reshape(mixed, [batch, heads, chunks * chunk, depth])[:, :, :steps]

    return _blocks(attend, steps, batch=batch, units=units, heads=heads, layers=layers)


def _attend(query: Any, key: Any, value: Any) -> Any:
    """Return the values, mixed for each query by how well the keys fit it."""
    scores = tf.matmul(query, key, transpose_b=True) * int(query.shape[-1]) ** -0.5
    return tf.matmul(tf.nn.softmax(scores), value)


def _blocks(
    attend: Attend, steps: int, *, batch: int, units: int, heads: int, layers: int
) -> Training:
    """Return the training of a stack of blocks, normalised before each of their two halves."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    hidden = x
    for layer in range(layers):
        with tf1.variable_scope(f"layer_{layer}"):
            joint = _dense(_normalised(hidden, "attention"), 3 * units, "joint")
            split = tf.reshape(joint, [batch, steps, 3, heads, units // heads])
            query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
            mixed = tf.transpose(attend(query, key, value), [0, 2, 1, 3])
            hidden += _dense(tf.reshape(mixed, [batch, steps, units]), units, "mixed")
            wide = tf.nn.gelu(_dense(_normalised(hidden, "dense"), 4 * units, "wide"))
            hidden += _dense(wide, units, "narrow")
    return Training(feeds={x: normal(batch, steps, units)}, loss=tf.reduce_mean(tf.square(hidden)))


def _dense(tensor: Any, units: int, name: str) -> Any:
    kernel = tf1.get_variable(f"{name}/kernel", [tensor.shape[-1], units])
    bias = tf1.get_variable(f"{name}/bias", [units], initializer=tf.zeros)
    return tf.tensordot(tensor, kernel, 1) + bias


def _normalised(tensor: Any, name: str) -> Any:
    mean, variance = tf.nn.moments(tensor, axes=[-1], keepdims=True)
    units = tensor.shape[-1]
    gain = tf1.get_variable(f"{name}/gain", [units], initializer=tf.ones)
    offset = tf1.get_variable(f"{name}/offset", [units], initializer=tf.zeros)
    return tf.nn.batch_normalization(tensor, mean, variance, offset, gain, 1e-6)
