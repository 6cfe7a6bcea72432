"""The library's recurrent cells by short name, with what goes in and comes out of them."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

tf1 = tf.compat.v1

Cell = Literal["basic", "lstm", "gru"]

_CLASSES: dict[Cell, str] = {"basic": "BasicRNNCell", "lstm": "LSTMCell", "gru": "GRUCell"}


def make_cell(cell: Cell, units: int) -> Any:
    """Return a new library cell of ``units`` neurons."""
    return getattr(tf1.nn.rnn_cell, _CLASSES[cell])(units)


def last_output(state: Any) -> Any:
    """Return the output that belongs to a final state: the state itself, or an LSTM's ``h``."""
    return getattr(state, "h", state)


def normal(*shape: int) -> npt.NDArray[np.float32]:
    """Return the same standard normal numbers for the same shape, every time."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def half_to_full(batch: int, steps: int) -> npt.NDArray[np.int32]:
    """Return the lengths of a batch of sequences: from half of the steps to all of them."""
    return np.linspace(max(1, steps // 2), steps, batch).astype(np.int32)


def towards_zero(x: Any, outputs: Any) -> dict[str, Any]:
    """Return what a training takes that pulls ``outputs`` towards zero, fed with ``x``."""
    return {"feeds": {x: normal(*x.shape)}, "loss": tf.reduce_mean(tf.square(outputs))}
