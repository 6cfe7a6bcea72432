"""Stacks, both directions, sequences of several lengths, projections."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
rnn_cell = tf1.nn.rnn_cell


def _frames(batch, steps, inputs):
    return np.random.default_rng(5).normal(size=(batch, steps, inputs)).astype(np.float32)


def _lengths(batch, steps):
    return np.linspace(max(1, steps // 2), steps, batch).astype(np.int32)


@scenario
def eight_layers_unrolled(steps: int, *, batch: int = 8, units: int = 32) -> Training:
    """Eight unrolled layers of basic cells."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    stack = rnn_cell.MultiRNNCell([rnn_cell.BasicRNNCell(units) for _ in range(8)])
    outputs, _ = tf1.nn.static_rnn(stack, tf.unstack(x, axis=1), dtype=tf.float32)
    return Training(
        feeds={x: _frames(batch, steps, units)}, loss=tf.reduce_mean(tf.square(tf.stack(outputs)))
    )


@scenario
def eight_layers_residual(steps: int, *, batch: int = 6, units: int = 40) -> Training:
    """Eight LSTM layers with residual connections in one loop."""
    x = tf1.placeholder(tf.float32, [batch, steps, units])
    layers = [rnn_cell.ResidualWrapper(rnn_cell.LSTMCell(units)) for _ in range(8)]
    outputs, _ = tf1.nn.dynamic_rnn(rnn_cell.MultiRNNCell(layers), x, dtype=tf.float32)
    return Training(
        feeds={x: _frames(batch, steps, units)}, loss=tf.reduce_mean(tf.square(outputs))
    )


@scenario
def both_ways_unrolled(steps: int, *, batch: int = 10, units: int = 48) -> Training:
    """A bidirectional GRU, unrolled."""
    x = tf1.placeholder(tf.float32, [batch, steps, 20])
    outputs, _, _ = tf1.nn.static_bidirectional_rnn(
        rnn_cell.GRUCell(units), rnn_cell.GRUCell(units), tf.unstack(x, axis=1), dtype=tf.float32
    )
    return Training(
        feeds={x: _frames(batch, steps, 20)}, loss=tf.reduce_mean(tf.abs(tf.stack(outputs)))
    )


@scenario
def both_ways_looped(steps: int, *, batch: int = 10, units: int = 48) -> Training:
    """A bidirectional LSTM in two loops, sequences of several lengths."""
    x = tf1.placeholder(tf.float32, [batch, steps, 20])
    lengths = tf1.placeholder(tf.int32, [batch])
    outputs, _ = tf1.nn.bidirectional_dynamic_rnn(
        rnn_cell.LSTMCell(units),
        rnn_cell.LSTMCell(units),
        x,
        sequence_length=lengths,
        dtype=tf.float32,
    )
    return Training(
        feeds={x: _frames(batch, steps, 20), lengths: _lengths(batch, steps)},
        loss=tf.reduce_mean(tf.square(tf.concat(outputs, 2))),
    )


@scenario
def lengths_unrolled(steps: int, *, batch: int = 12, units: int = 64) -> Training:
    """static_rnn with sequence_length: a conditional per step."""
    x = tf1.placeholder(tf.float32, [batch, steps, 16])
    lengths = tf1.placeholder(tf.int32, [batch])
    outputs, _ = tf1.nn.static_rnn(
        rnn_cell.BasicRNNCell(units),
        tf.unstack(x, axis=1),
        sequence_length=lengths,
        dtype=tf.float32,
    )
    return Training(
        feeds={x: _frames(batch, steps, 16), lengths: _lengths(batch, steps)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, 1))),
    )


@scenario
def last_valid_output(steps: int, *, batch: int = 12, units: int = 64) -> Training:
    """dynamic_rnn with sequence_length; each sequence's last valid output is gathered."""
    x = tf1.placeholder(tf.float32, [batch, steps, 16])
    lengths = tf1.placeholder(tf.int32, [batch])
    outputs, _ = tf1.nn.dynamic_rnn(
        rnn_cell.GRUCell(units), x, sequence_length=lengths, dtype=tf.float32
    )
    index = tf.stack([tf.range(batch), lengths - 1], axis=1)
    last = tf.gather_nd(outputs, index)
    head = tf1.get_variable("head", [units, 5])
    return Training(
        feeds={x: _frames(batch, steps, 16), lengths: _lengths(batch, steps)},
        loss=tf.reduce_mean(tf.square(tf.matmul(last, head))),
    )


@scenario
def projected_lstm(
    steps: int, *, batch: int = 8, units: int = 96, projection: int = 24
) -> Training:
    """An LSTM with peepholes whose output is projected to fewer numbers."""
    x = tf1.placeholder(tf.float32, [steps, batch, 16])
    cell = rnn_cell.LSTMCell(units, num_proj=projection, use_peepholes=True)
    outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype=tf.float32, time_major=True)
    return Training(feeds={x: _frames(steps, batch, 16)}, loss=tf.reduce_mean(tf.square(outputs)))


@scenario
def bucket(steps: int, *, batch: int = 8, units: int = 48, bucket_size: int = 4) -> Training:
    """One unrolled graph per bucket of lengths, all with the same weights."""
    lengths = list(range(bucket_size, steps + 1, bucket_size)) or [steps]
    w = tf1.get_variable("w", [2 * units, units])
    feeds, losses = {}, []
    for length in lengths[-3:]:
        x = tf1.placeholder(tf.float32, [batch, length, units], name=f"bucket_{length}")
        state = tf.zeros([batch, units])
        for step in range(length):
            state = tf.tanh(tf.matmul(tf.concat([x[:, step], state], 1), w))
        feeds[x] = _frames(batch, length, units)
        losses.append(tf.reduce_mean(tf.square(state)))
    return Training(feeds=feeds, loss=tf.add_n(losses))
