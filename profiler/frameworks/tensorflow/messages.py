"""What TensorFlow's words on missing memory say: pure functions over texts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from profiler.facts import Shortage

# What the runtime logs when an allocation failed for good and it gives the step up.
ABORT_MARKER = "is aborting with status: RESOURCE_EXHAUSTED"
# What is said of a constant that Grappler folded and the allocator has no room for.
NO_CONSTANT = "Cannot parse tensor from proto"
MOST_LINES = 5
MOST_CHARACTERS = 500

_TENSOR = re.compile(
    r"OOM when allocating tensor with shape\[(\d{1,19}(?:,\d{1,19})*)?\] and type (\w+)"
    r"(?: on (\S+))?(?: by allocator (\S+))?"
)
_CONSTANT = re.compile(r"dtype: DT_(\w+)\s+tensor_shape \{(.*?)^\}", re.DOTALL | re.MULTILINE)
_NODE = re.compile(r"\{\{node ([^{}\s]+)\}\}")
_EAGER_TYPE = re.compile(r"\[Op:(\w+)\]")
_DEVICE = re.compile(r"device:(\w+:\d+)")
_ALLOCATOR = re.compile(
    r"Allocator \((\S+)\) ran out of memory trying to allocate (?:(\d{1,4})B|\S+)"
    r"(?: \(rounded to (\d{1,19})\))?\s*requested by op (\S+)"
)
# The allocator's own report after a failure: each of its chunks, and the memory that it has not
# claimed yet, of which one more chunk could have come.
_CHUNK = re.compile(r"\b(InUse|Free ) at [0-9a-f]+ of size (\d{1,19}) next ")
_BIN = re.compile(r"in use in bin\. ([\d.]+)([KMGT]i)?B client-requested in use in bin")
_UNITS = {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
_POOL = re.compile(r"Total size in pool: \S+ memory_limit_: \S+ available size: (\S+)")
_BYTES = re.compile(r"ut of memory (?:while )?trying to allocate (\d{1,19}) bytes")
# A message may hold megabytes of a constant; its shape stands at its beginning.
_HEAD = 4000
_NUMPY_NAMES = {"half": "float16", "float": "float32", "double": "float64"}
_ITEM_BYTES = {
    **dict.fromkeys(("bool", "int8", "uint8", "qint8", "quint8"), 1),
    **dict.fromkeys(("float8_e5m2", "float8_e4m3fn"), 1),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16", "qint16", "quint16"), 2),
    **dict.fromkeys(("float32", "int32", "uint32", "qint32"), 4),
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 8),
    "complex128": 16,
}


class Refusal(NamedTuple):
    """What the allocator itself logged: what it could not give, to whom, and what it had."""

    line: str
    allocator: str
    bytes: int | None
    op: str
    in_use: int | None = None
    held: int | None = None
    free: int | None = None
    largest_free: int | None = None


def refusals(log: Iterable[str]) -> list[Refusal]:
    """Return the allocations that the allocator logged as failed, in their order."""
    found: list[Refusal] = []
    in_use, held, free = [0], [0.0], [0]
    for line in log:
        if (match := _ALLOCATOR.search(line)) is not None:
            size = match[2] or match[3]  # exact below 1 KiB, else rounded up
            found.append(Refusal(match[0], match[1], int(size) if size else None, match[4]))
            in_use, held, free = [0], [0.0], [0]
        elif (size_class := _BIN.search(line)) is not None:
            held.append(float(size_class[1]) * (1 << _UNITS[size_class[2]]))
        elif (chunk := _CHUNK.search(line)) is not None:
            (in_use if chunk[1] == "InUse" else free).append(int(chunk[2]))
        elif found and (pool := _POOL.search(line)) is not None and pool[1] == "0B":
            found[-1] = found[-1]._replace(
                in_use=sum(in_use),
                held=round(sum(held)),
                free=sum(free),
                largest_free=max(free),
            )
    return found


def shortage(message: str, refused: Iterable[Refusal] = ()) -> Shortage:
    """Return what an error of missing memory says was asked for.

    Args:
        message: the error's text, or what the runtime logs of it.
        refused: what the allocator itself logged; it knows nodes of loops by their full
            name, and the bytes that it was asked for, rounded up.
    """
    tensor = _TENSOR.search(message)
    node = _NODE.search(message)
    eager = _EAGER_TYPE.search(message)
    refusal = _refusal_of(node[1] if node else None, list(refused))
    is_constant = NO_CONSTANT in message
    name = refusal.op if refusal and not eager else node[1] if node else None
    shape, dtype = _shape_and_dtype(message, tensor)
    device = _DEVICE.search(tensor[3] or "") if tensor else None
    return Shortage(
        op=name,
        op_type="Const" if is_constant else eager[1] if eager else None,
        shape=shape,
        dtype=dtype,
        device=device[1] if device else None,
        allocator=(tensor[4] if tensor else None) or (refusal.allocator if refusal else None),
        requested_bytes=_requested(shape, dtype, refusal, message),
        in_use_bytes=refusal.in_use if refusal else None,
        held_bytes=refusal.held if refusal else None,
        free_bytes=refusal.free if refusal else None,
        largest_free_bytes=refusal.largest_free if refusal else None,
        lines=_lines(message, refusal, allocator_first=is_constant),
    )


def type_of(op: str, built: Mapping[str, set[str]]) -> str | None:
    """Return the type of a node of a loop or a function, or None where it is not clear.

    Args:
        op: its full name, as ``rnn/while/body/_1/cell/MatMul``.
        built: the types of the function library's nodes by their name there, as
            ``cell/MatMul``; several where functions use one name for different nodes.
    """
    parts = op.split("/")
    for start in range(len(parts)):
        types = built.get("/".join(parts[start:]))
        if types:
            return next(iter(types)) if len(types) == 1 else None
    return None


def _refusal_of(node: str | None, refused: list[Refusal]) -> Refusal | None:
    """Return the last refusal to that node; others may have tried and failed since."""
    if node is not None:
        refused = [one for one in refused if f"/{one.op}".endswith(f"/{node}")]
    return refused[-1] if refused else None


def _shape_and_dtype(
    message: str, tensor: re.Match[str] | None
) -> tuple[list[int] | None, str | None]:
    if tensor is not None:
        shape = [int(size) for size in (tensor[1] or "").split(",") if size]
        return shape, _NUMPY_NAMES.get(tensor[2], tensor[2])
    constant = _CONSTANT.search(message[:_HEAD]) if NO_CONSTANT in message else None
    if constant is None:
        return None, None
    dtype = constant[1].lower()
    sizes = re.findall(r"dim \{\s*(?:size: (\d{1,19}))?", constant[2])  # a size of 0 is not printed
    return [int(size or 0) for size in sizes], _NUMPY_NAMES.get(dtype, dtype)


def _requested(
    shape: list[int] | None, dtype: str | None, refusal: Refusal | None, message: str
) -> int | None:
    if shape is not None and dtype in _ITEM_BYTES:
        return math.prod(shape) * _ITEM_BYTES[dtype]
    if refusal is not None and refusal.bytes is not None:
        return refusal.bytes
    said = _BYTES.search(message)
    return int(said[1]) if said else None


def _lines(message: str, refusal: Refusal | None, *, allocator_first: bool) -> list[str]:
    start = message.find("OOM when")
    head = message[max(start, 0) :][: MOST_LINES * _HEAD].partition("\nHint:")[0]
    said = [line.strip() for line in head.splitlines() if line.strip()]
    logged = [refusal.line] if refusal else []
    said = said[: MOST_LINES - len(logged)]
    lines = [*logged, *said] if allocator_first else [*said, *logged]
    return [line[:MOST_CHARACTERS] for line in lines]
