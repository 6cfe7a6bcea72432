"""Chains of ``steps`` tanh over tensors of 1 MiB, whose peak can be counted by hand.

A chain starts at the only variable; its loss is half the squared length of its last tensor, so
that the first gradient is that tensor itself and no constant of that size is made.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
SHAPE = (512, 512)


def _chain(start: Any, links: int, *, mirrored: bool) -> list[Any]:
    """Return ``start`` and the tensors of the links after it.

    ``mirrored``: each link also reverses the rows. That cannot be done in place, nor can
    TensorFlow make one op of links that follow one another.
    """
    chain = [start]
    for _ in range(links):
        chain.append(tf.tanh(tf.reverse(chain[-1], [0]) if mirrored else chain[-1]))
    return chain


def _start() -> Any:
    return tf1.get_variable("w", SHAPE, tf.float32)


@scenario
def plain_chain(steps: int, *, mirrored: bool = False) -> Training:
    """Plain backprop: every link is kept."""
    return Training(feeds={}, loss=tf.nn.l2_loss(_chain(_start(), steps, mirrored=mirrored)[-1]))


@scenario
def recomputed_chain(steps: int, *, mirrored: bool = False, loss_first: bool = True) -> Training:
    """Full recomputation: no link is kept, each is computed again from the start.

    ``loss_first``: the loss, which no gradient needs, is computed before them; else whenever
    TensorFlow gets to it, which is at the very end.
    """
    w = _start()
    last = _chain(w, steps, mirrored=mirrored)[-1]

    def gradients(loss: Any, variables: Sequence[Any]) -> list[Any]:
        assert list(variables) == [w]
        (gradient,) = tf1.gradients(loss, last)
        waits_for = [loss] if loss_first else []
        for links in range(steps, 0, -1):
            # Without these dependencies, TensorFlow would find that all was computed before.
            with tf.control_dependencies([*waits_for, gradient]):
                *_, before, link = _chain(w, links, mirrored=mirrored)
            (gradient,) = tf1.gradients(link, before, gradient)
        return [gradient]

    return Training(feeds={}, loss=tf.nn.l2_loss(last), gradients=gradients)


@scenario
def looped_function(steps: int) -> Training:
    """A Python loop in a tf.function: its steps are nodes of that function."""
    x = tf1.placeholder(tf.float32, [4, 8])
    w = tf1.get_variable("w", [8, 8])

    @tf.function  # type: ignore[untyped-decorator]
    def run(state: tf.Tensor) -> tf.Tensor:
        for _ in range(steps):
            state = tf.tanh(tf.matmul(state, w))
        return state

    return Training(feeds={x: np.ones([4, 8], np.float32)}, loss=tf.reduce_mean(run(x)))
