"""Scenarios that hold less, or that are said to: each beside what it is compared with."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import Cell, make_cell, normal

tf1 = tf.compat.v1

Method = Literal["EXPERIMENTAL_TREE", "EXPERIMENTAL_ACCUMULATE_N"]
Loss = Literal["mean", "l2", "fed", "target"]
How = Literal["kept", "recomputed", "merged"]

# Steps of a segment.
EVERY = 10


@scenario
def aggregated(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    method: Method = "EXPERIMENTAL_TREE",
) -> Training:
    """static_rnn, its partial gradients added up by one of tf.gradients' other methods."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    outputs, _ = tf1.nn.static_rnn(make_cell("basic", units), xs, dtype=tf.float32)
    chosen = getattr(tf1.AggregationMethod, method)
    return Training(
        feeds={x: normal(batch, steps, inputs)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
        gradients=lambda loss, variables: tf1.gradients(loss, variables, aggregation_method=chosen),
    )


def _hand_on(state: Any, kernel: Any) -> Any:
    """Hand on both; backwards, the state's gradient waits for the sum of the kernel's so far."""

    def backward(state_gradient: Any, kernel_gradient: Any) -> Any:
        with tf.control_dependencies([kernel_gradient]):
            return tf.identity(state_gradient), kernel_gradient

    return (tf.identity(state), tf.identity(kernel)), backward


_in_turn = tf.custom_gradient(_hand_on)


@scenario
def summed(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, in_turn: bool = True
) -> Training:
    """Cells unrolled by hand, the kernel's partial gradients added up in turn or at the end."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    variable = tf1.get_variable("kernel", [inputs + units, units])
    kernel, state = tf.convert_to_tensor(variable), tf.zeros([batch, units])
    outputs = []
    for now in tf.unstack(x, axis=1):
        if in_turn:
            state, kernel = _in_turn(state, kernel)
        state = tf.tanh(tf.matmul(tf.concat([now, state], 1), kernel))
        outputs.append(state)
    return Training(
        feeds={x: normal(batch, steps, inputs)},
        loss=tf.reduce_mean(tf.square(tf.stack(outputs, axis=1))),
    )


@scenario
def looped(  # noqa: PLR0913 (one keyword per thing that is said to help)
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "basic",
    loss: Loss = "mean",
    time_major: bool = False,
    swap_memory: bool = False,
) -> Training:
    """dynamic_rnn with its options, and with the same loss put in several ways."""
    shape = [steps, batch] if time_major else [batch, steps]
    x = tf1.placeholder(tf.float32, [*shape, inputs])
    outputs, _ = tf1.nn.dynamic_rnn(
        make_cell(cell, units),
        x,
        dtype=tf.float32,
        time_major=time_major,
        swap_memory=swap_memory,
    )
    count = batch * steps * units
    feeds: dict[Any, Any] = {x: normal(*shape, inputs)}
    if loss == "l2":
        value = tf.nn.l2_loss(outputs) * (2 / count)
    elif loss == "fed":
        scale = tf1.placeholder(tf.float32, [])
        feeds[scale] = np.float32(1 / count)
        value = scale * tf.reduce_sum(tf.square(outputs))
    elif loss == "target":
        target = tf1.placeholder(tf.float32, [*shape, units])
        feeds[target] = normal(*shape, units)
        value = tf.reduce_mean(tf.square(outputs - target))
    else:
        value = tf.reduce_mean(tf.square(outputs))
    return Training(feeds=feeds, loss=value)


@scenario
def segmented(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    how: How = "kept",
) -> Training:
    """static_rnn in segments that are gone back through one by one, as kept or run once more."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    segments = [xs[start : start + EVERY] for start in range(0, steps, EVERY)]
    cell = make_cell("basic", units)
    starts, ends = [], []
    state = cell.zero_state(batch, tf.float32)
    for segment in segments:
        starts.append(state)
        _, state = tf1.nn.static_rnn(cell, segment, initial_state=state)
        ends.append(state)

    def again(index: int, after: Any) -> tuple[Any, Any]:
        if how == "kept":
            return starts[index], ends[index]
        # What waits for nothing is the same as before, and the graph optimizer merges the two.
        with tf.control_dependencies([after] if how == "recomputed" else []):
            start = tf.identity(starts[index])
            _, end = tf1.nn.static_rnn(cell, segments[index], initial_state=start)
        return start, end

    def gradients(loss: Any, variables: Sequence[Any]) -> Sequence[Any]:
        (gradient,) = tf1.gradients(loss, [state], stop_gradients=[state])
        totals: list[Any] = []
        for index in reversed(range(len(segments))):
            with tf.control_dependencies(totals):
                gradient = tf.identity(gradient)
            start, end = again(index, gradient)
            *parts, gradient = tf1.gradients(
                end, [*variables, start], gradient, stop_gradients=[start]
            )
            totals = [a + b for a, b in zip(totals, parts, strict=True)] if totals else parts
        return totals

    return Training(
        feeds={x: normal(batch, steps, inputs)},
        loss=tf.reduce_mean(tf.square(state)),
        gradients=gradients,
    )


@scenario
def wrapped(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    recompute: bool = True,
) -> Training:
    """static_rnn in segments, each of them in tf.recompute_grad or not."""
    x = tf1.placeholder(tf.float32, [batch, steps, inputs])
    xs = tf.unstack(x, axis=1)
    cell = make_cell("basic", units)
    cell.build([batch, inputs])

    def run(state: Any, *segment: Any) -> Any:
        return tf1.nn.static_rnn(cell, segment, initial_state=state)[1]

    state = cell.zero_state(batch, tf.float32)
    for start in range(0, steps, EVERY):
        step = tf.recompute_grad(run) if recompute else run
        state = step(state, *xs[start : start + EVERY])
    return Training(feeds={x: normal(batch, steps, inputs)}, loss=tf.reduce_mean(tf.square(state)))
