"""Runs under the preloaded malloc.c: are its changes those that PyTorch's profiler recorded?"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from profiler.frameworks.torch import native, recording
from profiler.frameworks.torch.step import made


class Change(ctypes.Structure):
    """As in malloc.c."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t))


def code_of(library: str) -> tuple[int, int]:
    """Return where the code of a loaded library lies."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    spans = [line.split()[0].split("-") for line in lines if line.endswith(library)]
    return int(spans[0][0], 16), int(spans[-1][1], 16)


def known(changes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the changes without releases of what was there before, or of other memory."""
    held: set[int] = set()
    found = []
    for address, size in changes:
        if size or address in held:
            (held.add if size else held.discard)(address)
            found.append((address, size))
    return found


def compared(noted: ctypes.CDLL, build: Any) -> tuple[int, bool]:
    """Return how many changes a recording has, and whether exactly these were noted."""
    count, first, last = (
        kind.in_dll(noted, f"malloc_{name}")
        for name, kind in (
            ("count", ctypes.c_long),
            ("from", ctypes.c_size_t),
            ("to", ctypes.c_size_t),
        )
    )
    count.value = 0
    last.value, first.value = reversed(code_of("libc10.so"))
    found = recording.recorded(build)
    last.value = 0
    log = (Change * (1 << 20)).in_dll(noted, "malloc_log")
    theirs = known((one.address, one.size) for one in log[: count.value])
    mine = known((one.address, one.size if one.taken else 0) for one in found.stream.changes)
    # The step itself is given back after the recording has ended.
    return len(mine), theirs[: len(mine)] == mine and not any(
        size for _, size in theirs[len(mine) :]
    )


def main(path: str, *names: str) -> None:
    """Print a line for each scenario, as ``scenarios.torch_recurrent:torch_loop``."""
    noted = ctypes.CDLL(path)
    native.account_for_all()
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(_enabled=False)
    for name in names:
        module, _, function = name.partition(":")
        scenario = getattr(importlib.import_module(module), function)
        build = functools.partial(lambda scenario: made(scenario(20)), scenario)
        build().run()
        print(function, *compared(noted, build), flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
