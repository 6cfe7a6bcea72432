"""A CUDA card that a point's tensors lie on, and what its caching allocator says of itself.

Of PyTorch's own sources this rests on ``torch/cuda/memory.py`` (``memory_stats``, ``_snapshot``,
``_record_memory_history``) and ``DeviceCachingAllocator::setMemoryFraction``, read at torch 2.11 to
2.14. Nothing of it has been run on a card yet.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from profiler.errors import error_text
from profiler.frameworks import PointError
from profiler.frameworks.torch import history
from profiler.frameworks.torch.history import History, HistoryError

# What changes the allocator, or what libraries ask it for; as users set it for all their programs.
_SETTINGS = (
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUBLASLT_WORKSPACE_SIZE",
    "TORCH_CUBLASLT_UNIFIED_WORKSPACE",
)
_NO_CACHING = "PYTORCH_NO_CUDA_MEMORY_CACHING"
_MEASURED = "native"


class Card:
    """The one card that this process sees.

    Attributes:
        device: as PyTorch calls it.
        kind: as its profiler calls it.
        limit_bytes: the most that its allocator may reserve; None: all that the card has.
    """

    device, kind = "cuda:0", "cuda"

    def __init__(self, limit_bytes: int | None) -> None:
        """Take the limit; CUDA is not touched yet."""
        self.limit_bytes = limit_bytes

    def start(self) -> None:
        """Start CUDA and what backward runs in, and cap the allocator.

        Raises:
            PointError: if there is no card, if it has less than the limit, or if the user has set
                another allocator than the one that is measured.
        """
        if _NO_CACHING in os.environ:
            raise PointError(f"{_NO_CACHING} is set: there is no allocator to measure; unset it")
        try:
            torch.cuda.init()
            one = torch.ones(2, device=self.device, requires_grad=True)
            (one * one).sum().backward()
            del one
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            backend = torch.cuda.get_allocator_backend()
            if backend != _MEASURED:
                raise PointError(f"the card's allocator is {backend}: only {_MEASURED} is measured")
            if self.limit_bytes is not None:
                self._cap(self.limit_bytes)
        except (AssertionError, RuntimeError) as error:
            raise PointError(f"CUDA does not start on this card: {error_text(error)}") from error

    def _cap(self, limit: int) -> None:
        free, total = torch.cuda.mem_get_info()
        if free < limit:
            raise PointError(
                f"the card has {free:,} of its {total:,} bytes free, and the limit is {limit:,}: "
                "the card has less, or another program holds some of it"
            )
        torch.cuda.set_per_process_memory_fraction(fraction(limit, total))

    def lift(self) -> None:
        """End the limit: what runs from now on is no part of any training."""
        if self.limit_bytes is not None:
            torch.cuda.set_per_process_memory_fraction(1.0)

    def building(self) -> contextlib.AbstractContextManager[object]:
        """While it is open, tensors that are made lie on the card unless they are told where."""
        context: contextlib.AbstractContextManager[object] = torch.device(self.device)
        return context

    def synchronize(self) -> None:
        """Wait for all that was asked of the card."""
        torch.cuda.synchronize()

    @property
    def allocated(self) -> int | None:
        """Bytes of the blocks handed out now; None where the allocator does not say."""
        return _stat("allocated_bytes.all.current")

    @property
    def peak(self) -> int | None:
        """The most bytes of blocks since the last ``reset_peak``."""
        return _stat("allocated_bytes.all.peak")

    @property
    def reserved_peak(self) -> int | None:
        """The most bytes of segments since the last ``reset_peak``."""
        return _stat("reserved_bytes.all.peak")

    def reset_peak(self) -> None:
        """Reset the peaks to what is held now."""
        torch.cuda.reset_peak_memory_stats()

    @contextlib.contextmanager
    def recording(self) -> Iterator[History]:
        """While it is open, record what the allocator does; what it yields is complete after it.

        Raises:
            HistoryError: if the allocator does not report it, or not as it is read here.
        """
        found = History()
        with _told():
            found.held.extend(history.held(_snapshot()))
            # Without stacks: PyTorch's profiler says whom a block is for.
            torch.cuda.memory._record_memory_history(  # noqa: SLF001 (there is no public way)
                "all", context=None, stacks="python"
            )
        try:
            yield found
            with _told():
                found.entries.extend(history.entries(_snapshot()))
        finally:
            torch.cuda.memory._record_memory_history(None)  # noqa: SLF001


def fraction(limit: int, total: int) -> float:
    """Return the share of the card's bytes of which the allocator makes just this limit.

    It multiplies with the total and rounds down.
    """
    share = limit / total
    while int(share * total) < limit:
        share = math.nextafter(share, 2.0)
    return min(share, 1.0)


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the user set of the allocator and of libraries' workspace."""
    return {name: environment[name] for name in _SETTINGS if environment.get(name)}


def names() -> list[str]:
    """Return the names of the cards that this process sees; it is of no use to be forked then."""
    return [_name(index) for index in range(torch.cuda.device_count())]


def _name(index: int) -> str:
    try:
        return str(torch.cuda.get_device_name(index))
    except (AssertionError, RuntimeError):
        return "unknown"


def _stat(name: str) -> int | None:
    value = torch.cuda.memory_stats().get(name)
    return None if value is None else int(value)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Within it, whatever goes wrong is a fault of the history: none of it is public."""
    try:
        yield
    except Exception as error:
        reason = f"the card's allocator does not report its history: {error_text(error)}"
        raise HistoryError(reason) from error


def _snapshot() -> Mapping[str, Any]:
    found: Mapping[str, Any] = torch.cuda.memory._snapshot()  # noqa: SLF001 (no public way)
    return found
