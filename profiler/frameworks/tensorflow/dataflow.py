"""What the graph says of the ops that allocate: the part of the step, variables, what they make."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow.python.framework import op_def_registry

from profiler.explain.roles import Op, Part
from profiler.frameworks.tensorflow import trained, values
from profiler.frameworks.tensorflow.flow import Flow, Node, Value, plain_name
from profiler.frameworks.tensorflow.step import TrainingStep

_LOOPS = {"While", "StatelessWhile"}
_LISTS = re.compile(r"(TensorList|EmptyTensorList|TensorArray|Stack(Push|Pop)?(V2)?$)")
# What the graph optimizer puts around the name of an op that it replaced.
_REPLACED = re.compile(r"^ConstantFolding/|-folded(-\d+)?$|/_\d+__cf__\d+$")


class Dataflow:
    """One training step that ran, to be asked about the ops that allocated."""

    def __init__(self, graph: Any, step: TrainingStep, flow: Flow, names: Iterable[str]) -> None:
        """Read the graph once.

        Args:
            graph: as it was built.
            step: what of it is run.
            flow: the graph that ran.
            names: of the ops that allocated.
        """
        self._step = step
        self._flow = flow
        self._built = {operation.name: operation for operation in graph.get_operations()}
        self._bytes = {
            name: _bytes(operation)
            for name, operation in self._built.items()
            if operation.type in values.HANDLES
        }
        self._parts = values.parts_of(flow, self._part)
        self._writers: dict[str, list[str]] = {}
        written: dict[str, Value] = {}
        gradients: list[tuple[Value, str]] = []
        for node in flow.nodes.values():
            if not trained.WRITES.match(node.type) or self._parts[node.name] is Part.FORWARD:
                continue
            variable = values.handle_of(flow, node.inputs[0])
            position = trained.gradient_input(op_def_registry.get(node.type))
            if variable is None or position is None:
                continue
            handles = [values.handle_of(flow, value) for value in node.inputs]
            self._writers[node.name] = [name for name in handles if name is not None]
            written[variable] = node.inputs[position]
            if self._parts[node.name] is Part.UPDATE:
                gradients.append((node.inputs[position], variable))
        found = values.WeightGradients(flow, self._parts, written)
        self._gradient_of = found.find(gradients)
        self._kept = values.read_by_backward(flow, self._parts, set(map(plain_name, names)))
        self._optimizer_state = self._optimizers_own()
        self._initial = dict(self._initial_values())
        self._initial.update(self._assigned_values())

    def op(self, name: str) -> Op:
        """Return what is known of the op that ran under ``name``."""
        plain = plain_name(name)
        if plain == self._step.compiled_name:
            return Op(name=name, type="XLA")
        built = self._built_of(plain)
        node = self._flow.nodes.get(plain)
        if built is None and node is None:
            variable = self._variable(plain)
            return Op(name=name, variable=variable, slots=self._slots([variable]))
        kind = _type(plain, built, node)
        variable = self._variable(plain)
        written: list[str | None] = [*self._writers.get(plain, ())] or [variable]
        return Op(
            name=name,
            type=kind,
            part=self._parts[plain] if node else self._part(plain),
            variable=variable,
            variable_bytes=self._bytes.get(variable or ""),
            writes=len(written),
            slots=self._slots(written),
            is_input=plain in self._step.copy_names,
            gradient_of=self._gradient_of.get(plain),
            read_by_backward=plain in self._kept,
            in_loop=_in_loop(built, node) or bool(_LISTS.match(kind or "")),
        )

    def _built_of(self, name: str) -> Any:
        plain = _REPLACED.sub("", name)
        return next((self._built[one] for one in _prefixes(plain) if one in self._built), None)

    def _part(self, name: str) -> Part:
        built = self._built_of(name)
        if built is None:
            return Part.UNKNOWN
        if built.name in self._step.update_names:
            return Part.UPDATE
        return Part.BACKWARD if built.name in self._step.backward_names else Part.FORWARD

    def _variable(self, name: str) -> str | None:
        """Return the variable that the op updates or initializes."""
        if name in self._writers:
            return self._writers[name][0]
        plain = _REPLACED.sub("", name)
        if plain in self._initial:
            return self._initial[plain]
        return next((prefix for prefix in _prefixes(plain) if prefix in self._bytes), None)

    def _slots(self, variables: Iterable[str | None]) -> tuple[str, ...]:
        return tuple(one for one in variables if one is not None and one in self._optimizer_state)

    def _optimizers_own(self) -> set[str | None]:
        """Return the variables that only backward and the update touch, and do not train."""
        if self._step.update is None:
            return set()
        touched: dict[bool, set[str | None]] = {True: set(), False: set()}
        for node in self._flow.nodes.values():
            if not values.is_variable(node):
                is_forward = self._parts[node.name] is Part.FORWARD
                touched[is_forward].update(values.handle_of(self._flow, one) for one in node.inputs)
        trainable = {getattr(one, "handle", one).op.name for one in self._step.variables}
        return touched[False] - touched[True] - trainable - {None}

    def _initial_values(self) -> Iterator[tuple[str, str]]:
        """Yield the ops in whose buffer a variable's first value may lie, and the variable."""
        for operation in self._built.values():
            if not operation.type.startswith("Assign") or operation.name in self._writers:
                continue
            handle = operation.inputs[0].op
            if handle.name not in self._bytes:
                continue
            waiting, seen = [operation.inputs[1]], set()
            while waiting:
                tensor = waiting.pop()
                if tensor.op.name in seen or tensor.op.type in values.HANDLES:
                    continue
                seen.add(tensor.op.name)
                yield tensor.op.name, handle.name
                waiting += [one for one in tensor.op.inputs if _as_large(one, tensor)]

    def _assigned_values(self) -> Iterator[tuple[str, str]]:
        """Yield the ops in whose buffer a variable's next value may lie, and the variable."""
        for name, variables in self._writers.items():
            node = self._flow.nodes[name]
            if node.type not in {"Assign", "AssignVariableOp"}:
                continue
            value, seen = node.inputs[1], set()
            waiting = [value]
            while waiting:
                value = waiting.pop()
                source = self._flow.nodes.get(value[0])
                if source is None or source.name in seen or source.type == "ReadVariableOp":
                    continue
                seen.add(source.name)
                if self._parts[source.name] is not Part.FORWARD:
                    yield source.name, variables[0]
                    waiting += [
                        one
                        for one in source.inputs
                        if self._flow.count(one) == self._flow.count(value)
                    ]


