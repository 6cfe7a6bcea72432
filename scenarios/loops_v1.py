"""While loops of control flow v1, as TensorFlow 1 built them; only these can swap to the host.

Control flow is a switch of the whole process: this file turns version 2 off when it is imported.
"""

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, half_to_full, make_cell, normal, towards_zero
from scenarios.recurrent import Network, collected

tf1 = tf.compat.v1
tf1.disable_control_flow_v2()

LOOP = ("loops", "loop", "v1")


@scenario(tags=(*LOOP, "remedies"))
def while_loop_v1(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    parallel_iterations: int = 10,
) -> Training:
    """A while loop by hand of Enter, Merge, Switch and NextIteration, with TensorArrays."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    return Training(
        **towards_zero(x, collected(network, x, parallel_iterations=parallel_iterations))
    )


@scenario(tags=(*LOOP, "remedies"))
def swapped_v1(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """What backward needs goes to host memory (swap_memory); on a CPU this changes nothing."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    return Training(**towards_zero(x, collected(network, x, swap_memory=True)))


@scenario(tags=(*LOOP, "remedies"))
def one_in_flight_v1(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """The loop may run no iterations at once (parallel_iterations=1)."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    return Training(**towards_zero(x, collected(network, x, parallel_iterations=1)))


@scenario(tags=LOOP)
def dynamic_rnn_v1(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "lstm"
) -> Training:
    """One library cell in a while loop of control flow v1 (tf.compat.v1.nn.dynamic_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    outputs, _ = tf1.nn.dynamic_rnn(make_cell(cell, units), x, dtype=tf.float32)
    return Training(
        feeds={x: normal(batch, steps, inputs)}, loss=tf.reduce_mean(tf.square(outputs))
    )


@scenario(tags=("loops", "unrolled", "lengths", "v1"), family="with_lengths")
def static_with_lengths_v1(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "lstm",
) -> Training:
    """Sequences of several lengths, a cell copy and a cond per step (static_rnn)."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    lengths = tf1.placeholder(tf.int32, [batch])
    outputs, _ = tf1.nn.static_rnn(
        make_cell(cell, units),
        tf.unstack(x, axis=1),
        sequence_length=lengths,
        dtype=tf.float32,
    )
    return Training(
        feeds={x: normal(batch, steps, inputs), lengths: half_to_full(batch, steps)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
    )
