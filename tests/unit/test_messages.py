"""TensorFlow's words on missing memory are read into facts, whatever stands around them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.frameworks.tensorflow.messages import (
    MOST_CHARACTERS,
    MOST_LINES,
    NO_CONSTANT,
    Refusal,
    refusals,
    shortage,
    type_of,
)

# TensorFlow's names of types, those of numpy, and the bytes of an item.
TYPES = {
    "bool": ("bool", 1),
    "uint8": ("uint8", 1),
    "half": ("float16", 2),
    "bfloat16": ("bfloat16", 2),
    "float": ("float32", 4),
    "int32": ("int32", 4),
    "double": ("float64", 8),
    "int64": ("int64", 8),
    "complex64": ("complex64", 8),
    "complex128": ("complex128", 16),
}
BFC = "bfc_cpu_allocator_for_gpu"
GRANULE = 256
KIB, MIB = 1 << 10, 1 << 20

shapes = st.lists(st.integers(0, 1 << 9), max_size=6)
types = st.sampled_from(sorted(TYPES))
parts = st.text("abcXYZ019_.>-", min_size=1, max_size=12)
names = st.lists(parts, min_size=1, max_size=6).map("/".join)
devices = st.sampled_from(["CPU:0", "GPU:0", "GPU:11"])


def _tensor(shape: list[int], kind: str, device: str = "CPU:0", allocator: str = BFC) -> str:
    return (
        f"OOM when allocating tensor with shape[{','.join(map(str, shape))}] and type {kind} on "
        f"/job:localhost/replica:0/task:0/device:{device} by allocator {allocator}"
    )


def _node(name: str, function: str | None = None) -> str:
    inside = f"{{{{function_node {function}}}}}" if function else ""
    return f"\t [[{inside}{{{{node {name}}}}}]]"


def _refused(
    op: str, size: int, *, stamp: str = "W0000 00:00:17.2 99 bfc_allocator.cc:502] "
) -> str:
    rounded = -(-size // GRANULE) * GRANULE
    said = f"{size}B" if size < KIB else f"{size / MIB:.2f}MiB"
    return (
        f"{stamp}Allocator ({BFC}) ran out of memory trying to allocate {said} "
        f"(rounded to {rounded})requested by op {op}"
    )


def _constant(shape: list[int], kind: str, node: str) -> str:
    """Return the error of a folded constant, whose content is the longest part of it."""
    sizes = [f"    size: {size}\n" if size else "" for size in shape]
    dims = "".join(f"  dim {{\n{size}  }}\n" for size in sizes)
    content = "\\016t" * 3000
    return (
        f"{NO_CONSTANT}: goo.gle/debugproto    \ndtype: DT_{kind}\n"
        f'tensor_shape {{\n{dims}}}\ntensor_content: "{content}"\n\n{_node(node)}'
    )


@given(shapes, types, names, devices, names)
def test_a_tensor_comes_back_from_the_message(
    shape: list[int], kind: str, node: str, device: str, allocator: str
) -> None:
    """Its shape, type, bytes, node, device and allocator, from the error alone."""
    found = shortage(f"{_tensor(shape, kind, device, allocator)}\n{_node(node)}\nHint: none")
    dtype, item = TYPES[kind]

    assert (found.shape, found.dtype, found.op) == (shape, dtype, node)
    assert found.requested_bytes == math.prod(shape) * item
    assert (found.device, found.allocator) == (device, allocator)


@given(shapes, types, names, names)
def test_a_node_of_a_loop_has_the_name_that_the_allocator_knows(
    shape: list[int], kind: str, loop: str, node: str
) -> None:
    """The error names it within the loop's body only; the bytes stay those of the tensor."""
    full = f"{loop}/while/body/_1/{node}"
    size = math.prod(shape) * TYPES[kind][1]
    found = shortage(
        f"{_tensor(shape, kind)}\n{_node(node, 'body_40_rewritten')}",
        refusals([_refused("another", 9), _refused(full, size), _refused("later", 9)]),
    )

    assert (found.op, found.requested_bytes) == (full, size)
    assert full in found.lines[-1]


