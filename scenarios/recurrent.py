"""A recurrent network written out by hand, so that each step can be run in any way."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from scenarios.cells import Cell

tf1 = tf.compat.v1

State = tuple[Any, ...]


class Network:
    """Layers of one kind of cell: their weights, and one time step.

    Attributes:
        weights: the variables, layer by layer; ``step`` takes them, or tensors in their place.
    """

    def __init__(self, cell: Cell, *, layers: int, inputs: int, units: int) -> None:
        """Make the weights."""
        self._cell, self._layers, self._units = cell, layers, units
        widths = {"basic": [1], "lstm": [4], "gru": [2, 1]}[cell]
        self.weights: list[Any] = []
        for layer in range(layers):
            rows = (inputs if layer == 0 else units) + units
            for part, width in enumerate(widths):
                name = f"layer_{layer}/part_{part}"
                self.weights += [
                    tf1.get_variable(f"{name}/kernel", [rows, width * units]),
                    tf1.get_variable(f"{name}/bias", [width * units], initializer=tf.zeros),
                ]

    def zero_state(self, batch: int, dtype: Any = tf.float32) -> State:
        """Return the state before the first step."""
        per_layer = 2 if self._cell == "lstm" else 1
        return (tf.zeros([batch, self._units], dtype),) * (self._layers * per_layer)

    def step(self, now: Any, state: State, weights: Sequence[Any] | None = None) -> State:
        """Return the state after one more input, ``[batch, inputs]``."""
        weights = self.weights if weights is None else weights
        after: list[Any] = []
        for layer in range(self._layers):
            old = _share(state, layer, self._layers)
            new = _STEPS[self._cell](now, old, _share(weights, layer, self._layers))
            after += new
            now = new[0]
        return tuple(after)

    def output(self, state: State) -> Any:
        """Return the last layer's output."""
        return _share(state, self._layers - 1, self._layers)[0]


def looped(
    step: Callable[[Any, State], State],
    x: Any,
    state: State,
    span: tuple[Any, Any],
    **options: Any,
) -> State:
    """Return the state after the steps from the first of ``span`` to before its second."""
    start, end = span
    _, state = tf.while_loop(
        lambda at, _: at < end,
        lambda at, state: (at + 1, step(x[at], state)),
        (start, state),
        **options,
    )
    return state


def collected(network: Network, x: Any, **options: Any) -> Any:
    """Return the outputs of all steps, read and written through TensorArrays in a while loop."""
    steps, batch, _ = (int(size) for size in x.shape)
    sequence = tf.TensorArray(tf.float32, steps).unstack(x)

    def body(step: Any, state: Any, outputs: Any) -> Any:
        state = network.step(sequence.read(step), state)
        return step + 1, state, outputs.write(step, network.output(state))

    _, _, outputs = tf.while_loop(
        lambda step, *_: step < steps,
        body,
        (0, network.zero_state(batch), tf.TensorArray(tf.float32, steps)),
        **options,
    )
    return outputs.stack()


def _share(items: Sequence[Any], layer: int, layers: int) -> Sequence[Any]:
    each = len(items) // layers
    return items[layer * each : (layer + 1) * each]


def _affine(left: Any, right: Any, kernel: Any, bias: Any) -> Any:
    return tf.nn.bias_add(tf.matmul(tf.concat([left, right], 1), kernel), bias)


def _basic(now: Any, state: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
    return [tf.tanh(_affine(now, state[0], *weights))]


def _lstm(now: Any, state: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
    h, c = state
    i, j, f, o = tf.split(_affine(now, h, *weights), 4, axis=1)
    c = c * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.tanh(j)
    return [tf.tanh(c) * tf.sigmoid(o), c]


def _gru(now: Any, state: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
    (h,) = state
    r, u = tf.split(tf.sigmoid(_affine(now, h, *weights[:2])), 2, axis=1)
    return [u * h + (1 - u) * tf.tanh(_affine(now, r * h, *weights[2:]))]


_STEPS = {"basic": _basic, "lstm": _lstm, "gru": _gru}
