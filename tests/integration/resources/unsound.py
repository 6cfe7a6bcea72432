"""Scenarios with a mistake of which their author may not know, for ``stepwall try``."""

import random
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


def sums(rows: int, cells: int = 1) -> Training:
    """Return a training of so many matrices, on so many rows."""
    x = tf1.placeholder(tf.float32, [rows, 256])
    terms: list[Any] = [
        tf.reduce_mean(tf.square(tf.matmul(x, tf1.get_variable(f"w{number}", [256, 4]))))
        for number in range(cells)
    ]
    return Training(feeds={x: np.ones((rows, 256), np.float32)}, loss=tf.add_n(terms))


@scenario
def always_twenty(steps: int) -> Training:
    """The length is not used."""
    del steps
    return sums(20)


@scenario
def in_twenties(steps: int) -> Training:
    """The author's assert, where the decorator should say it."""
    assert steps % 20 == 0
    return sums(steps)


@scenario
def late_import(steps: int) -> Training:
    """A module that is not there, and is not asked for before."""
    import no_such_module_here  # type: ignore[import-not-found]

    return sums(steps * no_such_module_here.ROWS)


@scenario
def at_random(steps: int) -> Training:
    """Another number of cells in every process."""
    return sums(steps, cells=random.SystemRandom().randrange(1, 500))


@scenario
def not_fed(steps: int) -> Training:
    """A placeholder that nothing is fed to: what fails was built long before."""
    return Training(feeds={}, loss=sums(steps).loss)


@scenario
def traced(steps: int) -> Training:
    """A mistake within a function that the framework traces."""
    columns = tf1.get_variable("w", [3, 4])

    @tf.function
    def product(x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        for _ in tf.range(steps):
            x = tf.matmul(x, columns)
        return x

    return Training(feeds={}, loss=tf.reduce_mean(product(tf.zeros([2, 7]))))
