"""Attention over the time steps: memory that grows with their square."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _embedded(*shape):
    return np.random.default_rng(11).standard_normal(shape).astype(np.float32)


def _weights(name, *shape):
    return tf1.get_variable(name, shape, initializer=tf1.glorot_uniform_initializer())


@scenario
def one_head(steps: int, *, batch: int = 2, width: int = 32) -> Training:
    """Single-head self-attention over all steps."""
    x = tf1.placeholder(tf.float32, [batch, steps, width])
    query, key, value = (
        tf.tensordot(x, _weights(name, width, width), 1) for name in ("query", "key", "value")
    )
    scores = tf.matmul(query, key, transpose_b=True) / width**0.5
    mixed = tf.matmul(tf.nn.softmax(scores), value)
    return Training(
        feeds={x: _embedded(batch, steps, width)}, loss=tf.reduce_mean(tf.square(mixed))
    )


@scenario
def causal_heads(steps: int, *, batch: int = 2, heads: int = 4, width: int = 32) -> Training:
    """Four heads, each step sees only those before it."""
    x = tf1.placeholder(tf.float32, [batch, steps, width])
    depth = width // heads

    def split(tensor):
        return tf.transpose(tf.reshape(tensor, [batch, steps, heads, depth]), [0, 2, 1, 3])

    joint = tf.tensordot(x, _weights("joint", width, 3 * width), 1)
    query, key, value = (split(one) for one in tf.split(joint, 3, axis=-1))
    scores = tf.einsum("bhqd,bhkd->bhqk", query, key) * depth**-0.5
    visible = tf.linalg.band_part(tf.ones([steps, steps]), -1, 0)
    scores += (1.0 - visible) * -1e9
    mixed = tf.einsum("bhqk,bhkd->bqhd", tf.nn.softmax(scores), value)
    out = tf.tensordot(tf.reshape(mixed, [batch, steps, width]), _weights("out", width, width), 1)
    return Training(feeds={x: _embedded(batch, steps, width)}, loss=tf.reduce_mean(tf.square(out)))


@scenario
def transformer_block(steps: int, *, batch: int = 2, width: int = 32, heads: int = 2) -> Training:
    """A post-norm encoder block with GELU; layer norm by hand."""
    x = tf1.placeholder(tf.float32, [batch, steps, width])

    def norm(tensor, name):
        mean, variance = tf.nn.moments(tensor, axes=[-1], keepdims=True)
        gain = tf1.get_variable(name, [width], initializer=tf1.ones_initializer())
        return tf.nn.batch_normalization(tensor, mean, variance, None, gain, 1e-6)

    depth = width // heads
    parts = []
    for head in range(heads):
        q, k, v = (tf.tensordot(x, _weights(f"{name}_{head}", width, depth), 1) for name in "qkv")
        share = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / depth**0.5)
        parts.append(tf.matmul(share, v))
    hidden = norm(x + tf.tensordot(tf.concat(parts, -1), _weights("o", width, width), 1), "n1")
    wide = tf.nn.gelu(tf.tensordot(hidden, _weights("up", width, 4 * width), 1))
    hidden = norm(hidden + tf.tensordot(wide, _weights("down", 4 * width, width), 1), "n2")
    return Training(feeds={x: _embedded(batch, steps, width)}, loss=tf.reduce_mean(tf.abs(hidden)))


@scenario(multiple_of=2)
def attention_decoder(
    steps: int, *, batch: int = 4, memory: int = 30, units: int = 48, reduction: int = 2
) -> Training:
    """A decoder loop that attends to an encoder and emits two frames per turn (Tacotron)."""
    assert steps % reduction == 0, f"steps must be a multiple of {reduction}"
    encoded = tf1.placeholder(tf.float32, [batch, memory, units])
    frames = tf1.placeholder(tf.float32, [batch, steps, 20])
    grouped = tf.reshape(frames, [batch, steps // reduction, 20 * reduction])
    turns = tf.TensorArray(tf.float32, steps // reduction).unstack(tf.transpose(grouped, [1, 0, 2]))
    cell = tf1.nn.rnn_cell.GRUCell(units)
    score = _weights("score", units, units)
    emit = _weights("emit", 2 * units, 20 * reduction)

    def body(turn, state, context, emitted):
        state, _ = cell(tf.concat([turns.read(turn), context], 1), state)
        energy = tf.einsum("bu,uv,bmv->bm", state, score, encoded)
        context = tf.einsum("bm,bmu->bu", tf.nn.softmax(energy), encoded)
        frame = tf.matmul(tf.concat([state, context], 1), emit)
        return turn + 1, state, context, emitted.write(turn, frame)

    zero = tf.zeros([batch, units])
    *_, emitted = tf.while_loop(
        lambda turn, *_: turn < steps // reduction,
        body,
        [0, zero, zero, tf.TensorArray(tf.float32, steps // reduction)],
    )
    error = tf.transpose(emitted.stack(), [1, 0, 2]) - grouped
    return Training(
        feeds={
            encoded: _embedded(batch, memory, units),
            frames: _embedded(batch, steps, 20),
        },
        loss=tf.reduce_mean(tf.square(error)),
    )


@scenario
def attentive_lstm(steps: int, *, batch: int = 4, units: int = 40) -> Training:
    """An LSTM's outputs are weighed by a learned query (pooling attention)."""
    x = tf1.placeholder(tf.float32, [batch, steps, 24])
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.LSTMCell(units), x, dtype=tf.float32)
    energy = tf.tensordot(tf.tanh(outputs), _weights("query", units, 1), 1)
    pooled = tf.reduce_sum(outputs * tf.nn.softmax(energy, axis=1), axis=1)
    return Training(feeds={x: _embedded(batch, steps, 24)}, loss=tf.reduce_mean(tf.square(pooled)))
