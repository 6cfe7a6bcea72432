"""Convolutions over a growing sequence or a growing picture."""

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def _picture(*shape):
    return np.random.default_rng(7).random(shape, np.float32)


@scenario
def conv_then_rnn(steps: int, *, batch: int = 4, channels: int = 16, units: int = 32) -> Training:
    """Two strided convolutions shorten the sequence, then an LSTM reads it."""
    x = tf1.placeholder(tf.float32, [batch, steps, 20])
    first = tf1.get_variable("first", [5, 20, channels])
    second = tf1.get_variable("second", [5, channels, channels])
    hidden = tf.nn.relu(tf.nn.conv1d(x, first, stride=1, padding="SAME"))
    hidden = tf.nn.relu(tf.nn.conv1d(hidden, second, stride=2, padding="SAME"))
    outputs, _ = tf1.nn.dynamic_rnn(tf1.nn.rnn_cell.LSTMCell(units), hidden, dtype=tf.float32)
    return Training(feeds={x: _picture(batch, steps, 20)}, loss=tf.reduce_mean(tf.square(outputs)))


@scenario
def conv_lstm(steps: int, *, batch: int = 2, side: int = 8, filters: int = 8) -> Training:
    """A ConvLSTM over small pictures, in a while loop."""
    x = tf1.placeholder(tf.float32, [steps, batch, side, side, 3])
    kernel = tf1.get_variable("kernel", [3, 3, 3 + filters, 4 * filters])

    def step(state, now):
        c, h = state
        pre = tf.nn.conv2d(tf.concat([now, h], 3), kernel, strides=1, padding="SAME")
        i, f, o, g = tf.split(pre, 4, axis=3)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        return c, tf.sigmoid(o) * tf.tanh(c)

    zero = tf.zeros([batch, side, side, filters])
    _, outputs = tf.scan(step, x, (zero, zero))
    return Training(
        feeds={x: _picture(steps, batch, side, side, 3)}, loss=tf.reduce_mean(tf.square(outputs))
    )


@scenario
def dilated_stack(steps: int, *, batch: int = 2, channels: int = 24, layers: int = 5) -> Training:
    """Causal convolutions of growing dilation with gates and skip connections (WaveNet)."""
    x = tf1.placeholder(tf.float32, [batch, steps, channels])
    hidden, skips = x, 0.0
    for layer in range(layers):
        dilation = 2**layer
        past = tf.pad(hidden, [[0, 0], [dilation, 0], [0, 0]])[:, :steps]
        pair = tf1.get_variable(f"pair_{layer}", [2 * channels, 2 * channels])
        mixed = tf.tensordot(tf.concat([past, hidden], 2), pair, 1)
        filtered, gate = tf.split(mixed, 2, axis=2)
        gated = tf.tanh(filtered) * tf.sigmoid(gate)
        one = tf1.get_variable(f"one_{layer}", [1, channels, channels])
        out = tf.nn.conv1d(gated, one, stride=1, padding="SAME")
        hidden, skips = hidden + out, skips + out
    return Training(
        feeds={x: _picture(batch, steps, channels)}, loss=tf.reduce_mean(tf.square(skips))
    )


@scenario
def picture_width(steps: int, *, batch: int = 2, height: int = 16, channels: int = 8) -> Training:
    """A picture of growing width: convolution, batch norm, pooling. ``steps`` is the width."""
    x = tf1.placeholder(tf.float32, [batch, height, steps, 3])
    kernel = tf1.get_variable("kernel", [3, 3, 3, channels])
    scale = tf1.get_variable("scale", [channels], initializer=tf1.ones_initializer())
    offset = tf1.get_variable("offset", [channels], initializer=tf1.zeros_initializer())
    hidden = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    hidden, _, _ = tf1.nn.fused_batch_norm(hidden, scale, offset, is_training=True)
    hidden = tf.nn.max_pool2d(tf.nn.relu(hidden), 2, 2, "SAME")
    return Training(
        feeds={x: _picture(batch, height, steps, 3)}, loss=tf.reduce_mean(tf.square(hidden))
    )


@scenario
def ctc(steps: int, *, batch: int = 4, features: int = 26, units: int = 48) -> Training:
    """Speech recognition: an LSTM, 29 labels per frame, the CTC loss over half as many letters."""
    x = tf1.placeholder(tf.float32, [steps, batch, features])
    letters = tf1.placeholder(tf.int32, [batch, max(1, steps // 4)])
    outputs, _ = tf1.nn.dynamic_rnn(
        tf1.nn.rnn_cell.LSTMCell(units), x, dtype=tf.float32, time_major=True
    )
    kernel = tf1.get_variable("kernel", [units, 29])
    logits = tf.reshape(tf.matmul(tf.reshape(outputs, [-1, units]), kernel), [steps, batch, 29])
    losses = tf.nn.ctc_loss(
        labels=letters,
        logits=logits,
        label_length=tf.fill([batch], max(1, steps // 4)),
        logit_length=tf.fill([batch], steps),
        blank_index=0,
    )
    spoken = np.random.default_rng(1).integers(1, 29, (batch, max(1, steps // 4)))
    return Training(
        feeds={x: _picture(steps, batch, features), letters: spoken.astype(np.int32)},
        loss=tf.reduce_mean(losses),
    )
