"""Recurrent layers over all outputs: loops by hand, stacks, both directions, several lengths."""

from typing import Any

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, half_to_full, make_cell, towards_zero
from scenarios.recurrent import Network, collected

tf1 = tf.compat.v1

LOOP = ("loops", "loop")
UNROLLED = ("loops", "unrolled")


@scenario(tags=LOOP)
def while_loop(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    cell: Cell = "basic",
) -> Training:
    """A while loop by hand that reads and writes TensorArrays (tf.while_loop)."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    return Training(**towards_zero(x, collected(network, x)))


@scenario(tags=LOOP)
def scan(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    cell: Cell = "basic",
) -> Training:
    """A scan, which stacks every part of the state, not only outputs (tf.scan)."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    states = tf.scan(
        lambda state, now: network.step(now, state), x, initializer=network.zero_state(batch)
    )
    return Training(**towards_zero(x, network.output(states)))


@scenario(tags=UNROLLED, family="stacked")
def stacked_static(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 2,
    cell: Cell = "lstm",
) -> Training:
    """A stack of cells, one copy of it per step (MultiRNNCell in static_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.static_rnn(
        _stack(cell, layers, units), tf.unstack(x, axis=1), dtype=tf.float32
    )
    return Training(**towards_zero(x, tf.stack(outputs, axis=1)))


@scenario(tags=LOOP, family="stacked")
def stacked_dynamic(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 2,
    cell: Cell = "lstm",
) -> Training:
    """A stack of cells in one while loop (MultiRNNCell in dynamic_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.dynamic_rnn(_stack(cell, layers, units), x, dtype=tf.float32)
    return Training(**towards_zero(x, outputs))


@scenario(tags=UNROLLED, family="bidirectional")
def bidirectional_static(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Both directions, a cell copy per step for each (static_bidirectional_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _, _ = tf1.nn.static_bidirectional_rnn(
        _stack(cell, layers, units),
        _stack(cell, layers, units),
        tf.unstack(x, axis=1),
        dtype=tf.float32,
    )
    return Training(**towards_zero(x, tf.stack(outputs, axis=1)))


@scenario(tags=LOOP, family="bidirectional")
def bidirectional_dynamic(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Both directions, a while loop for each (bidirectional_dynamic_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.bidirectional_dynamic_rnn(
        _stack(cell, layers, units), _stack(cell, layers, units), x, dtype=tf.float32
    )
    return Training(**towards_zero(x, tf.concat(outputs, axis=2)))


@scenario(tags=(*LOOP, "lengths"), family="with_lengths")
def dynamic_with_lengths(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Sequences of several lengths, the loop as long as the longest (dynamic_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    lengths = tf1.placeholder(tf.int32, [batch])
    outputs, _ = tf1.nn.dynamic_rnn(
        _stack(cell, layers, units), x, sequence_length=lengths, dtype=tf.float32
    )
    training = towards_zero(x, outputs)
    training["feeds"][lengths] = half_to_full(batch, steps)
    return Training(**training)


def _stack(cell: Cell, layers: int, units: int) -> Any:
    """Return one cell, or as many in a stack."""
    cells = [make_cell(cell, units) for _ in range(layers)]
    return cells[0] if layers == 1 else tf1.nn.rnn_cell.MultiRNNCell(cells)
