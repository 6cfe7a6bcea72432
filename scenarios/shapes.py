"""Shapes of sequence learning, each unrolled and as a loop; builds has an output for each input."""

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, last_output, make_cell, towards_zero

tf1 = tf.compat.v1
SEED = ("seed",)


@scenario(tags=SEED, family="seq_to_vec")
def seq_to_vec_static(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """Only the last output counts (a classifier), one cell copy per step."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    _, state = tf1.nn.static_rnn(make_cell(cell, units), xs, dtype=tf.float32)
    return Training(**towards_zero(x, last_output(state)))


@scenario(tags=SEED, family="seq_to_vec")
def seq_to_vec_dynamic(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """Only the last output counts (a classifier), one cell in a while loop."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    _, state = tf1.nn.dynamic_rnn(make_cell(cell, units), x, dtype=tf.float32)
    return Training(**towards_zero(x, last_output(state)))


@scenario(tags=SEED, family="vec_to_seq")
def vec_to_seq_static(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """An input at the first step only (a captioner), one cell copy per step."""
    x = tf1.placeholder(tf.float32, [batch, inputs])
    xs = [x] + [tf.zeros([batch, inputs])] * (steps - 1)
    outputs, _ = tf1.nn.static_rnn(make_cell(cell, units), xs, dtype=tf.float32)
    return Training(**towards_zero(x, tf.stack(outputs, axis=1)))


@scenario(tags=SEED, family="vec_to_seq")
def vec_to_seq_dynamic(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """An input at the first step only (a captioner), one cell in a while loop."""
    x = tf1.placeholder(tf.float32, [batch, inputs])
    xs = tf.pad(x[:, tf.newaxis], [[0, 0], [0, steps - 1], [0, 0]])
    outputs, _ = tf1.nn.dynamic_rnn(make_cell(cell, units), xs, dtype=tf.float32)
    return Training(**towards_zero(x, outputs))


@scenario(tags=SEED, family="delayed_seq_to_seq")
def delayed_seq_to_seq_static(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """An encoder, then a decoder (a translator), one cell copy per step of each."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    silence = [tf.zeros([batch, inputs])] * steps
    encoder, decoder = make_cell(cell, units), make_cell(cell, units)
    _, state = tf1.nn.static_rnn(encoder, xs, dtype=tf.float32, scope="encoder")
    outputs, _ = tf1.nn.static_rnn(decoder, silence, initial_state=state, scope="decoder")
    return Training(**towards_zero(x, tf.stack(outputs, axis=1)))


@scenario(tags=SEED, family="delayed_seq_to_seq")
def delayed_seq_to_seq_dynamic(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "basic"
) -> Training:
    """An encoder, then a decoder (a translator), one cell in a while loop for each."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    # tf.zeros would be one node or three, depending on the size.
    silence = tf.fill([batch, steps, inputs], 0.0)
    encoder, decoder = make_cell(cell, units), make_cell(cell, units)
    _, state = tf1.nn.dynamic_rnn(encoder, x, dtype=tf.float32, scope="encoder")
    outputs, _ = tf1.nn.dynamic_rnn(decoder, silence, initial_state=state, scope="decoder")
    return Training(**towards_zero(x, outputs))
