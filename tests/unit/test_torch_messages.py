"""What PyTorch says when memory runs out, read from its own texts."""

from __future__ import annotations

import pytest

from profiler.frameworks.torch.messages import shortage

CPU = (
    "[enforce fail at alloc_cpu.cpp:124] data. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 17179869184 bytes. Error code 12 (Cannot allocate memory)"
)
CARD = (
    "CUDA out of memory. Tried to allocate 20.50 MiB. GPU 1 has a total capacity of 15.77 GiB of "
    "which 10.00 MiB is free. Including non-PyTorch memory, this process has 15.75 GiB memory in "
    "use. Of the allocated memory 14.25 GiB is allocated by PyTorch, and 33.44 MiB is reserved by "
    "PyTorch but unallocated."
)


def test_the_cpu_s_allocator_names_the_exact_bytes() -> None:
    """Nothing else: no op, no shape."""
    found = shortage(CPU)

    assert found is not None
    assert found.requested_bytes == 17179869184
    assert (found.device, found.op, found.shape) == ("CPU", None, None)
    assert found.lines == [CPU.removeprefix("[enforce fail at alloc_cpu.cpp:124] data. ")]


def test_a_card_s_allocator_rounds_to_two_digits() -> None:
    """What it names is taken as it stands."""
    found = shortage(CARD)

    assert found is not None
    assert found.device == "GPU:1"
    assert found.requested_bytes == 20.5 * (1 << 20)
    assert found.free_bytes == 10 << 20
    assert found.held_bytes == 14.25 * (1 << 30)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CUDA error: an illegal memory access was encountered",
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)",
        "out of memory",
    ],
)
def test_another_error_is_no_shortage(text: str) -> None:
    """A word about memory is not enough."""
    assert shortage(text) is None


def test_a_unit_that_is_not_known_gives_no_number() -> None:
    """Rather none than a wrong one."""
    found = shortage("CUDA out of memory. Tried to allocate 3 furlongs.")

    assert found is not None
    assert found.requested_bytes is None