def test_a_refusal_to_another_node_is_not_mistaken_for_it() -> None:
    """Part of a name is no match, and neither is what failed beside it."""
    message = f"{_tensor([2], 'float')}\n{_node('cell/MatMul')}"
    found = shortage(message, refusals([_refused("subcell/MatMul", 512), _refused("other", 9)]))

    assert (found.op, found.requested_bytes) == ("cell/MatMul", 8)
    assert found.lines == [line.strip() for line in message.splitlines()]


@given(shapes, st.sampled_from(["FLOAT", "DOUBLE", "INT32", "BOOL"]), names)
def test_a_folded_constant_comes_back_from_the_message(
    shape: list[int], kind: str, node: str
) -> None:
    """Its shape and type are read from the tensor that could not be made, sizes of 0 too."""
    dtype, item = TYPES[kind.lower()]
    size = math.prod(shape) * item
    found = shortage(_constant(shape, kind, node), refusals([_refused(node, size)]))

    assert (found.op, found.op_type) == (node, "Const")
    assert (found.shape, found.dtype, found.requested_bytes) == (shape, dtype, size)
    assert found.allocator == BFC
    assert found.lines[0].startswith(f"Allocator ({BFC}) ran out of memory")


def test_an_eager_operation_has_a_type_and_no_node() -> None:
    """The allocator knows it by its type, which is not a node's name."""
    message = f"{{{{function_node __wrapped__Fill}}}} {_tensor([4000, 1000], 'float')} [Op:Fill]"
    found = shortage(message, refusals([_refused("Fill", 16_000_000)]))

    assert (found.op, found.op_type) == (None, "Fill")
    assert found.requested_bytes == 4000 * 1000 * 4
    assert found.lines[0].startswith("OOM when")


def test_bytes_without_a_tensor_are_the_allocators() -> None:
    """Rounded up as it rounds them, exact rather than in MiB."""
    found = shortage("failed to allocate memory", refusals([_refused("a/b", 10 * MIB + 1)]))

    assert (found.op, found.shape, found.dtype) == ("a/b", None, None)
    assert found.requested_bytes == 10 * MIB + GRANULE


def test_bytes_that_only_the_message_gives_are_taken() -> None:
    """Compilers ask for one buffer and name no tensor."""
    found = shortage("Out of memory while trying to allocate 123456 bytes.")

    assert found.requested_bytes == 123456
    assert (found.op, found.shape, found.device) == (None, None, None)


def test_a_type_without_a_known_size_has_no_computed_bytes() -> None:
    """A handle's bytes are the allocator's to know; it gives few of them exactly."""
    message = f"{_tensor([], 'variant')}\n{_node('push')}"

    assert shortage(message).requested_bytes is None
    assert shortage(message, refusals([_refused("push", 64)])).requested_bytes == 64


def test_what_the_framework_does_not_say_is_none() -> None:
    """Nothing is made up; its words are kept."""
    found = shortage("no room\n")

    assert found.lines == ["no room"]
    assert {found.op, found.op_type, found.dtype, found.allocator, found.device} == {None}
    assert (found.shape, found.requested_bytes) == (None, None)


@given(st.text(), st.lists(st.text()))
def test_any_text_is_read_without_an_error(message: str, log: list[str]) -> None:
    """A child that is out of memory must not stumble over its own words."""
    found = shortage(message, refusals(log))

    assert len(found.lines) <= MOST_LINES


fragments = st.sampled_from(
    [
        "OOM when allocating tensor with shape[",
        "] and type float on /device:",
        "9" * 5000,
        "٣",
        ",",
        "-1",
        f"Allocator ({BFC}) ran out of memory trying to allocate ",
        "(rounded to ",
        ")requested by op ",
        f"{NO_CONSTANT}\ndtype: DT_FLOAT\ntensor_shape {{\n  dim {{\n    size: ",
        "\n}",
        "{{node ",
        "}}",
        "ut of memory trying to allocate ",
        " bytes",
        "\nHint:",
        "\n",
        "x" * 700,
    ]
)


