"""What the graph says of the ops that allocate: the part of the step, variables, loops, sums."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from profiler.explain.roles import Op, Part
from profiler.frameworks.tensorflow import messages
from profiler.frameworks.tensorflow.step import TrainingStep
from profiler.frameworks.tensorflow.theory import Cell

_LOOPS = {"While", "StatelessWhile"}
_LISTS = re.compile(r"(TensorList|EmptyTensorList|TensorArray|Stack(Push|Pop)?(V2)?$)")
# They hand their input on, or add their inputs up.
_PASSES = {"Identity", "IdentityN", "Reshape", "StopGradient", "PreventGradient", "Cast"}
_SUMS = {"AddN", "AddV2", "Add", "AccumulateNV2"}
# The kernels of the library's cells, and how many times their units these have columns.
_KERNELS = {
    "basic_rnn_cell/kernel": ("basic", 1),
    "lstm_cell/kernel": ("lstm", 4),
    "basic_lstm_cell/kernel": ("lstm", 4),
    "gru_cell/candidate/kernel": ("gru", 1),
}
# What the graph optimizer puts around the name of an op that it replaced.
_REPLACED = re.compile(r"^ConstantFolding/|-folded(-\d+)?$")


class Dataflow:
    """One built training step, to be asked about the ops that ran."""

    def __init__(self, graph: Any, step: TrainingStep) -> None:
        """Read the graph once."""
        self._step = step
        self._built = {operation.name: operation for operation in graph.get_operations()}
        functions = graph.as_graph_def().library.function
        self._functions = {function.signature.name: function for function in functions}
        self._inner: dict[str, set[str]] = defaultdict(set)
        for function in functions:
            for node in function.node_def:
                self._inner[node.name].add(node.op)
        self._variables = {variable.op.name for variable in step.variables}
        self._updates: dict[str, str] = {
            operation.name: operation.inputs[0].op.name for operation in step.update.control_inputs
        }
        self._in_loops: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._summands = dict(self._all_summands())

    def op(self, name: str) -> Op:
        """Return what is known of the op that ran under ``name``."""
        plain = _REPLACED.sub("", name)
        prefixes = list(_prefixes(plain))
        built = next((self._built[prefix] for prefix in prefixes if prefix in self._built), None)
        if built is None:
            return Op(name=name)
        exact = built.name == plain
        kind = built.type if exact else messages.type_of(plain, self._inner)
        return Op(
            name=name,
            type=kind,
            part=self._part(built.name),
            variable=self._variable(plain),
            is_input=plain in self._step.copy_names,
            gradient_of=self._gradient_of(plain),
            in_loop=built.type in _LOOPS or bool(_LISTS.match(kind or "")),
        )

    def _part(self, name: str) -> Part:
        if name in self._step.update_names:
            return Part.UPDATE
        return Part.BACKWARD if name in self._step.backward_names else Part.FORWARD

    def _variable(self, name: str) -> str | None:
        """Return the variable that the op updates or initializes."""
        if name in self._updates:
            return self._updates[name]
        return next((prefix for prefix in _prefixes(name) if prefix in self._variables), None)

    def _gradient_of(self, name: str) -> str | None:
        if name in self._summands:
            return self._summands[name]
        # An op of a loop's body runs under the loop's name, and those of its functions.
        for loop in _prefixes(name):
            for inner, variable in self._in_loops.get(loop, ()):
                if name.endswith(f"/{inner}"):
                    return variable
        return None

    def _all_summands(self) -> Iterator[tuple[str, str]]:
        """Yield each op whose output is summed up into a variable's gradient, and the variable."""
        for variable, gradient in zip(self._step.variables, self._step.gradients, strict=True):
            tensor = getattr(gradient, "values", gradient)
            for name in self._sources(tensor, variable.op.name):
                yield name, variable.op.name

    def _sources(self, tensor: Any, variable: str) -> Iterator[str]:
        waiting, seen = [tensor], set()
        while waiting:
            tensor = waiting.pop()
            operation = tensor.op
            if tensor.name in seen:
                continue
            seen.add(tensor.name)
            if operation.type in _LOOPS:
                body = self._functions[operation.get_attr("body").name]
                for inner in _loop_summands(body, tensor.value_index):
                    self._in_loops[operation.name].append((inner, variable))
                continue
            yield operation.name
            if operation.type in _SUMS:
                waiting += operation.inputs
            elif operation.type in _PASSES:
                # An IdentityN hands on each of its inputs, the others their first.
                waiting.append(operation.inputs[tensor.value_index])


def _loop_summands(body: Any, index: int) -> Iterator[str]:
    """Yield the nodes of a loop's body whose outputs are added up in its output ``index``."""
    nodes = {node.name: node for node in body.node_def}
    waiting, seen = [body.ret[body.signature.output_arg[index].name]], set()
    while waiting:
        source = waiting.pop()
        name, *output = source.split(":")  # "node:output:0", or an argument's name
        if source in seen or name not in nodes:
            continue
        seen.add(source)
        yield name
        inputs = [given for given in nodes[name].input if not given.startswith("^")]
        if nodes[name].op in _SUMS:
            waiting += inputs
        elif nodes[name].op in _PASSES:
            waiting.append(inputs[int(output[-1]) if output else 0])


def _prefixes(name: str) -> Iterator[str]:
    """Yield the name and its scopes, the longest first."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def ops(names: Iterable[str], graph: Any, step: TrainingStep) -> list[Op]:
    """Return what the graph says of each op."""
    dataflow = Dataflow(graph, step)
    return [dataflow.op(name) for name in names]


def cells(variables: Iterable[Any]) -> Iterator[Cell]:
    """Yield each of the library's recurrent cells, by the shape of its kernel."""
    for variable in variables:
        for name, (kind, gates) in _KERNELS.items():
            if f"/{variable.op.name}".endswith(f"/{name}"):
                rows, columns = variable.shape.as_list()
                units = columns // gates
                yield Cell(kind=kind, inputs=rows - units, units=units)