def _bytes(handle: Any) -> int | None:
    kind = handle.get_attr("dtype")
    shape = handle.get_attr("shape")
    if shape.unknown_rank or any(dimension.size < 0 for dimension in shape.dim):
        return None
    count = 1
    for dimension in shape.dim:
        count *= dimension.size
    return int(count * kind.size)


def _as_large(one: Any, other: Any) -> bool:
    shapes = one.shape, other.shape
    return all(shape.is_fully_defined() for shape in shapes) and (
        shapes[0].num_elements() == shapes[1].num_elements()
    )


def _type(name: str, built: Any, node: Node | None) -> str | None:
    if built is not None and built.name == name:
        return str(built.type)
    return node.type if node else None


def _in_loop(built: Any, node: Node | None) -> bool:
    if node is not None and node.in_loop:
        return True
    if built is None:
        return False
    context = built._get_control_flow_context()  # noqa: SLF001 (there is no public way)
    return built.type in _LOOPS or (context is not None and context.IsWhileContext())


def _prefixes(name: str) -> Iterator[str]:
    """Yield the name and its scopes, the longest first."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def ops(names: list[str], graph: Any, step: TrainingStep, flow: Flow) -> list[Op]:
    """Return what the graph says of each op."""
    dataflow = Dataflow(graph, step, flow, names)
    return [dataflow.op(name) for name in names]
