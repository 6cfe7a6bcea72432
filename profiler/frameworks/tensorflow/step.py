"""One training step: the scenario's forward part, its gradients and the update, in one graph."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from profiler.explain.roles import Part
from profiler.facts import GraphStage
from profiler.frameworks import PointError
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow import library, phases, subnormals, trained
from profiler.frameworks.tensorflow.allocator import Allocator
from profiler.frameworks.tensorflow.kinds import Inference
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
    """One step in a graph: what to run, what to feed, and what backprop added.

    Attributes:
        loss: the scalar to minimise; None where the step only runs forward.
        has_other_losses: gradients of others are asked for, too.
        update: what trains; None as well.
        fetched: what the step returns beside them.
        operations: name and type of each one of the author's graph, with what backprop added.
        feeds: tensor -> array.
        copy_names: operations that bring fed arrays to the device.
        backward_names: operations of backprop and the update.
        update_names: those that assign to variables.
        update_scopes: the ones of these that do so in functions of their own, as branches.
        compiled_name: the one operation that XLA makes the whole step of.
        variables: those that are trained.
        values: the first values of variables, each fed to the operation that takes it.
        initialize: what else runs once.
        each_step: what the author does before each step, with the session.
        custom_gradients: the author's own ones.
        trains_itself: no update was added.
    """

    loss: Any
    has_other_losses: bool = False
    update: Any
    fetched: Sequence[Any] = ()
    operations: Sequence[tuple[str, str]]
    feeds: dict[Any, Any]
    copy_names: frozenset[str] = frozenset()
    backward_names: frozenset[str] = frozenset()
    update_names: frozenset[str] = frozenset()
    update_scopes: frozenset[str] = frozenset()
    compiled_name: str | None = None
    variables: Sequence[Any]
    values: Sequence[tuple[Any, Any, Any]] = ()
    initialize: Sequence[Any] = ()
    each_step: Callable[[Any], Any] | None = None
    custom_gradients: bool = False
    trains_itself: bool = False

    @property
    def fetches(self) -> list[Any]:
        """What one run of the step fetches, the loss first."""
        return [one for one in (self.loss, self.update) if one is not None] + [*self.fetched]

    @property
    def forward_fetches(self) -> list[Any]:
        """What its forward part alone fetches."""
        return [*self.fetched] if self.loss is None else [self.loss]

    def part(self, name: str) -> Part:
        """Return the part of a node that ran, by the operation under whose name it lies."""
        if self._is_update(name):
            return Part.UPDATE
        return Part.BACKWARD if self._is_backward(name) else Part.FORWARD

    def check_backprop(self, executed: Iterable[Any]) -> None:
        """Raise PointError unless the executed graph holds backward work and every update.

        TensorFlow prunes what no update needs: such a step would run nothing and seem free.
        """
        if self.update is None or self.compiled_name is not None:
            return
        names = {node.name for node in executed}
        lost = self.update_names - self.update_scopes - names
        if lost:
            raise PointError(f"the executed step lacks updates of variables: {sorted(lost)}")
        working = (node.name for node in executed if node.op not in _BUFFERLESS)
        if not any(self._is_backward(name) or self._is_in_update(name) for name in working):
            raise PointError("the executed step holds no backward node: no backprop was measured")

    def _is_update(self, name: str) -> bool:
        return name in self.update_names or self._is_in_update(name)

    def _is_in_update(self, name: str) -> bool:
        """Return whether it lies in the function of an update, which may hold backprop, too."""
        return bool(self.update_scopes) and not self.update_scopes.isdisjoint(scopes(name))

    def _is_backward(self, name: str) -> bool:
        # A lowered loop's nodes lie under the name of the loop that was built.
        return not self._is_update(name) and not self.backward_names.isdisjoint(scopes(name))


def scopes(name: str) -> Iterator[str]:
    """Yield the name and the scopes that it lies in."""
    parts = name.split("/")
    yield from ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


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
        PointError: if what the scenario returned is no step in a graph.
    """
    with recorder.phase(phases.BUILD):
        built = build()
    if isinstance(built, Inference):
        step = _inference(graph, built)
    elif isinstance(built, Training):
        step = _training(graph, built, recorder)
    else:
        raise PointError(f"the scenario returned {type(built).__name__}, not Training")
    return finished(graph, step, recorder, copy_feeds=copy_feeds)


