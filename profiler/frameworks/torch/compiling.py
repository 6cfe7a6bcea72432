"""Counting what ``torch.compile`` makes of a step: the graphs that Dynamo captured, and AOT's."""

from __future__ import annotations

import contextlib
import copy
import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
import torch.fx
from torch._dynamo import output_graph
from torch._dynamo.backends import common
from torch.torch_version import TorchVersion

from profiler.facts import GraphStage
from profiler.frameworks.torch import phases

# Of autograd's graphs for ahead of time: what makes something of each part.
_COMPILERS = {
    "fw_compiler": phases.FORWARD,
    "inference_compiler": phases.FORWARD,
    "bw_compiler": phases.BACKWARD,
}
# Before it, gradients of what a scan's body takes from outside are wrong.
_RIGHT_SCAN = TorchVersion("2.13")


@dataclass
class Graphs:
    """The nodes of what was compiled, each with its name and its operation.

    Attributes:
        captured: of the graphs that Dynamo captured of Python code.
        traced: by part, of the graphs that AOT autograd made of those.
        bodies: of both kinds of graphs, by which of them: those of scan and of other operations
            that take functions.
    """

    captured: list[tuple[str, str]] = field(default_factory=list)
    traced: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    bodies: dict[str, list[str]] = field(default_factory=dict)

    def of(self, *parts: str) -> list[tuple[str, str]]:
        """Return name and operation of each node of these parts."""
        return [node for part in parts for node in self.traced.get(part, [])]

    @property
    def library(self) -> list[str]:
        """The operation of each node in a body, in the last graphs that are known."""
        return self.bodies.get(phases.TRACED if self.traced else phases.CAPTURED, [])

    @property
    def has_wrong_scan(self) -> bool:
        """Whether a captured graph has a scan, and its gradients are wrong in this version."""
        return torch.__version__ < _RIGHT_SCAN and any(op == "scan" for _, op in self.captured)

    def see(self, stage: str, graph: Any, part: str = "") -> None:
        """Count a graph: its own nodes, and apart those of the functions that these call."""
        nodes = [(node.name, _operation(node)) for node in graph.graph.nodes]
        if stage == phases.TRACED:
            self.traced.setdefault(part, []).extend(nodes)
        else:
            self.captured += nodes
        inner = [one for one in graph.modules() if one is not graph]
        self.bodies.setdefault(stage, []).extend(
            _operation(node)
            for one in inner
            if isinstance(one, torch.fx.GraphModule)
            for node in one.graph.nodes
        )

    def stages(self) -> list[GraphStage]:
        """Return the stages of graph size, those of which both parts are known first."""
        beside = [phases.BODIES] if self.library else []
        found: list[GraphStage] = []
        if self.traced:
            parts = {part: len(nodes) for part, nodes in sorted(self.traced.items(), reverse=True)}
            found.append(
                GraphStage(
                    name=phases.TRACED,
                    nodes=sum(parts.values()),
                    parts=parts,
                    by_op=_counts(op for nodes in self.traced.values() for _, op in nodes),
                    beside=beside,
                )
            )
        if self.captured:
            found.append(
                GraphStage(
                    name=phases.CAPTURED,
                    nodes=len(self.captured),
                    by_op=_counts(op for _, op in self.captured),
                    beside=[] if found else beside,
                )
            )
        if beside:
            library = self.library
            found.insert(
                1, GraphStage(name=phases.BODIES, nodes=len(library), by_op=_counts(library))
            )
        kernels = _kernels()
        return found + ([GraphStage(name=phases.KERNELS, nodes=kernels)] if kernels else [])


def _counts(operations: Any) -> dict[str, int]:
    return dict(Counter(operations).most_common())


def _operation(node: Any) -> str:
    if node.op != "call_function":
        return str(node.target if node.op == "call_method" else node.op)
    target = getattr(node.target, "overloadpacket", node.target)
    return str(getattr(target, "__name__", target))


def _kernels() -> int:
    inductor = sys.modules.get("torch._inductor.metrics")  # other backends make no kernels
    return int(getattr(inductor, "generated_kernel_count", 0))


@contextlib.contextmanager
def watched() -> Iterator[Graphs]:
    """While it is open, count each graph that is compiled; it is compiled as without it."""
    found = Graphs()
    capture = output_graph.OutputGraph.call_user_compiler
    trace = common.aot_module_simplified

    @functools.wraps(capture)
    def captured(output: Any, graph: Any, *args: Any, **kwargs: Any) -> Any:
        found.see(phases.CAPTURED, graph)
        return capture(output, graph, *args, **kwargs)

    @functools.wraps(trace)
    def traced(*args: Any, **kwargs: Any) -> Any:
        for name, part in _COMPILERS.items():
            if kwargs.get(name) is not None:
                kwargs[name] = _seeing(found, kwargs[name], part)
        return trace(*args, **kwargs)

    with (
        mock.patch.object(output_graph.OutputGraph, "call_user_compiler", captured),
        mock.patch.object(common, "aot_module_simplified", traced),
    ):
        yield found


def _seeing(found: Graphs, compiler: Any, part: str) -> Any:
    """Return the same compiler, whose graphs are counted as of that part."""
    inner = getattr(compiler, "compiler_fn", None)
    if inner is not None:  # one that says what it returns, by its class
        same = copy.copy(compiler)
        same.compiler_fn = _seeing(found, inner, part)
        return same

    @functools.wraps(compiler)
    def compile(graph: Any, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # noqa: A001
        found.see(phases.TRACED, graph, part)
        made: Callable[..., Any] = compiler(graph, *args, **kwargs)
        return made

    return compile
