"""The graph that ran, as plain nodes: functions that the runtime did not inline are opened up.

A session shows the graph that it ran after the graph optimizer: loops are lowered into their
nodes there. A function that was not inlined stays one node, and its nodes run under their own
names: the graph's library describes these.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from profiler.frameworks.tensorflow import library

# The type of what stands for a function's argument, or for a result of a call.
JOINT = "(joint)"
_RESULT = "(result) "
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_WHILES = {"While", "StatelessWhile"}
_BRANCHES = {"If", "StatelessIf"}
_CASES = {"Case", "StatelessCase"}
# A lowered loop's or branch's nodes have a number of their own in their names.
_LOWERED = re.compile(r"/_\d+(?=/)")
_SPECIALIZED = re.compile(r"_specialized_for_.*$")

Value = tuple[str, int]


@dataclass(kw_only=True)
class Node:
    """A node that ran.

    Attributes:
        name: its own, without the numbers of lowered loops.
        type: of its op.
        inputs: what it reads, without control inputs.
        caller: the executed graph's node in whose function it lies; its own name if in none.
        in_loop: it lies in a loop of a function that was not inlined.
    """

    name: str
    type: str
    inputs: list[Value]
    caller: str
    in_loop: bool = False


@dataclass(kw_only=True)
class Flow:
    """Nodes by name, and what is known of their outputs.

    Attributes:
        nodes: by name.
        elements: per name, how many numbers each output has, where it was seen to run.
        runs: per name, how often it was seen to run.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    elements: Mapping[str, Sequence[int]] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)

    def consumers(self) -> dict[str, list[tuple[str, int, int]]]:
        """Return for each node who reads it: the name, at which input, which output."""
        found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for node in self.nodes.values():
            for position, (source, output) in enumerate(node.inputs):
                found[source].append((node.name, position, output))
        return found

    def count(self, value: Value) -> int | None:
        """Return how many numbers the value holds, where it was seen."""
        sizes = self.elements.get(value[0], ())
        return sizes[value[1]] if value[1] < len(sizes) else None


def plain_name(name: str) -> str:
    """Return a node's name without the numbers of lowered loops."""
    return _LOWERED.sub("", name)


def of_run(metadata: Any, graph: Any) -> Flow:
    """Return the graph that ran, from a traced run's metadata and the graph as it was built."""
    elements: dict[str, list[int]] = {}
    runs: Counter[str] = Counter()
    for device in metadata.step_stats.dev_stats:
        for stats in device.node_stats:
            name = plain_name(stats.node_name)
            runs[name] += 1
            if stats.output and name not in elements:
                elements[name] = list(_sizes(stats.output))
    functions = library.functions(graph)
    builder = _Builder({function.signature.name: function for function in functions})
    with graph.as_default():  # where functions know one another
        for part in metadata.partition_graphs:
            builder.add(part.node, _Place())
    return Flow(nodes=builder.finished(), elements=elements, runs=runs)


def _sizes(outputs: Iterable[Any]) -> Iterator[int]:
    by_slot = {output.slot: output.tensor_description.shape.dim for output in outputs}
    for slot in range(max(by_slot) + 1):
        count = 1
        for dimension in by_slot.get(slot, ()):
            count *= dimension.size
        yield count if slot in by_slot else 0


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where nodes lie: before their names, in whose function, in a loop of it or not."""

    scope: str = ""
    caller: str | None = None
    in_loop: bool = False


class _Builder:
    """Gathers nodes; what several calls of one function share is one node that joins them."""

    def __init__(self, library: Mapping[str, Any]) -> None:
        """Take the functions by name."""
        self._nodes: dict[str, Node] = {}
        self._library = library
        self._outputs: dict[Value, str] = {}
        self._opened: set[tuple[str, str]] = set()

    def finished(self) -> dict[str, Node]:
        """Return the nodes; who reads a result of a call reads what it joins."""
        for node in self._nodes.values():
            node.inputs = [
                (self._outputs[value], 0) if value in self._outputs else value
                for value in node.inputs
            ]
        return self._nodes

    def add(self, nodes: Iterable[Any], place: _Place) -> None:
        """Add nodes, and those of the functions that they call."""
        for node in nodes:
            name = place.scope + plain_name(node.name)
            inputs = [_value(place.scope, one) for one in node.input if not one.startswith("^")]
            caller = place.caller or name
            self._join(name, node.op, inputs, replace(place, caller=caller))
            self._open(node, name, inputs, replace(place, caller=caller))

    def _join(self, name: str, kind: str, inputs: list[Value], place: _Place) -> None:
        there = self._nodes.get(name)
        if there is None:
            self._nodes[name] = Node(
                name=name,
                type=kind,
                inputs=list(inputs),
                caller=place.caller or name,
                in_loop=place.in_loop,
            )
        elif kind == JOINT:
            there.inputs += [value for value in inputs if value not in there.inputs]

    def _open(  # noqa: C901 (a kind of node each)
        self, node: Any, name: str, inputs: list[Value], place: _Place
    ) -> None:
        attributes = node.attr
        if node.op in _CALLS:
            # The nodes of a call run under their own names, wherever the call stands.
            within = replace(place, scope="")
            self._call(attributes["f"].func.name, name, inputs, within)
        elif node.op in _WHILES:
            for index, value in enumerate(inputs):
                self._joined(name, index, value, place)
            state = [(name, index) for index in range(len(inputs))]
            for branch in ("cond", "body"):
                within = replace(place, scope=f"{name}/{branch}/", in_loop=True)
                results = self._body(attributes[branch].func.name, state, within)
                if branch == "body":
                    for index, value in enumerate(results):
                        self._joined(name, index, value, place)
        elif node.op in _BRANCHES:
            for branch in ("then", "else"):
                within = replace(place, scope=f"{name}/{branch}/")
                self._call(attributes[f"{branch}_branch"].func.name, name, inputs[1:], within)
        elif node.op in _CASES:
            for number, function in enumerate(attributes["branches"].list.func):
                within = replace(place, scope=f"{name}/branch{number}/")
                self._call(function.name, name, inputs[1:], within)

    def _call(self, function: str, name: str, inputs: list[Value], place: _Place) -> None:
        for index, value in enumerate(self._body(function, inputs, place)):
            self._joined(name, index, value, place)

    def _joined(self, name: str, index: int, value: Value, place: _Place) -> None:
        """Let a value flow into an output of the node of that name."""
        joint = self._outputs.setdefault((name, index), f"{name}{_RESULT}{index}")
        self._join(joint, JOINT, [value], place)

    def _body(self, function: str, given: list[Value], place: _Place) -> list[Value]:
        """Add a function's nodes and return its results."""
        definition = self._library.get(function) or self._library.get(
            _SPECIALIZED.sub("", function)
        )
        if definition is None:
            return []
        graph, names = function_def_to_graph_def(definition)
        arguments = [plain_name(one.name) for one in definition.signature.input_arg]
        for argument, value in zip(arguments, given, strict=False):
            self._join(place.scope + argument, JOINT, [value], place)
        if (function, place.scope) not in self._opened:
            self._opened.add((function, place.scope))
            self.add((node for node in graph.node if node.name not in set(arguments)), place)
        returned = [definition.ret[one.name] for one in definition.signature.output_arg]
        return [_value(place.scope, names.get(one, one)) for one in returned]


def _value(scope: str, given: str) -> Value:
    name, _, output = given.partition(":")
    return scope + plain_name(name), int(output or 0)
