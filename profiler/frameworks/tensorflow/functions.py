"""Steps of TensorFlow 2: a ``tf.function`` as it stands, traced and put into a session's graph.

The function is traced as its first call would trace it. What it consists of is then run by a
session: only there does the serial schedule exist, and every measurement with it. In the
parallel schedule both run on the same executor.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2
from tensorflow.python.eager import context
from tensorflow.python.eager.polymorphic_function import function_type_utils

from profiler.frameworks import PointError
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow import phases, trained
from profiler.frameworks.tensorflow.kinds import InferenceStep, KerasTraining, TrainStep
from profiler.frameworks.tensorflow.step import TrainingStep, finished, scopes
from profiler.frameworks.tensorflow.training import GraphSteps

tf1 = tf.compat.v1

# A session cannot return them.
_UNFETCHED = {tf.resource, tf.variant}
_CALLS = 3  # that are looked at for new traces
_NO_LOSS = (
    "no loss was found: the function asks no tape of its own for gradients, and returns no float "
    "scalar. Return the loss from the function"
)
_NO_UPDATE = (
    "the function updates none of its variables: pass the whole training step, with what applies "
    "the gradients"
)


class FunctionSteps(GraphSteps):
    """The steps of one scenario that returns a function or a model; see ``frameworks.Steps``."""

    starts_first = True

    def built(self, graph: Any, steps: int, method: str | None = None) -> TrainingStep:
        """Call the scenario, trace its function, and put that into the graph."""
        del method  # the function's gradients are its author's
        recorder = self._recorder
        with context.eager_mode():
            traced = _traced(lambda: self._build(steps), recorder)
        step = _Lift(traced).step()
        with context.eager_mode():
            _release(traced.variables)
            del traced
            gc.collect()
            self._runtime.allocator.leave_out(recorder)
        return finished(graph, step, recorder, copy_feeds=self._runtime.copies_feeds)


@dataclass(frozen=True, kw_only=True)
class _Traced:
    """A function that was traced for its arguments.

    Attributes:
        concrete: the trace.
        inputs: what its arguments hold, a tensor each, in the trace's order.
        trains: whether it is to be a training step.
        losses: the tensors whose gradients tapes were asked for.
        forward: how many operations the trace had when these were asked for.
        trained: the handles of the variables that they were asked for.
        is_compiled: whether XLA compiles it.
        variables: every one that the trace reads or writes: it refers to them weakly.
    """

    concrete: Any
    inputs: Sequence[Any]
    trains: bool
    losses: Sequence[Any]
    forward: int
    trained: Sequence[Any]
    is_compiled: bool
    variables: Sequence[Any]


class _Tapes:
    """What the tapes of a trace are asked for."""

    def __init__(self, on_gradient: Callable[[], object]) -> None:
        """Call ``on_gradient`` when the first one is asked."""
        self._on_gradient = on_gradient
        self.targets: list[Any] = []
        self.handles: list[Any] = []
        self.operations = 0

    def losses(self, graph: Any) -> list[Any]:
        """Return the scalars in the graph whose gradients were asked for, each once."""
        found: list[Any] = []
        for tensor in self.targets:
            is_new = all(tensor is not one for one in found)
            if is_new and getattr(tensor, "graph", None) is graph and tensor.shape.rank == 0:
                found.append(tensor)
        return found

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch every tape until the end of the block."""
        gradient = tf.GradientTape.gradient

        def watching(tape: Any, target: Any, sources: Any, *args: Any, **keywords: Any) -> Any:
            if not self.targets:
                self._on_gradient()
            graph = tf1.get_default_graph()
            if all(graph is not getattr(one, "graph", None) for one in self.targets):
                self.operations = len(graph.get_operations())
            self.targets += tf.nest.flatten(target)
            variables = tf.nest.flatten(sources)
            self.handles += [one.handle for one in variables if hasattr(one, "handle")]
            return gradient(tape, target, sources, *args, **keywords)

        with mock.patch.object(tf.GradientTape, "gradient", watching):
            yield


def _traced(build: Callable[[], object], recorder: Recorder) -> _Traced:
    with contextlib.ExitStack() as phase:
        phase.enter_context(recorder.phase(phases.BUILD))

        def begin_gradients() -> None:
            phase.close()
            phase.enter_context(recorder.phase(phases.GRADIENTS))

        built = build()
        step = _of_keras(built) if isinstance(built, KerasTraining) else built
        if not isinstance(step, TrainStep):
            raise PointError(f"the scenario returned {type(built).__name__}, not TrainStep")
        if not hasattr(step.function, "get_concrete_function"):
            name = type(step).__name__
            raise PointError(f"{name} takes a tf.function: decorate the function with @tf.function")
        tapes = _Tapes(begin_gradients)
        arguments = step.arguments(0) if callable(step.arguments) else step.arguments
        with tapes.watched():
            concrete = step.function.get_concrete_function(*arguments, **step.keywords)
    _note_new_traces(step, recorder)
    # Of several traces for one call the last one counts: the first only makes the variables.
    losses = tapes.losses(concrete.graph)
    if len(losses) > 1:
        recorder.note(
            f"gradients of {len(losses)} losses are asked for: what any of them needs counts as "
            "forward"
        )
    return _Traced(
        concrete=concrete,
        inputs=_flat_inputs(step, arguments, concrete),
        trains=not isinstance(step, InferenceStep),
        losses=losses,
        forward=tapes.operations,
        trained=tapes.handles,
        is_compiled=concrete.function_def.attr["_XlaMustCompile"].b,
        variables=_in_order(concrete.graph),
    )


