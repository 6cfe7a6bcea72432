"""Scenarios in which one known tensor is the first that finds no room: [steps, WIDE] float64."""

from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
WIDE = 4096


def _column(steps: int) -> tuple[Any, Any]:
    x = tf1.placeholder(tf.float64, [steps, 1])
    return x, tf1.get_variable("w", [1, WIDE], tf.float64)


def _training(steps: int, x: Any, y: Any) -> Training:
    return Training(feeds={x: np.ones((steps, 1))}, loss=tf.reduce_mean(tf.square(y)))


@scenario
def plain(steps: int) -> Training:
    """A product in the graph itself."""
    x, w = _column(steps)
    return _training(steps, x, tf.matmul(x, w, name="wide"))


@scenario
def looped(steps: int) -> Training:
    """The same product in the body of a loop."""
    x, w = _column(steps)

    def body(i: Any, total: Any) -> tuple[Any, Any]:
        return i + 1, total + tf.reduce_mean(tf.matmul(x, w, name="wide"))

    _, y = tf.while_loop(lambda i, _: i < 2, body, [0, tf.zeros([], tf.float64)])
    return _training(steps, x, y)


@scenario
def wrapped(steps: int) -> Training:
    """The same product in a function."""
    x, w = _column(steps)
    product = tf.function(lambda: tf.matmul(x, w, name="wide"))
    return _training(steps, x, product())


@scenario
def weights(steps: int) -> Training:
    """Weights that are too big to be initialised."""
    x = tf1.placeholder(tf.float64, [1, steps])
    w = tf1.get_variable("w", [steps, WIDE], tf.float64, initializer=tf1.zeros_initializer())
    return Training(feeds={x: np.ones((1, steps))}, loss=tf.reduce_mean(tf.square(x @ w)))


@scenario
def thrice(steps: int) -> Training:
    """Three copies of what is fed, in one tensor."""
    x = tf1.placeholder(tf.float32, [steps, WIDE])
    w = tf1.get_variable("w", [WIDE, 1])
    wide = tf.concat([x, x, x], axis=0, name="wide")
    feeds = {x: np.ones((steps, WIDE), np.float32)}
    return Training(feeds=feeds, loss=tf.reduce_mean(tf.square(wide) @ w))


@scenario
def pairs(steps: int) -> Training:
    """Scores of all pairs of steps, of which three are held at once."""
    x = tf1.placeholder(tf.float32, [steps, 8])
    w = tf1.get_variable("w", [8, 8])
    hidden = x @ w
    scores = tf.nn.softmax(hidden @ tf.transpose(hidden))
    feeds = {x: np.ones((steps, 8), np.float32)}
    return Training(feeds=feeds, loss=tf.reduce_mean(tf.square(scores @ hidden)))


@scenario
def kept(steps: int) -> Training:
    """A constant that every run of another part of the graph keeps a copy of."""
    w = tf1.get_variable("w", [], tf.float64)
    values = np.random.default_rng(0).standard_normal((steps, WIDE))
    return Training(feeds={}, loss=tf.reduce_mean(w * tf.constant(values)))


@scenario
def python(steps: int) -> Training:
    """Python itself has no memory, while the graph is built."""
    raise MemoryError(f"{steps} steps are too many")
