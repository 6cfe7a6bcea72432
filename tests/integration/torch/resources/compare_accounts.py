"""Runs under the preloaded malloc.c: are its changes those that PyTorch's profiler recorded?"""

import ctypes
import functools
import importlib
import sys

import torch

from profiler.frameworks.torch import native, recording
from profiler.frameworks.torch.step import made


class Change(ctypes.Structure):
    """As in malloc.c."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_size_t))


def changes(library: ctypes.CDLL) -> list[tuple[int, int]]:
    """Return address and bytes of each block taken, and 0 bytes where it is given back."""
    count = ctypes.c_long.in_dll(library, "malloc_count").value
    log = (Change * (1 << 20)).in_dll(library, "malloc_log")
    held: set[int] = set()
    found = []
    for at in range(count):
        address, size = log[at].address, log[at].size
        if size:
            held.add(address)
        elif address in held:
            held.discard(address)
        else:
            continue  # libc10 gives back other memory, too
        found.append((address, size))
    return found


def main(path: str, module: str, *names: str) -> None:
    """Print a line for each scenario: how many changes there were, and whether both agree."""
    library = ctypes.CDLL(path)
    native.account_for_all()
    torch.set_num_threads(1)
    for name in names:
        build = getattr(importlib.import_module(module), name)
        make = functools.partial(lambda build: made(build(20)), build)
        make().run()
        is_on = ctypes.c_int.in_dll(library, "malloc_on")
        ctypes.c_long.in_dll(library, "malloc_count").value = 0
        is_on.value = 1
        found = recording.recorded(make)
        is_on.value = 0
        mine = [(one.address, one.size if one.taken else 0) for one in found.stream.changes]
        theirs = changes(library)
        held: set[int] = set()
        known = []
        for address, size in mine:  # as above: without what was there before
            if size:
                held.add(address)
            elif address not in held:
                continue
            known.append((address, size))
        print(name, len(known), theirs[: len(known)] == known, len(theirs) - len(known))


main(*sys.argv[1:])
