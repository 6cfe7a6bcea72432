"""What moves the wall, but changes the gradients: the classifier of remedies, approximated."""

from typing import Literal

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, towards_zero
from scenarios.recurrent import Network, looped

tf1 = tf.compat.v1

LOOP = ("remedies", "loop", "approximate")


@scenario(tags=("remedies", "loop"))
def exact_loop(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """The plain twin of the others: the loop of last_output, gradients of the whole loss."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    state = looped(network.step, x, network.zero_state(batch), (0, steps))
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=LOOP)
def truncated(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    window: int = 32,
) -> Training:
    """Truncated backprop: gradients reach back a limited number of steps only: an approximation."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    cut = max(0, steps - window)
    state = looped(network.step, x, network.zero_state(batch), (0, cut))
    state = tf.nest.map_structure(tf.stop_gradient, state)
    state = looped(network.step, x, state, (cut, steps))
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=LOOP)
def mixed_precision(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    dtype: Literal["bfloat16", "float16"] = "bfloat16",
) -> Training:
    """The loop computes in 16 bits, the weights and their update stay in 32."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    weights = [tf.cast(one, dtype) for one in network.weights]
    narrow = tf.cast(x, dtype)
    state = looped(
        lambda now, state: network.step(now, state, weights),
        narrow,
        network.zero_state(batch, tf.as_dtype(dtype)),
        (0, steps),
    )
    return Training(**towards_zero(x, tf.cast(network.output(state), tf.float32)))