def _in_order(graph: Any) -> list[Any]:
    """Return the variables as they were captured: the graph keeps them in a set."""
    order = {id(outer): number for number, (outer, _) in enumerate(graph.captures)}
    return sorted(graph.variables, key=lambda one: order.get(id(one.handle), len(order)))


def _of_keras(training: KerasTraining) -> TrainStep:
    """Return what ``train_on_batch`` runs of a model: its ``train_step`` as a function."""
    model = training.model
    if training.loss is not None or training.optimizer is not None:
        model.compile(
            optimizer=training.optimizer or "sgd",
            loss=training.loss,
            jit_compile=training.jit_compile,
        )
    if not getattr(model, "compiled", False):
        raise PointError("the model is not compiled: give KerasTraining a loss and an optimizer")
    batch = (training.inputs, training.targets, None)
    model._maybe_symbolic_build(data_batch=batch)  # noqa: SLF001 (train_on_batch's own first step)

    def train_step(inputs: Any, targets: Any) -> Any:
        return model.train_step((inputs, targets, None))

    plain = tf.autograph.experimental.do_not_convert(train_step)
    function = tf.function(plain, jit_compile=model.jit_compile or None)
    arrays = tf.nest.map_structure(
        lambda one: None if one is None else tf.convert_to_tensor(one), batch[:2]
    )
    return TrainStep(function, arrays)


def _note_new_traces(step: TrainStep, recorder: Recorder) -> None:
    """Add a note where calls with other arguments are retraced."""
    if not callable(step.arguments):
        return
    before = step.function.experimental_get_tracing_count()
    for call in range(1, _CALLS):
        step.function.get_concrete_function(*step.arguments(call), **step.keywords)
    more = step.function.experimental_get_tracing_count() - before
    if more:
        recorder.note(
            f"TensorFlow retraced the function in {more} of {_CALLS - 1} further calls: each trace "
            "is another graph, which takes time and memory. Pass numbers as tensors and arrays of "
            "one shape, or give the function an input_signature"
        )


def _flat_inputs(step: TrainStep, arguments: Sequence[Any], concrete: Any) -> list[Any]:
    """Return the tensors that a call hands to the trace, without what that captured."""
    function = step.function
    options = function._no_variable_creation_config or function._variable_creation_config  # noqa: SLF001
    bound = function_type_utils.canonicalize_function_inputs(
        tuple(arguments), dict(step.keywords), options.polymorphic_type, options.default_values
    )
    kind = concrete.function_type
    return list(kind.unpack_inputs(kind.bind(*bound.args, **bound.kwargs)))


