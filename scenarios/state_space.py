"""A linear recurrence, as in state-space layers: step by step, and all steps at once."""

from typing import Any

import tensorflow as tf

from profiler import Training, scenario
from scenarios.cells import normal

tf1 = tf.compat.v1


@scenario(tags=("contrast", "loop"))
def state_space_loop(steps: int, *, batch: int = 8, inputs: int = 64, units: int = 128) -> Training:
    """The state is scaled and added to, step by step (tf.scan)."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    decay, driven = _layer(x, units)
    states = tf.scan(
        lambda state, now: decay * state + now, driven, initializer=tf.zeros([batch, units])
    )
    return _training(x, states)


@scenario(tags=("contrast",), at_least=2)  # a single step reads no state before it
def state_space_doubling(
    steps: int, *, batch: int = 8, inputs: int = 64, units: int = 128
) -> Training:
    """The same in log2(T) rounds; in each one, every step sees twice as far back."""
    x = tf1.placeholder(tf.float32, [steps, batch, inputs])
    decay, states = _layer(x, units)
    reach = 1
    while reach < steps:
        states += decay * tf.pad(states[:-reach], [[reach, 0], [0, 0], [0, 0]])
        decay, reach = decay * decay, 2 * reach
    return _training(x, states)


def _layer(x: Any, units: int) -> tuple[Any, Any]:
    """Return how much of each state stays after a step, and what each step adds to it."""
    decay = tf.sigmoid(tf1.get_variable("decay", [units]))
    return decay, tf.tensordot(x, tf1.get_variable("into", [x.shape[2], units]), 1)


def _training(x: Any, states: Any) -> Training:
    """Return the training that pulls what is read from the states towards zero."""
    units = int(states.shape[2])
    read = tf.tensordot(states, tf1.get_variable("out_of", [units, units]), 1)
    return Training(feeds={x: normal(*x.shape)}, loss=tf.reduce_mean(tf.square(read)))
