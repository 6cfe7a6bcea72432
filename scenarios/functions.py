"""Training steps of TensorFlow 2: a ``tf.function`` with a tape, its loop written in each way."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import TrainStep, scenario

Cell = Callable[[Any, Any], Any]
Forward = Callable[[Any, Any, Cell], Any]


@scenario(tags=("functions", "unrolled"))
def function_python_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, jit_compile: bool = False
) -> TrainStep:
    """A Python loop: tracing unrolls it."""

    def forward(x: Any, state: Any, cell: Cell) -> Any:
        for now in tf.unstack(x):
            state = cell(now, state)
        return state

    return _step(forward, (steps, batch, inputs), units, jit_compile=jit_compile)


@scenario(tags=("functions", "loop"))
def function_autograph_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, jit_compile: bool = False
) -> TrainStep:
    """A loop over tf.range: AutoGraph makes a while loop of it."""

    def forward(x: Any, state: Any, cell: Cell) -> Any:
        for step in tf.range(steps):
            state = cell(x[step], state)
        return state

    return _step(forward, (steps, batch, inputs), units, jit_compile=jit_compile)


@scenario(tags=("functions", "loop"))
def function_scan(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, jit_compile: bool = False
) -> TrainStep:
    """Keeps the state of every step, but uses only the last one (tf.scan)."""

    def forward(x: Any, state: Any, cell: Cell) -> Any:
        return tf.scan(lambda state, now: cell(now, state), x, state)[-1]

    return _step(forward, (steps, batch, inputs), units, jit_compile=jit_compile)


def _step(
    forward: Forward, shape: tuple[int, int, int], units: int, *, jit_compile: bool
) -> TrainStep:
    _, batch, inputs = shape
    numbers = np.random.default_rng(0)
    x = numbers.standard_normal(shape, np.float32)
    first = numbers.standard_normal((inputs + units, units), np.float32) / units
    kernel = tf.Variable(first, name="kernel")
    bias = tf.Variable(tf.zeros([units]), name="bias")
    weights = (kernel, bias)

    def cell(now: Any, state: Any) -> Any:
        return tf.tanh(tf.matmul(tf.concat([now, state], 1), kernel) + bias)

    @tf.function(jit_compile=jit_compile)  # type: ignore[untyped-decorator]
    def train_step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward(x, tf.zeros([batch, units]), cell)))
        for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(1e-3 * gradient)
        return loss

    return TrainStep(train_step, (x,))