def finished(
    graph: Any, step: TrainingStep, recorder: Recorder, *, copy_feeds: bool
) -> TrainingStep:
    """Record the size of the step's graph, and return the step with its feeds on the device."""
    names = [name for name, _ in step.operations]
    backward = len(step.backward_names.intersection(names))
    recorder.stage(
        GraphStage(
            name=phases.BUILT,
            nodes=len(names),
            parts={"forward": len(names) - backward, "backward": backward},
            by_op=dict(Counter(kind for _, kind in step.operations).most_common()),
            beside=[phases.LIBRARY],
        )
    )
    by_op = Counter(library.op_types(graph))
    recorder.stage(
        GraphStage(name=phases.LIBRARY, nodes=by_op.total(), by_op=dict(by_op.most_common()))
    )
    copies = frozenset(_copies(step.feeds) if copy_feeds else ())
    return replace(step, copy_names=copies)


def _training(graph: Any, training: Training, recorder: Recorder) -> TrainingStep:
    if training.loss.shape.rank not in {0, None}:
        raise PointError(f"the loss must be a scalar, its shape is {training.loss.shape}")
    if training.update is not None and (training.gradients or training.optimizer):
        raise PointError("a Training has update=, or gradients= and optimizer=, not both")
    forward = len(graph.get_operations())
    feeds = dict(_expanded(training.feeds))
    with recorder.phase(phases.GRADIENTS):
        given = _operations(training.update)
        own = trained.find(training.loss, feeds, given)
        trains_itself = own is not None and not given
        if own is None:
            given = [_applied(training, recorder)]
            own = trained.added(training.loss, given[0], graph.get_operations()[forward:])
        # No node is added to the author's, where one operation is all that trains.
        update = given[0] if len(given) == 1 else tf.group(*(given or own.updates))
    if trains_itself:
        recorder.note(_TRAINS_ITSELF)
    return TrainingStep(
        loss=own.loss,
        update=update,
        fetched=tf.nest.flatten(list(training.fetches), expand_composites=True),
        operations=_built(graph),
        feeds=feeds,
        backward_names=own.backward,
        update_names=frozenset(operation.name for operation in own.writes),
        update_scopes=frozenset(operation.name for operation in own.hidden),
        variables=tf1.trainable_variables(),
        initialize=training.initialize,
        each_step=training.each_step,
        custom_gradients=training.gradients is not None,
        trains_itself=trains_itself,
    )


def _built(graph: Any) -> list[tuple[str, str]]:
    return [(operation.name, operation.type) for operation in graph.get_operations()]


def _operations(given: Any) -> list[Any]:
    """Return the operations of an update, which may be several, tensors or operations."""
    found = tf.nest.flatten(given, expand_composites=True) if given is not None else []
    return [getattr(one, "op", one) for one in found]


def _inference(graph: Any, inference: Inference) -> TrainingStep:
    outputs = tf.nest.flatten(inference.outputs, expand_composites=True)
    if not outputs:
        raise PointError("the scenario returned no outputs: there is nothing to run")
    return TrainingStep(
        loss=None,
        update=None,
        fetched=outputs,
        operations=_built(graph),
        feeds=dict(_expanded(inference.feeds)),
        variables=(),
        initialize=inference.initialize,
    )


