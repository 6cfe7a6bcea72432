"""A graph's functions, and its serialized size; a graph beyond 2 GiB still lists its functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, EncodeError


def functions(graph: Any) -> list[Any]:
    """Return the definitions of the graph's functions, without serializing the graph."""
    known = graph._functions.values()  # noqa: SLF001 (there is no public way)
    return [function.cached_definition for function in known]


def op_types(graph: Any) -> Iterator[str]:
    """Yield the op type of each node in the graph's functions."""
    for function in functions(graph):
        for node in function.node_def:
            yield node.op


def serialized_bytes(graph: Any) -> int | None:
    """Return the bytes of the graph with its functions; None where it is too large for that."""
    try:
        return int(graph.as_graph_def().ByteSize())
    except (DecodeError, EncodeError, ValueError):  # protocol buffers end at 2 GiB
        return None
