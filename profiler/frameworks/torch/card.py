"""What a CUDA card of any size would do with what the CPU's allocator was asked for."""

from __future__ import annotations

from itertools import accumulate

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import (
    HOPPER_WORKSPACE_BYTES,
    MIB,
    WORKSPACE_BYTES,
    CachingAllocator,
    reserved_for_workspaces,
)

# By cuBLAS; what of them changes a tensor in place takes no memory, and is no label of a trace.
_PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "matmul", "linear", "einsum"}
# Of torch.compile's kernels it is not known which are products: all are taken to be.
_COMPILED = "Compiled"
# 80 and 141 GiB are those of an H100 and an H200; smaller cards are mostly of other kinds.
_LEAST_HOPPER_BYTES = 80 << 30
_BESIDE = "cuDNN's, the CUDA context, other streams, expandable_segments"


class Card(CachingAllocator):
    """Limits hold for what a card would reserve; peaks are what the CPU's tensors take.

    What else a card holds is not in it: see ``left_out``, and ``kept_on_card``.
    """

    def peak(self, trace: Trace) -> int:
        """Return the most bytes of tensors at once, not rounded to blocks."""
        return max(in_use(trace), default=0)

    def backprop(self, trace: Trace) -> int | None:
        """Return what the last step takes beyond what is in use before it."""
        if not trace.last_run:
            return None
        held = in_use(trace)
        before = held[trace.last_run_at - 1] if trace.last_run_at else 0
        return max(held[trace.last_run_at :]) - before


def has_product(trace: Trace) -> bool:
    """Whether a step makes a matrix product, as far as its trace shows."""
    names = {label.rpartition("/")[2] for label in trace.labels}
    return not _PRODUCTS.isdisjoint(names) or any(_COMPILED in label for label in trace.labels)


def kept_on_card(trace: Trace, card_bytes: int) -> int:
    """Return what cuBLAS's workspaces take of a card of that size, if the step needs them."""
    if not has_product(trace):
        return 0
    is_hopper = card_bytes >= _LEAST_HOPPER_BYTES
    return reserved_for_workspaces(HOPPER_WORKSPACE_BYTES if is_hopper else WORKSPACE_BYTES)


def left_out(trace: Trace) -> str:
    """Return what a card of no known kind would hold beside the tensors of a trace."""
    if not has_product(trace):
        return f"workspace of {_BESIDE}"
    small, large = (
        reserved_for_workspaces(one) // MIB for one in (WORKSPACE_BYTES, HOPPER_WORKSPACE_BYTES)
    )
    return f"workspace of cuBLAS ({large} MiB on Hopper, {small} MiB on older cards), {_BESIDE}"


def in_use(trace: Trace) -> list[int]:
    """Return the bytes in use after each event, each tensor with what it asked for."""
    sizes: dict[int, int] = {}

    def change(allocation: int, size: int) -> int:
        if size:
            sizes[allocation] = size
            return size
        return -sizes.pop(allocation)

    return [*accumulate(change(*event) for event in trace.events)]
