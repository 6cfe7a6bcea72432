"""What tensors are, by the dataflow of the graph that ran: gradients of weights, kept tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from profiler.explain.roles import Part
from profiler.frameworks.tensorflow.flow import JOINT, Flow, Node, Value

# They hand their first input on, or one of several.
PASSES = {
    *("Identity", "IdentityN", "Reshape", "Cast", "Squeeze", "ExpandDims", "Transpose"),
    *("StopGradient", "PreventGradient", "CheckNumerics", "EnsureShape", "Snapshot"),
    *("Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration"),
    *("Switch", "RefSwitch", "RefIdentity", "DestroyTemporaryVariable", "CopyOp", "DeepCopy"),
    *("Slice", "StridedSlice", "ConjugateTranspose", "Bitcast", "ReadVariableOp"),
}
_FIRST = PASSES - {"IdentityN"}
_JOINS = {"Merge", "RefMerge", JOINT, "Pack", "ConcatV2", "Concat", "ParallelConcat"}
_SPLITS = {"Unpack": 0, "SplitV": 0, "Split": 1}
_SUMS = {"AddN", "AddV2", "Add", "AccumulateNV2", "Sub", "AssignAdd", "_AddN"}
_PRODUCTS = {"Mul", "RealDiv", "Div", "DivNoNan", "MulNoNan"}
_ELEMENTWISE = {
    *("Maximum", "Minimum", "ClipByValue", "Neg", "Square", "Sqrt", "Rsqrt", "Abs", "Sign", "Pow"),
    *("Select", "SelectV2", "Tanh", "Exp", "Log", "Reciprocal", "Inv", "Conj", "Real", "Round"),
    *("SquaredDifference", "IsFinite", "IsInf", "IsNan", "Floor", "ZerosLike", "Relu", "Mod"),
}
_LIKE_INPUTS = _SUMS | _PRODUCTS | _ELEMENTWISE
# Lists of tensors: who reads the list may read what was put into it.
_STORES = {"TensorListPushBack": 1, "TensorListSetItem": 2}
_LISTS = {
    *("TensorListPushBack", "TensorListSetItem", "TensorListPopBack", "TensorListGetItem"),
    *("TensorListConcatLists", "TensorListResize"),
}
# They read no number of what they are given.
_SHAPES = {
    *("Shape", "ShapeN", "Size", "Rank", "TensorListLength", "TensorListElementShape"),
    *("TensorArraySizeV3", "TensorArrayGradV3", "VariableShape", "NoOp"),
}
_READS = {"ReadVariableOp"}
HANDLES = {"VarHandleOp", "VariableV2", "Variable"}


def is_variable(node: Node) -> bool:
    """Return whether the node stands for a variable."""
    return node.type in HANDLES


def handle_of(flow: Flow, value: Value) -> str | None:
    """Return the variable that a value is the handle, or the reference, of."""
    seen = set()
    waiting = [value]
    while waiting:
        name, _ = waiting.pop()
        node = flow.nodes.get(name)
        if node is None or name in seen:
            continue
        seen.add(name)
        if is_variable(node):
            return name
        if node.type in _JOINS or node.type in _FIRST - _READS:
            waiting += node.inputs
    return None


class WeightGradients:
    """Which nodes make gradients of weights, or what is the same: scaled, clipped, cast, summed.

    A gradient is followed back from the update to the op that made it, and on to what is
    computed of it, number by number.
    """

    def __init__(self, flow: Flow, parts: Mapping[str, Part], written: Mapping[str, Value]) -> None:
        """Take the parts of the nodes, and per variable the values that the step writes to it."""
        self._flow = flow
        self._parts = parts
        self._written = written
        self._given = _depends_on_data(flow)

    def find(self, gradients: Iterable[tuple[Value, str]]) -> dict[str, str]:
        """Return the variable of each such node, from the gradients that the update takes."""
        found: dict[str, str] = {}
        for value, variable in gradients:
            for name in self._back(value):
                found.setdefault(name, variable)
        consumers = self._flow.consumers()
        waiting = list(found)
        while waiting:
            source = waiting.pop()
            for name, _, output in consumers.get(source, ()):
                if name not in found and self._is_like(name, (source, output)):
                    found[name] = found[source]
                    waiting.append(name)
        return found

    def _back(self, value: Value) -> Iterator[str]:
        waiting, seen = [value], {value}
        while waiting:
            value = waiting.pop()
            node = self._flow.nodes.get(value[0])
            if node is None:
                continue
            if self._parts.get(node.name) is not Part.FORWARD and node.type not in _READS:
                yield node.name
            elif node.type != JOINT and node.type not in _READS:
                continue
            for given in self._sources(node, value):
                if given not in seen:
                    seen.add(given)
                    waiting.append(given)

    def _sources(self, node: Node, value: Value) -> list[Value]:  # noqa: PLR0911 (a table)
        inputs = node.inputs
        if node.type in _READS:
            # An optimizer written by hand keeps the gradient in variables of its own.
            variable = handle_of(self._flow, inputs[0])
            return [self._written[variable]] if variable and variable in self._written else []
        if node.type == "IdentityN":
            return inputs[value[1] : value[1] + 1]
        if node.type in _SPLITS:
            at = _SPLITS[node.type]
            return inputs[at : at + 1]
        if node.type in _FIRST:
            return inputs[:1]
        if node.type in _JOINS:
            return inputs
        if node.type in _LIKE_INPUTS:
            count = self._flow.count(value)
            same = [one for one in inputs if self._flow.count(one) in {count, None}]
            if node.type in _PRODUCTS and any(self._is_activation(one) for one in same):
                return []  # it is here that the gradient is made
            return same
        return []

    def _is_activation(self, value: Value) -> bool:
        name = value[0]
        return self._parts.get(name) is Part.FORWARD and name in self._given

    def _is_like(self, name: str, source: Value) -> bool:
        node = self._flow.nodes[name]
        if self._parts.get(name) not in {Part.BACKWARD, Part.UPDATE}:
            return False
        if node.type in _FIRST or node.type in {"IdentityN", "Merge", JOINT}:
            return node.type != "Merge" or node.inputs[0] == source
        size = self._flow.count(source)
        same = size is not None and self._flow.count((name, 0)) == size
        return same and node.type in _LIKE_INPUTS


def _depends_on_data(flow: Flow) -> set[str]:
    """Return the nodes that compute with what no constant and no variable holds."""
    consumers = flow.consumers()
    waiting = [
        node.name for node in flow.nodes.values() if node.type in {"_Arg", "_Recv", "Placeholder"}
    ]
    waiting += [node.name for node in flow.nodes.values() if "Random" in node.type]
    found = set(waiting)
    while waiting:
        for name, _, _ in consumers.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def read_by_backward(flow: Flow, parts: Mapping[str, Part], allocates: Collection[str]) -> set[str]:
    """Return the forward nodes whose output lies in a buffer that a node of backward reads.

    Args:
        flow: what ran.
        parts: of the nodes.
        allocates: the nodes that allocate: any other one works in the buffer of an input, if
            that is as large as its output.
    """
    found: set[str] = set()
    waiting: list[Value] = []
    for node in flow.nodes.values():
        if parts.get(node.name) is Part.BACKWARD and node.type not in _SHAPES:
            waiting += node.inputs
    seen = set(waiting)
    while waiting:
        value = waiting.pop()
        source = flow.nodes.get(value[0])
        if source is None or parts.get(source.name) is not Part.FORWARD:
            continue
        found.add(source.name)
        for given in _shared(flow, source, value, allocates):
            if given not in seen:
                seen.add(given)
                waiting.append(given)
    return found


def _shared(  # noqa: PLR0911 (a table)
    flow: Flow, node: Node, value: Value, allocates: Collection[str]
) -> list[Value]:
    """Return the inputs that may lie in the buffer of a node's output, or in a list it returns."""
    if node.type in _LISTS:
        return node.inputs[: 1 + _STORES.get(node.type, 0)]
    if node.type in {"Merge", "RefMerge", JOINT}:
        return node.inputs
    if node.name in allocates:
        return []
    if node.type == "IdentityN":
        return node.inputs[value[1] : value[1] + 1]
    if node.type in _FIRST:
        return node.inputs[:1]
    if node.type in _SPLITS:
        return node.inputs[_SPLITS[node.type] :][:1]
    count = flow.count(value)
    return [one for one in node.inputs if count is not None and flow.count(one) == count]


def parts_of(flow: Flow, known: Callable[[str], Part]) -> dict[str, Part]:
    """Return the part of every node; of what the graph optimizer made, by what is around it."""
    parts = {node.name: known(node.caller) for node in flow.nodes.values()}
    consumers = flow.consumers()
    unknown = [name for name, part in parts.items() if part is Part.UNKNOWN]
    for _ in range(len(unknown)):
        changed = False
        for name in unknown:
            if parts[name] is Part.UNKNOWN:
                before = {parts.get(source, Part.UNKNOWN) for source, _ in flow.nodes[name].inputs}
                after = {parts[reader] for reader, _, _ in consumers.get(name, ())}
                parts[name] = _between(before, after)
                changed = changed or parts[name] is not Part.UNKNOWN
        if not changed:
            break
    return parts


def _between(before: set[Part], after: set[Part]) -> Part:
    if Part.FORWARD in after:
        return Part.FORWARD
    for part in (Part.UPDATE, Part.BACKWARD):
        if part in before:
            return part
    for part in (Part.BACKWARD, Part.UPDATE):
        if part in after:
            return part
    return Part.FORWARD if before == {Part.FORWARD} else Part.UNKNOWN
