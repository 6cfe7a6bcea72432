"""One training step: the scenario's forward part, its gradients and the update, in one graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from profiler.explain.roles import Part
from profiler.facts import GraphStage
from profiler.frameworks import PointError
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow import library, phases, trained
from profiler.frameworks.tensorflow.allocator import Allocator
from profiler.scenario import Training

tf1 = tf.compat.v1

# Small enough never to make a sound loss diverge within the few measured steps.
LEARNING_RATE = 1e-4
# These live on the host, whatever the device.
_HOST_ONLY = {tf.string, tf.resource, tf.variant}
# Nodes that do no work of their own: they may be all that is left of a folded backward part.
_BUFFERLESS = {"Const", "Identity", "NoOp", "ReadVariableOp", "VarHandleOp", "_Arg", "_Retval"}
_TRAINS_ITSELF = "the graph trains itself: its own updates were measured, and no other was added"


class UnreadableRunError(PointError):
    """A step ran, and its graph is too large to be looked at."""


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """One training step in a graph: what to run, what to feed, and what backprop added."""

    loss: Any
    update: Any
    feeds: dict[Any, Any]
    copy_names: frozenset[str]
    backward_names: frozenset[str]
    update_names: frozenset[str]
    variables: Sequence[Any]
    custom_gradients: bool
    trains_itself: bool

    def part(self, name: str) -> Part:
        """Return the part of a node that ran, by the operation under whose name it lies."""
        if name in self.update_names:
            return Part.UPDATE
        return Part.BACKWARD if self._is_backward(name) else Part.FORWARD

    def check_backprop(self, executed: Iterable[Any]) -> None:
        """Raise PointError unless the executed graph holds backward work and every update.

        TensorFlow prunes what no update needs: such a step would run nothing and seem free.
        """
        names = {node.name for node in executed}
        lost = self.update_names - names
        if lost:
            raise PointError(f"the executed step lacks updates of variables: {sorted(lost)}")
        working = (node.name for node in executed if node.op not in _BUFFERLESS)
        if not any(self._is_backward(name) for name in working):
            raise PointError("the executed step holds no backward node: no backprop was measured")

    def _is_backward(self, name: str) -> bool:
        if name in self.update_names:
            return False
        parts = name.split("/")
        # A lowered loop's nodes lie under the name of the loop that was built.
        return any("/".join(parts[:end]) in self.backward_names for end in range(1, len(parts) + 1))


def build_step(
    graph: Any, build: Callable[[], object], recorder: Recorder, *, copy_feeds: bool
) -> TrainingStep:
    """Build the step in ``graph`` and record its size and times.

    Args:
        graph: the empty default graph.
        build: calls the scenario.
        recorder: takes the phases and the facts.
        copy_feeds: also copy fed tensors to the device; these nodes are not counted.

    Raises:
        PointError: if what the scenario returned is no training step.
    """
    with recorder.phase(phases.BUILD):
        training = build()
    if not isinstance(training, Training):
        raise PointError(f"the scenario returned {type(training).__name__}, not Training")
    if training.loss.shape.rank not in {0, None}:
        raise PointError(f"the loss must be a scalar, its shape is {training.loss.shape}")
    forward = len(graph.get_operations())
    with recorder.phase(phases.GRADIENTS):
        own = trained.find(training.loss, training.feeds)
        if own is None:
            update = _update(training, recorder)
    operations = graph.get_operations()
    if own is not None:
        recorder.note(_TRAINS_ITSELF)
        backward = own.backward
        update = tf.group(*own.updates)
        updates = [operation for operation in own.updates if operation.type != "NoOp"]
        updates = [operation for operation in updates if trained.WRITES.match(operation.type)]
    else:
        backward = frozenset(operation.name for operation in operations[forward:])
        updates = update.control_inputs
    recorder.stage(
        GraphStage(
            name=phases.BUILT,
            nodes=len(operations),
            parts={"forward": len(operations) - len(backward), "backward": len(backward)},
            by_op=dict(Counter(operation.type for operation in operations).most_common()),
            beside=[phases.LIBRARY],
        )
    )
    by_op = Counter(library.op_types(graph))
    recorder.stage(
        GraphStage(name=phases.LIBRARY, nodes=by_op.total(), by_op=dict(by_op.most_common()))
    )
    return TrainingStep(
        loss=own.loss if own else training.loss,
        update=update,
        feeds={tensor: np.asarray(array) for tensor, array in training.feeds.items()},
        copy_names=frozenset(_copies(training.feeds) if copy_feeds else ()),
        backward_names=backward,
        update_names=frozenset(operation.name for operation in updates),
        variables=tf1.trainable_variables(),
        custom_gradients=training.gradients is not None,
        trains_itself=own is not None,
    )


def run_step(session: Any, step: TrainingStep, allocator: Allocator) -> int | None:
    """Run one training step and return the device's peak bytes during it, where known.

    Raises:
        PointError: if the loss is no finite number.
    """
    allocator.reset()
    loss, _ = session.run([step.loss, step.update], step.feeds)
    if not math.isfinite(loss):
        raise PointError(f"the loss is {loss}: a step that diverges measures nothing")
    return allocator.peak()


def run_traced(session: Any, step: TrainingStep) -> Any:
    """Run one training step, and return the run's metadata, with the graph that ran.

    Raises:
        UnreadableRunError: if that graph is too large.
    """
    options = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    metadata = tf1.RunMetadata()
    try:
        session.run([step.loss, step.update], step.feeds, options=options, run_metadata=metadata)
    except DecodeError as error:  # protocol buffers end at 2 GiB
        raise UnreadableRunError(phases.UNREADABLE) from error
    return metadata


def keep_host_tensors_apart() -> None:
    """Let tensors of the host (shape inference, graph optimizer) not come from CPU:0's allocator.

    On a GPU they do not either. TensorFlow decides that for good when it needs the first host
    tensor: where no device exists yet, they come from an allocator of their own.
    """
    with tf.Graph().as_default():
        tf.fill(tf.constant([1, 1]), 0.0)  # the shape's inference needs one


def _copies(fed: Iterable[Any]) -> Iterator[str]:
    """Give the consumers of every fed tensor a copy made on the device; yield the new nodes.

    A GPU gets such a copy in every step. The CPU would use the array where it lies, and its
    bytes would not count.
    """
    for tensor in fed:
        if tensor.dtype.base_dtype in _HOST_ONLY:
            continue
        consumers = tensor.consumers()
        copy = tf.raw_ops.DeepCopy(x=tensor, name=f"{tensor.op.name}_on_device")
        for operation in consumers:
            for index, value in enumerate(operation.inputs):
                if value is tensor:
                    operation._update_input(index, copy)  # noqa: SLF001 (there is no public way)
        yield copy.op.name


def _update(training: Training, recorder: Recorder) -> Any:
    """Add the gradients and plain SGD; a variable without a gradient stays as it is."""
    variables = tf1.trainable_variables()
    if not variables:
        raise PointError("the scenario builds no trainable variable: there is nothing to train")
    gradients = (training.gradients or tf1.gradients)(training.loss, variables)
    if len(gradients) != len(variables):
        raise PointError(f"{len(gradients)} gradients came for {len(variables)} variables")
    without = [
        variable.op.name
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is None
    ]
    if len(without) == len(variables):
        raise PointError(f"the loss does not depend on variables: {', '.join(without)}")
    if without:
        recorder.note(
            f"the loss does not depend on {', '.join(without)}: no gradient, and no update of it"
        )
    pairs = zip(gradients, variables, strict=True)
    return tf1.train.GradientDescentOptimizer(LEARNING_RATE).apply_gradients(
        [(gradient, variable) for gradient, variable in pairs if gradient is not None]
    )


def record_bytes(graph: Any, recorder: Recorder) -> None:
    """Record the bytes of the serialized graph, or that it has none."""
    size = library.serialized_bytes(graph)
    if size is None:
        recorder.note(f"this graph is too large: {phases.TOO_LARGE}")
        recorder.missing("graph.graph_bytes", phases.TOO_LARGE)
    else:
        recorder.serialized(size)
