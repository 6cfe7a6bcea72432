"""Scenarios that cannot be measured as a training step, and two that bring their own gradients."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def squares(steps: int) -> tuple[Any, dict[Any, Any]]:
    """Return the squares of a matrix product of ``steps`` rows, and what to feed."""
    x = tf1.placeholder(tf.float32, [steps, 3])
    w = tf1.get_variable("w", [3, 4])
    return tf.square(tf.matmul(x, w)), {x: np.ones((steps, 3), np.float32)}


@scenario
def no_variable(steps: int) -> Training:
    """Nothing to train."""
    x = tf1.placeholder(tf.float32, [steps])
    return Training(feeds={x: np.ones(steps, np.float32)}, loss=tf.reduce_sum(x))


@scenario
def unused_variable(steps: int) -> Training:
    """A variable that the loss does not depend on."""
    tf1.get_variable("forgotten", [2])
    output, feeds = squares(steps)
    return Training(feeds=feeds, loss=tf.reduce_mean(output))


@scenario
def not_a_number(steps: int) -> Training:
    """A loss that is NaN from the first step on."""
    output, feeds = squares(steps)
    return Training(feeds=feeds, loss=tf.reduce_mean(output) + float("nan"))


@scenario
def vector_loss(steps: int) -> Training:
    """A loss per row."""
    output, feeds = squares(steps)
    return Training(feeds=feeds, loss=tf.reduce_mean(output, axis=1))


@scenario
def returns_a_number(steps: int) -> Any:
    """No training at all."""
    return steps


@scenario
def raises(steps: int) -> Training:
    """A mistake of the scenario's own."""
    raise ValueError(f"no data for {steps} steps\nand a second line")


@scenario
def exits(steps: int) -> Training:
    """A script's habit."""
    sys.exit(steps)


@scenario
def wrong_feed(steps: int) -> Training:
    """An array of another shape than its placeholder."""
    output, feeds = squares(steps)
    return Training(
        feeds={x: array[:, :2] for x, array in feeds.items()}, loss=tf.reduce_mean(output)
    )


@scenario
def no_feed(steps: int) -> Training:
    """A placeholder that nothing is fed to."""
    output, _ = squares(steps)
    return Training(feeds={}, loss=tf.reduce_mean(output))


def _zeros(loss: Any, variables: Sequence[Any]) -> list[Any]:
    del loss
    return [tf.zeros_like(variable) for variable in variables]


@scenario
def zero_gradients(steps: int) -> Training:
    """Gradients of its own that need no backprop."""
    output, feeds = squares(steps)
    return Training(feeds=feeds, loss=tf.reduce_mean(output), gradients=_zeros)


@scenario
def too_few_gradients(steps: int) -> Training:
    """Gradients of its own for the first of two variables only."""
    output, feeds = squares(steps)
    loss = tf.reduce_mean(output) + tf.reduce_sum(tf1.get_variable("b", [2]))
    return Training(feeds=feeds, loss=loss, gradients=lambda y, x: tf1.gradients(y, x[:1]))


def _tree(loss: Any, variables: Sequence[Any]) -> Any:
    method = tf1.AggregationMethod.EXPERIMENTAL_TREE
    return tf1.gradients(loss, variables, aggregation_method=method)


@scenario
def tree_gradients(steps: int) -> Training:
    """Gradients of its own, aggregated in another way."""
    output, feeds = squares(steps)
    return Training(feeds=feeds, loss=tf.reduce_mean(output), gradients=_tree)