class _Lift:
    """Puts a trace into the default graph: placeholders for its inputs, new variables."""

    def __init__(self, traced: _Traced) -> None:
        self._traced = traced
        self._origin = traced.concrete.graph
        self._operations = [(one.name, one.type) for one in self._origin.get_operations()]
        self._names = {name for name, _ in self._operations}
        self._scopes = {scope for name in self._names for scope in scopes(name)}
        self._handles = {id(one.handle): one for one in traced.variables}
        self._made: dict[int, Any] = {}
        self._feeds: dict[Any, Any] = {}
        self._values: list[tuple[Any, Any, Any]] = []

    def step(self) -> TrainingStep:
        """Return the step, in the default graph."""
        given = [
            self._given(outer, inner)
            for outer, inner in zip(self._traced.inputs, self._origin.inputs, strict=False)
        ]
        given += [self._given(*pair, is_argument=False) for pair in self._origin.captures]
        if self._traced.is_compiled:
            return self._called(given)
        return self._imported(given)

    def _given(self, outer: Any, inner: Any, *, is_argument: bool = True) -> Any:
        """Return what the graph has for an input of the trace, or for what that captured."""
        if outer.dtype == tf.resource:
            if id(outer) not in self._handles:
                raise PointError(
                    f"the function uses {inner.op.name!r}, which is neither a tensor nor a "
                    "variable (a table, an iterator): pass its tensors as arguments"
                )
            if id(outer) not in self._made:
                self._made[id(outer)] = self._variable(self._handles[id(outer)])
            return self._made[id(outer)]
        with context.eager_mode():
            array = outer.numpy()
        if not is_argument:
            return tf.constant(array, dtype=outer.dtype)
        placeholder = tf1.placeholder(outer.dtype, inner.shape, name=self._free(inner.op.name))
        self._feeds[placeholder] = array
        return placeholder

    def _variable(self, variable: Any) -> Any:
        """Make the variable again, and return its handle."""
        asked_for = self._traced.trained
        trainable = variable.trainable and not asked_for
        trainable = trainable or any(variable.handle is one for one in asked_for)
        with context.eager_mode():
            array = np.asarray(variable.numpy())
        name = self._free(variable.name.partition(":")[0])
        first = tf1.placeholder(variable.dtype.base_dtype, array.shape, name=f"{name}/first_value")
        # A fed array would be used where it lies, and its bytes would not count.
        copied = tf.raw_ops.DeepCopy(x=first, name=f"{name}/initial_value")
        made = tf1.Variable(copied, trainable=trainable, use_resource=True, name=name)
        self._values.append((made.initializer, first, array))
        return made.handle

    def _free(self, name: str) -> str:
        return f"{name}_" if name in self._scopes else name

    def _imported(self, given: Sequence[Any]) -> TrainingStep:
        """Import the trace's own operations."""
        inputs = [*self._origin.inputs[: len(self._traced.inputs)], *self._origin.internal_captures]
        replaced = {inner.name: one for inner, one in zip(inputs, given, strict=True)}
        definition = self._origin.as_graph_def()
        kept = [node for node in definition.node if f"{node.name}:0" not in replaced]
        del definition.node[:]
        definition.node.extend(kept)
        outputs = [tensor.name for tensor in self._outputs()]
        run = [operation.name for operation in self._origin.control_outputs]
        found = tf1.import_graph_def(
            definition,
            input_map=replaced,
            return_elements=[*outputs, *run, *(one.name for one in self._traced.losses)],
            name="",
        )
        fetched, losses = found[: len(outputs)], found[len(outputs) + len(run) :]
        if not self._traced.trains:
            return self._made_of(fetched=found)
        loss, *others = losses or [_scalar(fetched)]
        own = trained.find(loss, self._feeds, others=others)
        if own is None:
            raise PointError(_NO_UPDATE)
        return self._made_of(
            loss=own.loss,
            has_other_losses=bool(others),
            update=tf.group(*own.updates),
            fetched=found[: len(outputs) + len(run)],
            backward_names=own.backward,
            update_names=frozenset(operation.name for operation in own.writes),
            update_scopes=frozenset(operation.name for operation in own.hidden),
        )

    def _called(self, given: Sequence[Any]) -> TrainingStep:
        """Call the trace as one operation, which XLA compiles."""
        graph = tf1.get_default_graph()
        function = self._traced.concrete._inference_function  # noqa: SLF001 (no public way)
        graph._add_function_recursive(function)  # noqa: SLF001
        call = graph.create_op(
            "StatefulPartitionedCall",
            given,
            [tensor.dtype for tensor in self._origin.outputs],
            attrs={
                "f": _attribute(func={"name": function.name}),
                "Tin": _attribute(list={"type": [one.dtype.as_datatype_enum for one in given]}),
                "Tout": _attribute(
                    list={"type": [one.dtype.as_datatype_enum for one in self._origin.outputs]}
                ),
                "_XlaMustCompile": _attribute(b=True),
            },
            name=self._free("compiled_step"),
        )
        pairs = zip(self._origin.outputs, call.outputs, strict=True)
        fetched = [here for there, here in pairs if there.dtype not in _UNFETCHED]
        after = (name for name, _ in self._operations[self._traced.forward :])
        backward = after if self._traced.trains and self._traced.losses else ()
        return self._made_of(
            loss=_scalar(fetched) if self._traced.trains else None,
            update=call if self._traced.trains else None,
            fetched=[*fetched, call],
            backward_names=frozenset(backward),
            compiled_name=call.name,
        )

    def _outputs(self) -> list[Any]:
        return [tensor for tensor in self._origin.outputs if tensor.dtype not in _UNFETCHED]

    def _made_of(self, *, loss: Any = None, update: Any = None, **fields: Any) -> TrainingStep:
        return TrainingStep(
            loss=loss,
            update=update,
            operations=self._operations,
            feeds=self._feeds,
            values=self._values,
            variables=tf1.trainable_variables() if self._traced.trains else (),
            custom_gradients=self._traced.trains,
            trains_itself=self._traced.trains,
            **fields,
        )


def _attribute(**fields: Any) -> Any:
    return attr_value_pb2.AttrValue(**fields)


def _scalar(outputs: Sequence[Any]) -> Any:
    """Return the first scalar of floats."""
    for tensor in outputs:
        if tensor.shape.rank == 0 and tensor.dtype.is_floating:
            return tensor
    raise PointError(_NO_LOSS)


def _release(variables: Sequence[Any]) -> None:
    """Give the variables' device memory back, whoever still refers to them."""
    for variable in variables:
        nothing = tf.zeros([], variable.dtype.base_dtype)
        tf.raw_ops.AssignVariableOp(resource=variable.handle, value=nothing)
