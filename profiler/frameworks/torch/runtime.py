"""PyTorch in a child: set up for a point, with an allocator that reports what it does."""

from __future__ import annotations

import random
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import profiler
from profiler.facts import Point, Schedule, Shortage, replace
from profiler.frameworks import Description, PointError, visible_cards
from profiler.frameworks.torch import device, messages, native
from profiler.limits import host_memory

_WRAPPERS = ("torch._dynamo.exc", "torch._inductor.exc")
# Of these files no line is the user's.
_OURS = tuple(str(Path(str(one.__file__)).parent) for one in (torch, random, profiler))


class ReplayedShortageError(Exception):
    """A step would not fit under the device's limit; it was replayed, not refused."""

    def __init__(self, shortage: Shortage) -> None:
        """Take what there is no room for."""
        super().__init__(shortage.lines[0])
        self.shortage = shortage


class TorchRuntime:
    """See ``profiler.frameworks.Runtime``.

    Attributes:
        card: that of the point; None on the CPU.
        limit_bytes: of the device's memory, under which steps are replayed; a card has its own.
        is_host_limited: whether the whole process is under a limit.
    """

    def __init__(self) -> None:
        """Make a runtime that is not set up."""
        self.card: device.Card | None = None
        self.limit_bytes: int | None = None
        self.is_host_limited = False
        self.is_serial = True

    def prepare(self, point: Point) -> None:
        """Set PyTorch up, without an allocation, for the point's device, limit, schedule."""
        if point.on_card:
            visible_cards.see_only(int(point.device.partition(":")[2] or 0))
            self.card = device.Card(point.limit_bytes)
        else:
            visible_cards.see_none()
            if point.limit_bytes is not None and point.host_limit_bytes is not None:
                raise PointError("on CPU a point has a device limit or a host limit, not both")
            self.limit_bytes = point.limit_bytes
        self.is_host_limited = point.host_limit_bytes is not None
        self.is_serial = point.schedule is Schedule.SERIAL
        native.account_for_all()
        # Its buffers are of no device but the CPU: an LSTM would hold twice as much.
        torch.backends.mkldnn.set_flags(_enabled=False)
        if self.is_serial:
            torch.set_num_threads(1)
            torch.set_num_interop_threads(1)
            if self.is_host_limited:
                host_memory.steady_malloc()

    def seed(self) -> None:
        """Let what is built draw the same numbers each time."""
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 (scenarios may draw from it)

    def start(self) -> None:
        """Start what a first step starts: thread pools, the autograd engine, matrix products.

        A card's matrix products begin in the step: their workspace is of its allocator.
        """
        if self.card is not None:
            self.card.start()
            return
        one = torch.ones(2, 2, requires_grad=True)
        (one @ one).sum().backward()

    def cause(self, error: BaseException) -> BaseException:
        """Return the error itself, or the one that the compiler wraps."""
        while type(error).__module__ in _WRAPPERS and error.__cause__ is not None:
            error = error.__cause__
        return error

    def out_of_memory(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what an allocator could not give, or None for any other error."""
        del log
        if isinstance(error, ReplayedShortageError):
            return error.shortage
        if not isinstance(error, RuntimeError):
            return None
        found = messages.shortage(str(error))
        if found is None or self.card is None:
            return found
        if self.card.limit_bytes is not None and messages.is_of_card(found):
            return None  # the card itself was full, before its allocator met the limit
        return replace(found, op=messages.place(error.__traceback__, _OURS))

    def describe(self) -> Description:
        """Return the versions, the devices, and what is set of a card's allocator."""
        visible_cards.see_offered()
        cards = device.names()
        return Description(
            versions={name: version(name) for name in ("torch", "numpy")}
            | (device.settings() if cards else {}),
            devices=["cpu", *(f"gpu:{index} {name}" for index, name in enumerate(cards))],
        )