def _expanded(feeds: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield each fed tensor and its array; of sparse and ragged ones, their parts.

    Raises:
        PointError: if a value has other parts than what it is fed to.
    """
    for given, value in feeds.items():
        tensors = tf.nest.flatten(given, expand_composites=True)
        arrays = [value] if len(tensors) == 1 else _parts(value)
        if len(tensors) != len(arrays):
            raise PointError(f"{type(value).__name__} cannot be fed to {given}")
        yield from zip(tensors, map(np.asarray, arrays), strict=True)


def _parts(value: Any) -> list[Any]:
    """Return what a sparse or ragged value consists of, as its placeholder does."""
    if isinstance(value, tf1.SparseTensorValue | tuple):
        return list(value)
    if isinstance(value, tf1.ragged.RaggedTensorValue):
        inner = value.values
        inner = [inner] if isinstance(inner, np.ndarray) else _parts(inner)
        return [*inner, value.row_splits]
    return [value]


def fed_bytes(array: Any) -> int:
    """Return the bytes of a fed array; of strings, those of their letters."""
    if array.dtype.kind in "OSU":
        return sum(len(tf.compat.as_bytes(text)) for text in array.ravel().tolist())
    return int(array.nbytes)


def initialize(session: Any, step: TrainingStep) -> None:
    """Give every variable its first value, and run what else runs once."""
    if not step.values:
        session.run(tf1.global_variables_initializer())
    for operation, placeholder, value in step.values:
        session.run(operation, {placeholder: value})
    for operation in step.initialize:
        session.run(operation)


def run_step(session: Any, step: TrainingStep, allocator: Allocator) -> int | None:
    """Run one step and return the device's peak bytes during it, where known.

    Raises:
        PointError: if the loss is no finite number.
    """
    allocator.reset()
    if step.each_step is not None:
        step.each_step(session)
    with subnormals.taken_as_zero():
        found = session.run(step.fetches, step.feeds)
    if step.loss is not None and not math.isfinite(found[0]):
        raise PointError(f"the loss is {found[0]}: a step that diverges measures nothing")
    return allocator.peak()


def run_traced(session: Any, step: TrainingStep) -> Any:
    """Run one training step, and return the run's metadata, with the graph that ran.

    Raises:
        UnreadableRunError: if that graph is too large.
    """
    options = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    metadata = tf1.RunMetadata()
    try:
        session.run(step.fetches, step.feeds, options=options, run_metadata=metadata)
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


def _applied(training: Training, recorder: Recorder) -> Any:
    """Add the gradients, and return what applies them; a variable without one stays as it is."""
    variables = tf1.trainable_variables()
    if not variables:
        raise PointError("the scenario builds no trainable variable: there is nothing to train")
    gradients = (training.gradients or tf1.gradients)(training.loss, variables)
    if len(gradients) != len(variables):
        raise PointError(
            f"gradients= returned {len(gradients)} gradients for {len(variables)} variables"
        )
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
    optimizer = training.optimizer or tf1.train.GradientDescentOptimizer(LEARNING_RATE)
    pairs = zip(gradients, variables, strict=True)
    applied = optimizer.apply_gradients(
        [(gradient, variable) for gradient, variable in pairs if gradient is not None]
    )
    applied = getattr(applied, "op", applied)
    if not isinstance(applied, tf.Operation):
        # Keras 3's count on a tf.function, which waits for assignments in their order.
        kind = f"{type(optimizer).__module__}.{type(optimizer).__name__}"
        raise PointError(
            f"optimizer={kind}: its apply_gradients returns no operation, so it works only in a "
            "tf.function. Use one of tf.compat.v1.train, or return a TrainStep"
        )
    return applied


def record_bytes(graph: Any, recorder: Recorder) -> None:
    """Record the bytes of the serialized graph, or that it has none."""
    size = library.serialized_bytes(graph)
    if size is None:
        recorder.note(f"this graph is too large: {phases.TOO_LARGE}")
        recorder.missing("graph.graph_bytes", phases.TOO_LARGE)
    else:
        recorder.serialized(size)
