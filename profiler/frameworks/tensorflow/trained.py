"""A graph that already trains itself: it assigns to its trainable variables what the loss leads to.

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
    r"^(Resource)?(Sparse)?Apply[A-Z]|^Assign(Add|Sub)?(VariableOp)?$|^(Resource)?StridedSliceAssign$"
    r"|^(Resource)?Scatter(Nd)?(Update|Add|Sub|Mul|Div|Min|Max)$"
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
        writes: those of them that assign to variables.
        hidden: those of these that do so in functions of their own, as a branch does.
        backward: names of the operations that only the updates need.
    """

    loss: Any
    updates: Sequence[Any]
    writes: Sequence[Any]
    hidden: Sequence[Any]
    backward: frozenset[str]


def gradient_input(op_def: Any) -> int | None:
    """Return at which input an assignment takes the gradient, or what is assigned."""
    names = [argument.name for argument in op_def.input_arg]
    return next((names.index(name) for name in _GRADIENTS if name in names), None)


def is_write(operation: Any) -> bool:
    """Return whether the operation assigns to a variable."""
    return bool(WRITES.match(operation.type))


def find(
    loss: Any, fed: Iterable[Any], update: Sequence[Any] = (), *, others: Sequence[Any] = ()
) -> Trained | None:
    """Return the training step that a graph with this loss holds; None if it holds none.

    Args:
        loss: the scalar to minimise.
        fed: the tensors that are fed.
        update: the operations that train; empty to look for any.
        others: further losses: what any of them needs is forward, too.

    Raises:
        PointError: if the loss itself needs an operation in whose functions a trainable variable
            is assigned: forward and backward are one there. Or if ``update`` trains nothing.
    """
    operations = loss.graph.get_operations()
    trainable = {_handle(variable).name for variable in tf1.trainable_variables()}
    plain = _before_updates(loss)
    ends = {plain.op, *(one.op for one in others)}
    forward = _needed(ends, by_data_only=True)
    computed = {op for op in forward if op.type not in _SOURCES}
    ran = _needed(update, by_data_only=False) if update else set(operations)
    written = _written_from(computed, [one for one in operations if one in ran and is_write(one)])
    assignments = [one for one in written if _variable(one) in trainable]
    hidden = [one for one in _hidden(operations, trainable, forward) if one in ran]
    if not assignments and not hidden:
        if update:
            raise PointError("the update assigns nothing that the loss leads to: it does not train")
        return None
    updates = [one for one in _with_followers(operations, [*assignments, *hidden]) if one in ran]
    writes = [one for one in updates if is_write(one) or one in hidden]
    first = {tensor.op for tensor in fed}
    updates += [one for one in update if one not in updates]
    needed = {
        operation
        for operation in _needed(updates, by_data_only=False) - forward - first
        if operation.type not in HANDLES
    }
    return Trained(
        loss=plain,
        updates=[*updates, *([loss.op] if loss is not plain else [])],
        writes=writes,
        hidden=hidden,
        backward=frozenset(_with_unused(operations, ends, forward, needed | set(updates))),
    )


def added(loss: Any, update: Any, operations: Sequence[Any]) -> Trained:
    """Return the training step that was made of a loss by adding operations to its graph.

    Args:
        loss: the scalar to minimise.
        update: the operation that trains; what it assigns needs not come of the loss.
        operations: all that were added.
    """
    ran = _needed([update], by_data_only=False)
    everything = loss.graph.get_operations()
    trainable = {_handle(variable).name for variable in tf1.trainable_variables()}
    hidden = [one for one in _hidden(everything, trainable, set()) if one in ran]
    return Trained(
        loss=loss,
        updates=[update],
        writes=[one for one in everything if one in ran and (is_write(one) or one in hidden)],
        hidden=hidden,
        backward=frozenset(operation.name for operation in operations),
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


def _written_from(computed: set[Any], writes: Iterable[Any]) -> list[Any]:
    """Return the assignments of what is computed, also of what variables carry from one to another.

    An optimizer may put gradients into its averages, and assign what it reads from these.
    """
    waiting = {
        one: _needed([value.op for value in one.inputs[1:]], by_data_only=True) for one in writes
    }
    found = [one for one, needed in waiting.items() if needed & computed]
    reads = {
        one: {_variable(op) for op in needed if op.type == "ReadVariableOp"}
        for one, needed in waiting.items()
    }
    carrying = {_variable(one) for one in found}
    while more := [one for one in waiting if one not in found and reads[one] & carrying]:
        found += more
        carrying |= {_variable(one) for one in more}
    return [one for one in waiting if one in found]


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
    return operation.type == "NoOp" or is_write(operation)


def _with_unused(
    operations: Sequence[Any], losses: set[Any], forward: set[Any], needed: set[Any]
) -> Iterator[str]:
    """Yield the names of what the updates need, and of what was built beside it for nothing.

    Gradients also make operations that nothing needs. They stand behind the last loss, in scopes
    that hold no operation of the forward part, or get what the backward part made.
    """
    scopes = {operation.name.partition("/")[0] for operation in needed if "/" in operation.name}
    last = max(number for number, operation in enumerate(operations) if operation in losses)
    found = set(needed)
    for number, operation in enumerate(operations):
        if number > last and operation not in found and not is_write(operation):
            inputs = {tensor.op for tensor in operation.inputs} | set(operation.control_inputs)
            scope = operation.name.partition("/")[0]
            if operation in forward or inputs & found or scope in scopes:
                found.add(operation)
    yield from (operation.name for operation in found)


def _hidden(operations: Sequence[Any], trainable: set[str], forward: set[Any]) -> Iterator[Any]:
    """Yield the operations in whose functions a trainable variable is assigned."""
    functions = {
        function.signature.name: function for function in library.functions(operations[0].graph)
    }
    for operation in operations:
        handle = _written_within(operation, functions, trainable)
        if handle is None:
            continue
        if operation in forward:
            raise PointError(
                f"the scenario trains the variable {handle!r} itself, within "
                f"{operation.name!r}: forward and backward cannot be told apart there. "
                "Return the loss alone, without the assignments"
            )
        yield operation


def _written_within(operation: Any, functions: dict[str, Any], trainable: set[str]) -> str | None:
    for name in _functions_of(operation.node_def) if functions else ():
        for position in _written_arguments(functions, name, set()):
            # A branch's first input is what it branches on.
            shift = operation.type in {"If", "StatelessIf", "Case", "StatelessCase"}
            handle = operation.inputs[position + shift].op
            if handle.name in trainable:
                return str(handle.name)
    return None


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
