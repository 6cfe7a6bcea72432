"""What moves the wall: one classifier of long sequences, plain and with one remedy each.

All have the same weights, inputs and loss, the mean square of the last output. All but the first
keep the last output only, and take any other remedy on top of that.
"""

import math
from typing import Any, Literal

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, towards_zero
from scenarios.recurrent import Network, State, looped

tf1 = tf.compat.v1

LOOP = ("remedies", "loop")
UNROLLED = ("remedies", "unrolled")
RECOMPUTED = ("remedies", "loop", "recomputed")


@scenario(tags=LOOP)
def plain_loop(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """The plain twin: a while loop that collects every output, but uses only the last one."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)

    def body(step: Any, state: State, outputs: Any) -> Any:
        state = network.step(x[step], state)
        return step + 1, state, outputs.write(step, network.output(state))

    _, _, outputs = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (0, network.zero_state(batch), tf.TensorArray(tf.float32, steps)),
    )
    return Training(**towards_zero(x, outputs.stack()[-1]))


@scenario(tags=LOOP)
def last_output(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Outputs that are not used are not collected."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    state = looped(network.step, x, network.zero_state(batch), (0, steps))
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=LOOP)
def one_in_flight(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    parallel_iterations: int = 1,
) -> Training:
    """The loop may run no iterations at once (tf.while_loop(parallel_iterations=1))."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    start = network.zero_state(batch)
    state = looped(network.step, x, start, (0, steps), parallel_iterations=parallel_iterations)
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=LOOP, multiple_of=8)
def block_unrolled(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    block: Literal[2, 4, 8] = 8,
) -> Training:
    """Between a loop and an unrolled graph: the loop's body is a block of unrolled steps."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)

    def body(start: Any, state: State) -> Any:
        for offset in range(block):
            state = network.step(x[start + offset], state)
        return start + block, state

    _, state = tf.while_loop(lambda start, _: start < steps, body, (0, network.zero_state(batch)))
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=RECOMPUTED)
def recomputed_steps(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Backward recomputes each step of the loop (tf.recompute_grad); only states are kept."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    again = tf.recompute_grad(lambda now, *state: network.step(now, state))
    state = looped(
        lambda now, state: again(now, *state),
        x,
        network.zero_state(batch),
        (0, steps),
        parallel_iterations=1,
    )
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=RECOMPUTED)
def sqrt_segments(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """Backward recomputes segments of √T steps: states between them and one segment are kept."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    state = _segmented(network, x, batch, math.isqrt(steps - 1) + 1)
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=RECOMPUTED)
def fixed_segments(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
    segment: int = 8,
) -> Training:
    """Backward recomputes segments of a chosen length."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    return Training(**towards_zero(x, network.output(_segmented(network, x, batch, segment))))


@scenario(tags=UNROLLED)
def unrolled(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """One copy of the cell per step, whose weight gradients wait for one sum."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    state = network.zero_state(batch)
    for now in tf.unstack(x):
        state = network.step(now, state)
    return Training(**towards_zero(x, network.output(state)))


@scenario(tags=UNROLLED)
def unrolled_accumulated(
    steps: int,
    *,
    batch: int = 8,
    inputs: int = 64,
    units: int = 64,
    layers: int = 1,
    cell: Cell = "lstm",
) -> Training:
    """One copy of the cell per step, whose weight gradients are added up as backward goes."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    network = Network(cell, layers=layers, inputs=inputs, units=units)
    state, weights = network.zero_state(batch), [tf.convert_to_tensor(w) for w in network.weights]
    for now in tf.unstack(x):
        handed = _in_turn(*state, *weights)
        state, weights = handed[: len(state)], list(handed[len(state) :])
        state = network.step(now, state, weights)
    return Training(**towards_zero(x, network.output(state)))


def _segmented(network: Network, x: Any, batch: int, each: int) -> State:
    """Return the last state of a loop over segments that backward recomputes.

    With tf.while_loop's usual 10 parallel iterations, many segments would be recomputed at once.
    """
    steps = int(x.shape[0])

    def segment(start: Any, *state: Any) -> State:
        end = tf.minimum(start + each, steps)
        return looped(network.step, x, state, (start, end), parallel_iterations=1)

    again = tf.recompute_grad(segment)
    _, state = tf.while_loop(
        lambda start, _: start < steps,
        lambda start, state: (start + each, again(start, *state)),
        (0, network.zero_state(batch)),
        parallel_iterations=1,
    )
    return tuple(state)


def _hand_on(*tensors: Any) -> Any:
    """Pass on a state and weights; in backward, the state's gradient waits for the weights' sums.

    Without the wait the graph optimizer makes one sum of all, for which all have to wait.
    """

    def backward(*gradients: Any) -> list[Any]:
        with tf.control_dependencies(gradients):
            return [tf.identity(one) for one in gradients]

    return tuple(tf.identity(one) for one in tensors), backward


_in_turn = tf.custom_gradient(_hand_on)
