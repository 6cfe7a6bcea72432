"""Runs under the preloaded malloc.c: the CPU's allocator plays a card.

What a card's own statistics and history say, the C library says here; PyTorch's profiler, steps,
recorder and accounts are those of a point on a card. It prints what was measured, as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from compare_accounts import Change, code_of

from profiler.explain.account import PeakAccount
from profiler.facts import Point, Schedule, to_json
from profiler.frameworks import Mode
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.torch.device import Card
from profiler.frameworks.torch.history import Block, Entry, History
from profiler.frameworks.torch.runtime import TorchRuntime
from profiler.frameworks.torch.steps import TorchSteps
from scenarios import torch_recurrent

STEPS = 20


class PlayedCard(Card):
    """The CPU, with statistics and a history as a card has them."""

    device = kind = "cpu"

    def __init__(self, noted: ctypes.CDLL) -> None:
        """Listen from now on."""
        super().__init__(None)
        self._count = ctypes.c_long.in_dll(noted, "malloc_count")
        self._log = (Change * (1 << 20)).in_dll(noted, "malloc_log")
        self._at = self._sum = self._peak = 0
        self._held: dict[int, int] = {}
        first, last = (ctypes.c_size_t.in_dll(noted, f"malloc_{one}") for one in ("from", "to"))
        last.value, first.value = reversed(code_of("libc10.so"))

    def start(self) -> None:
        """There is nothing to start."""

    def lift(self) -> None:
        """There is no limit."""

    def synchronize(self) -> None:
        """There is nothing to wait for."""

    def building(self) -> contextlib.AbstractContextManager[object]:
        """Make tensors on the CPU."""
        context: contextlib.AbstractContextManager[object] = torch.device(self.device)
        return context

    def _listen(self) -> list[Entry]:
        """Return what was heard since the last time."""
        found = []
        for one in self._log[self._at : self._count.value]:
            if not one.size and one.address not in self._held:
                continue  # no block of the allocator's
            size = one.size or self._held.pop(one.address)
            if one.size:
                self._held[one.address] = size
            self._sum += size if one.size else -size
            self._peak = max(self._peak, self._sum)
            found.append(Entry(taken=bool(one.size), address=one.address, asked=size))
        self._at = self._count.value
        return found

    @property
    def allocated(self) -> int | None:
        """All that was taken and not given back."""
        self._listen()
        return self._sum

    @property
    def peak(self) -> int | None:
        """The most of it."""
        self._listen()
        return self._peak

    reserved_peak = peak

    def reset_peak(self) -> None:
        """Begin anew from what is held."""
        self._listen()
        self._peak = self._sum

    @contextlib.contextmanager
    def recording(self) -> Iterator[History]:
        """Tell what is heard while it is open."""
        self._listen()
        found = History(held=sorted(Block(at, size, size) for at, size in self._held.items()))
        yield found
        found.entries.extend(self._listen())


def point(name: str) -> Point:
    """Return a point of a shipped scenario."""
    return Point(
        framework="torch",
        scenario=name,
        family="f",
        parameters={},
        steps=STEPS,
        device="cpu",
        schedule=Schedule.SERIAL,
    )


def measured(
    runtime: TorchRuntime, name: str, card: PlayedCard | None, mode: Mode
) -> dict[str, Any]:
    """Return what a point's report and account say."""
    scenario = getattr(torch_recurrent, name)
    runtime.card = card
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        steps = TorchSteps(runtime, point(name), scenario, recorder)
        steps.measure(mode)
        found = PeakAccount(steps.record(STEPS)).explanation()
        trace = steps.traces().record(STEPS, None)
    report = recorder.report
    return {
        "device": to_json(report.device),
        "missing": report.missing,
        "phases": [phase.name for phase in report.phases],
        "by_role": found.by_role,
        "unexplained": found.unexplained_bytes,
        "peak": found.peak_bytes,
        "labels": sorted(set(trace.labels)),
        "events": len(trace.events),
    }


def main(path: str, *names: str) -> None:
    """Print each scenario's facts, on the played card and on the CPU."""
    noted = ctypes.CDLL(path)
    runtime = TorchRuntime()
    runtime.prepare(point(names[0]))
    for name in names:
        cpu = measured(runtime, name, None, Mode())
        card = measured(runtime, name, PlayedCard(noted), Mode())
        short = measured(runtime, name, PlayedCard(noted), Mode(inspect=False))
        told = {"card": card, "cpu": cpu, "probe": short}
        print(json.dumps({name: told}), flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
