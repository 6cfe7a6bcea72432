"""What PyTorch says when memory runs out, read from its own texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiler.facts import Shortage
from profiler.frameworks.torch.messages import is_of_card, place, shortage

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


# The same sentence under a limit on the process's share, from the text of torch 2.14.1.
CAPPED = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.18 GiB of "
    "which 78.61 GiB is free. Including non-PyTorch memory, this process has 578.00 MiB memory in "
    "use. 64.00 MiB allowed; Of the allocated memory 43.42 MiB is allocated by PyTorch, with 2.00 "
    "MiB allocated in private pools (e.g., CUDA Graphs), and 4.58 MiB is reserved by PyTorch but "
    "unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
REJECTED = (
    "CUDA out of memory. Allocation was preemptively rejected because it would exceed "
    "per_process_memory_fraction limit. Requested size: 20.00 MiB"
)


def test_a_limit_on_the_process_s_share_says_what_was_held() -> None:
    """The card has more than was asked for: it is the limit that was met."""
    found = shortage(CAPPED)

    assert found is not None
    assert (found.device, found.requested_bytes) == ("GPU:0", 20 << 20)
    assert found.held_bytes == round(43.42 * (1 << 20))
    assert not is_of_card(found)


def test_what_is_rejected_beforehand_is_a_shortage() -> None:
    """From torch 2.14 on, where the user's settings ask for it."""
    found = shortage(REJECTED)

    assert found is not None
    assert found.requested_bytes == 20 << 20
    assert not is_of_card(found)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        CAPPED.replace("78.61 GiB is free", "10.00 MiB is free"),
    ],
)
def test_a_card_that_is_full_itself_is_told_from_a_limit(text: str) -> None:
    """No limit of an allocator was met: another program may hold the card."""
    found = shortage(text)

    assert found is not None
    assert is_of_card(found)
    assert "\n" not in found.lines[0]


def test_an_unknown_number_is_no_full_card() -> None:
    """It is not told."""
    assert not is_of_card(Shortage(allocator="CUDACachingAllocator", requested_bytes=1))


class TestPlace:
    """Where memory ran out: the innermost line of the user's own code."""

    def test_the_users_line_is_told_with_its_text(self) -> None:
        """As an editor shows it."""
        with pytest.raises(RuntimeError) as raised:
            raise RuntimeError  # told
        found = place(raised.tb, ["/nowhere"])

        assert found is not None
        assert found.startswith("test_torch_messages.py:")
        assert found.endswith("raise RuntimeError  # told")

    def test_without_one_the_line_of_the_step_is(self) -> None:
        """Backward is called by stepwall, for a module and its loss."""
        with pytest.raises(RuntimeError) as raised:
            raise RuntimeError
        found = place(raised.tb, ["/torch", str(Path(__file__).parent)])

        assert found == "raise RuntimeError"

    def test_nothing_is_told_of_nowhere(self) -> None:
        """An error that was never raised has no place."""
        assert place(None, ["/torch", "/stepwall"]) is None


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