@given(st.lists(fragments, max_size=12).map("".join))
def test_garbled_messages_are_read_without_an_error(text: str) -> None:
    """Also numbers that no integer takes, and halves of known phrases; lines stay short."""
    found = shortage(text, refusals(text.splitlines()))

    assert len(found.lines) <= MOST_LINES
    assert all(len(line) <= MOST_CHARACTERS for line in found.lines)


def _report(in_use: list[int], free: list[int], *, unclaimed: str = "0B") -> list[str]:
    """Return an allocator's report on its chunks, of each of which half had been asked for."""
    stamp = "I0000 00:00:17.2 99 bfc_allocator.cc:1105] "
    lines = [
        f"Bin ({size}): \tTotal Chunks: 1, Chunks in use: 1. {size}B allocated for chunks. "
        f"{size}B in use in bin. {size / 2 / KIB:.2f}KiB client-requested in use in bin."
        for size in in_use
    ]
    lines += [f"Next region of size {sum(in_use) + sum(free)}"]
    lines += [f"InUse at 7f606b7ff040 of size {size} next 7" for size in in_use]
    lines += [f"Free  at 7f60800f9040 of size {size} next 18446744073709551615" for size in free]
    pool = f"Total size in pool: 1.00MiB memory_limit_: 1.00MiB available size: {unclaimed}"
    lines += ["1 Chunks of size 1048576 totalling 1.00MiB", f"{pool} curr_region_: 16.00MiB"]
    return [f"{stamp}{line}" for line in lines]


chunks = st.lists(st.integers(1, 1 << 12).map(lambda count: count * KIB), max_size=5)


@given(chunks, chunks)
def test_the_allocators_account_of_its_chunks_is_added_up(
    in_use: list[int], free: list[int]
) -> None:
    """What is in use, what of it was asked for, what is free, and the largest piece of that."""
    log = [_refused("x", 9), *_report(in_use, free), _refused("later", 9)]
    found, later = refusals(log)

    assert (found.in_use, found.free) == (sum(in_use), sum(free))
    assert found.largest_free == max(free, default=0)
    assert found.held == sum(in_use) / 2
    assert (later.in_use, later.held, later.free, later.largest_free) == (None,) * 4
    told = shortage(f"{_tensor([MIB], 'float')}\n{_node('x')}", [found, later])
    assert (told.in_use_bytes, told.held_bytes) == (found.in_use, found.held)
    assert (told.free_bytes, told.largest_free_bytes) == (found.free, found.largest_free)


def test_an_allocator_that_may_still_grow_has_no_largest_piece() -> None:
    """What it has not claimed could have become a chunk of any size."""
    (found,) = refusals([_refused("x", 9), *_report([KIB], [KIB], unclaimed="2.00MiB")])

    assert (found.in_use, found.free, found.largest_free) == (None, None, None)


@given(st.text("abc ", max_size=40), names, st.integers(0, 1 << 40))
def test_refusals_are_found_among_other_lines(noise: str, op: str, size: int) -> None:
    """Whatever the runtime logs beside them, and whatever stamp they carry."""
    found = refusals([noise, _refused(op, size, stamp=noise), noise])

    given = size if size < KIB else -(-size // GRANULE) * GRANULE
    assert found == [Refusal(_refused(op, size, stamp=""), BFC, given, op)]


@given(names, names, parts)
def test_a_lowered_node_has_the_type_of_its_function(loop: str, node: str, kind: str) -> None:
    """The longest name that the library knows decides."""
    assert type_of(f"{loop}/body/_1/{node}", {node: {kind}}) == kind
    assert type_of(f"{loop}/body/_1/{node}", {f"{node}/no": {kind}}) is None


@pytest.mark.parametrize("op", ["mul", "while/body/_1/mul"])
def test_a_name_of_several_types_has_none(op: str) -> None:
    """Two functions may call different nodes the same."""
    assert type_of(op, {"mul": {"Mul", "MatMul"}}) is None
