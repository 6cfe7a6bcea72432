"""The CPU allocator's own account, in a library of PyTorch's that Python does not wrap.

``ProfiledCPUMemoryReporter`` in ``c10/core/CPUAllocator.h`` holds the size of each block and their
sum. Without the flag it leaves out blocks made while no profiler records, and their releases.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch

_FLAG = "FLAGS_caffe2_report_cpu_memory_usage"
_REPORTER = "_ZN3c1025profiledCPUMemoryReporterEv"
# A std::mutex and a std::unordered_map lie before the sum, in GNU's C++ library on 64 bits.
_OFFSET = 40 + 56
_PROBE_BYTES = 12_344


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))


def account_for_all() -> bool:
    """Let the allocator account for every block from now on; False where it has no such flag."""
    try:
        flag = ctypes.c_bool.in_dll(_library(), _FLAG)
    except (OSError, ValueError):
        return False
    flag.value = True
    return True


def bytes_in_use() -> int | None:
    """Return the sum of the blocks that the CPU's allocator has handed out; None if not known."""
    counter = _counter()
    return None if counter is None else int(counter.value)


@functools.cache
def _counter() -> ctypes.c_size_t | None:
    """Return the sum itself, if it counts a tensor to the byte."""
    try:
        reporter = getattr(_library(), _REPORTER)
    except (OSError, AttributeError):
        return None
    reporter.restype = ctypes.c_void_p
    counter = ctypes.c_size_t.from_address(reporter() + _OFFSET)
    before = counter.value
    probe = torch.empty(_PROBE_BYTES, dtype=torch.uint8)
    during = counter.value
    del probe
    counts = during - before == _PROBE_BYTES and counter.value == before
    return counter if counts else None
