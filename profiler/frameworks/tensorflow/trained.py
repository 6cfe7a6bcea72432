"""A graph that already trains itself: it assigns to its trainable variables what comes of the loss.

Such a graph is measured as it stands; it gets no second update.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from profiler.frameworks import PointError
from profiler.frameworks.tensorflow import library
from profiler.frameworks.tensorflow.values import HANDLES

tf1 = tf.compat.v1

WRITES = re.compile(
    r"^(Resource)?(Sparse)?Apply[A-Z]|^Assign(Add|Sub)?(VariableOp)?$|^(Resource)?Scatter[A-Z]"
)
# Of what an assignment takes, what the gradient comes in.
_GRADIENTS = ("grad", "delta", "updates", "value")

_SOURCES = HANDLES | {
    "Const",
    "ReadVariableOp",
    "Identity",
    "Placeholder",
    "PlaceholderWithDefault",
}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What of a graph is its own training step.

    Attributes:
        loss: the scalar that the forward part computes: it waits for no update.
        updates: the assignments to trainable variables, and what waits for them.
        assignments: those to trainable variables alone.
        backward: names of the operations that only the updates need.
    """

    loss: Any
    updates: Sequence[Any]
    assignments: Sequence[Any]
    backward: frozenset[str]


def gradient_input(op_def: Any) -> int | None:
    """Return at which input an assignment takes the gradient, or what is assigned."""
    names = [argument.name for argument in op_def.input_arg]
    return next((names.index(name) for name in _GRADIENTS if name in names), None)


def find(loss: Any, fed: Iterable[Any]) -> Trained | None:
    """Return the training step that a graph with this loss holds; None if it holds none.

    Raises:
        PointError: if a trainable variable is assigned within a function or a loop, where
            forward and backward are one operation.
    """
    operations = loss.graph.get_operations()
    trainable = {_handle(variable).name for variable in tf1.trainable_variables()}
    plain = _before_updates(loss)
    forward = _needed([plain.op], by_data_only=True)
    computed = {op for op in forward if op.type not in _SOURCES}
    assignments = [
        operation
        for operation in operations
        if WRITES.match(operation.type)
        and _variable(operation) in trainable
        and _needed([value.op for value in operation.inputs[1:]], by_data_only=True) & computed
    ]
    if not assignments:
        _refuse_hidden(operations, trainable)
        return None
    updates = list(_with_followers(operations, assignments))
    first = {tensor.op for tensor in fed}
    needed = {
        operation
        for operation in _needed(updates, by_data_only=False) - forward - first
        if operation.type not in HANDLES
    }
    return Trained(
        loss=plain,
        updates=[*updates, *([loss.op] if loss is not plain else [])],
        assignments=assignments,
        backward=frozenset(_with_unused(operations, plain.op, forward, needed | set(updates))),
    )


def _handle(variable: Any) -> Any:
    return getattr(variable, "handle", variable).op


def _variable(operation: Any) -> str | None:
    """Return the name of the variable that an assignment writes to."""
    if not operation.inputs:
        return None
    handle = operation.inputs[0].op
    while handle.type not in HANDLES and handle.inputs:
        handle = handle.inputs[0].op
    return handle.name if handle.type in HANDLES else None


def _needed(ends: Iterable[Any], *, by_data_only: bool) -> set[Any]:
    waiting = list(ends)
    found = set(waiting)
    while waiting:
        operation = waiting.pop()
        before = {tensor.op for tensor in operation.inputs}
        if not by_data_only:
            before |= set(operation.control_inputs)
        waiting += before - found
        found |= before
    return found


def _before_updates(loss: Any) -> Any:
    """Return the loss before the identity that waits for the updates."""
    while loss.op.type == "Identity" and loss.op.control_inputs:
        loss = loss.op.inputs[0]
    return loss


def _with_followers(operations: Sequence[Any], assignments: Sequence[Any]) -> Iterator[Any]:
    """Yield the assignments, and what waits for them: groups, counters, an optimizer's powers."""
    found = set(assignments)
    yield from assignments
    for operation in operations:  # in the order in which they were made
        waits = any(before in found for before in operation.control_inputs)
        if waits and operation not in found and _is_update(operation):
            found.add(operation)
            yield operation


def _is_update(operation: Any) -> bool:
    return operation.type == "NoOp" or bool(WRITES.match(operation.type))


def _with_unused(
    operations: Sequence[Any], loss: Any, forward: set[Any], needed: set[Any]
) -> Iterator[str]:
    """Yield the names of what the updates need, and of what was built beside it for nothing.

    Gradients also make operations that nothing needs. They stand behind the loss, in scopes
    that hold no operation of the forward part, or get what the backward part made.
    """
    scopes = {operation.name.partition("/")[0] for operation in needed if "/" in operation.name}
    behind, found = False, set(needed)
    for operation in operations:
        if behind and operation not in found and not WRITES.match(operation.type):
            inputs = {tensor.op for tensor in operation.inputs} | set(operation.control_inputs)
            scope = operation.name.partition("/")[0]
            if operation in forward or inputs & found or scope in scopes:
                found.add(operation)
        behind = behind or operation is loss
    yield from (operation.name for operation in found)


def _refuse_hidden(operations: Sequence[Any], trainable: set[str]) -> None:
    functions = {
        function.signature.name: function for function in library.functions(operations[0].graph)
    }
    for operation in operations:
        for name in _functions_of(operation.node_def):
            for position in _written_arguments(functions, name, set()):
                # A branch's first input is what it branches on.
                shift = operation.type in {"If", "StatelessIf", "Case", "StatelessCase"}
                handle = operation.inputs[position + shift].op
                if handle.name in trainable:
                    raise PointError(
                        f"the scenario trains the variable {handle.name!r} itself, within "
                        f"{operation.name!r}: forward and backward cannot be told apart there. "
                        "Return the loss alone, without the assignments"
                    )


def _functions_of(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        for function in value.list.func:
            yield function.name


def _written_arguments(functions: dict[str, Any], name: str, seen: set[str]) -> set[int]:
    """Return which arguments of a function are variables that it assigns to."""
    if name not in functions or name in seen:
        return set()
    seen.add(name)
    function = functions[name]
    arguments = {argument.name: at for at, argument in enumerate(function.signature.input_arg)}
    written = set()
    for node in function.node_def:
        inputs = [given for given in node.input if not given.startswith("^")]
        if WRITES.match(node.op) and inputs and inputs[0] in arguments:
            written.add(arguments[inputs[0]])
        shift = node.op in {"If", "StatelessIf", "Case", "StatelessCase"}
        for inner in _functions_of(node):
            for position in _written_arguments(functions, inner, seen):
                given = inputs[position + shift]
                if given in arguments:
                    written.add(arguments[given])
    return written
