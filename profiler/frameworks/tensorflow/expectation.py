"""What TensorFlow's graph optimizer expects a training graph to need, and where it acts on it.

Its memory pass (``memory_optimizer.cc``, ``SchedulingPass``) lets a sum of more than two tensors
add up in place where it expects the graph to need more than four fifths of a device. It expects
so by static shapes alone, which can be asked for without running anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.grappler import cluster, item

from profiler.lengths import ANY, Lengths
from profiler.units import MIB

tf1 = tf.compat.v1

# As a CPU device is described to the optimizer, whatever memory the machine has.
CPU_DEVICE_BYTES = 256 * MIB
_SHARE = 0.8
_LENGTHS = (20, 40)
_PAIR = 2


def changes_from(
    step_graph: Callable[[int], tuple[Any, list[Any]]], lengths: Lengths = ANY
) -> int | None:
    """Return the steps from which the optimizer may change the graph; None for never.

    Args:
        step_graph: builds the training graph of so many steps, and returns it with what is run.
        lengths: those that may be built.
    """
    short, long = lengths.spread(_LENGTHS)
    (few, small), (many, large) = (_expected(*step_graph(steps)) for steps in (short, long))
    if many <= few or large <= small:
        return None
    per_step = (large - small) / (long - short)
    return max(1, int(long + (_SHARE * CPU_DEVICE_BYTES - large) / per_step))


def _expected(graph: Any, fetches: list[Any]) -> tuple[int, int]:
    """Return how many summands wait in sums of more than two, and the expected peak in bytes."""
    with graph.as_default():
        for fetch in fetches:
            graph.add_to_collection("train_op", fetch)
        meta_graph = tf1.train.export_meta_graph(graph=graph)
    sums = [len(op.inputs) for op in graph.get_operations() if op.type == "AddN"]
    devices = cluster.Cluster(disable_detailed_stats=True)
    peaks = devices.DeterminePeakMemoryUsage(item.Item(meta_graph))
    return (
        sum(count for count in sums if count > _PAIR),
        max((int(peak) for peak, _ in peaks.values()), default=0),
    )
