"""What ``on_gpu.py --framework torch`` asks of a card beside stepwall's own commands.

    python tests/on_gpu_torch.py CHECK DEVICE

Each check runs in a process of its own, so that one that fails, hangs or crashes takes no other
along. It prints its rows as JSON. On the CPU the allocator's model plays the card: that tries this
script, and says nothing of the model.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from profiler.explain.roles import Part
from profiler.frameworks import visible_cards
from profiler.frameworks.allocators.caching import (
    HANDLES,
    HOPPER_WORKSPACE_BYTES,
    WORKSPACE_BYTES,
    Segments,
    reserved_for_workspaces,
)
from profiler.frameworks.torch import history, native, recording
from profiler.frameworks.torch.device import Card
from profiler.frameworks.torch.recording import Recording
from profiler.frameworks.torch.step import Step, made

Row = dict[str, str | None]
Build = Callable[[], Step]

_UNLIMITED = 1 << 50
_MIB = 1 << 20
# Hopper, and Blackwell in newer versions: see ``caching.HOPPER_WORKSPACE_BYTES``.
_HOPPER = 9
_STREAMS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("torch_loop", {}),
    ("torch_loop", {"cell": "lstm"}),
    ("torch_layer", {"cell": "lstm"}),
    ("torch_attention", {}),
    ("torch_flash_attention", {}),
    ("torch_selective_scan", {}),
)
# Their blocks lie in segments of 2 MiB, of 20 MiB and of their own.
_REPLAYED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("torch_loop", {"batch": 256}),
    ("torch_loop", {"batch": 256, "cell": "lstm"}),
    ("torch_layer", {"batch": 256, "cell": "lstm"}),
    ("torch_attention", {"batch": 64}),
)
_HOMES = ("torch_recurrent", "torch_attention", "torch_state_space")
_LENGTH, _REPLAYED_LENGTH, _LENGTHS = 60, 100, (32, 64, 128, 256)
_NEAR = 0.02
_SHOWN = 3
_TIMES = "×"  # noqa: RUF001 (the sign of the reports)


@dataclass(frozen=True, kw_only=True)
class Real:
    """What a card's allocator did from its first block on, and what it says of itself."""

    entries: Sequence[tuple[str, int, int]]
    allocated: int
    reserved: int


def building(name: str, settings: dict[str, Any], steps: int, device: str) -> Build:
    """Return what builds a shipped scenario's step on a device."""
    scenario = next(
        found
        for home in _HOMES
        if (found := getattr(importlib.import_module(f"scenarios.{home}"), name, None))
    )

    def build() -> Step:
        torch.manual_seed(0)
        with torch.device(device):
            built = scenario(steps, **settings)
        return made(built, device)

    return build


def text_of(name: str, settings: dict[str, Any]) -> str:
    """Return a scenario with its settings."""
    return " ".join([name, *(f"{key}={value}" for key, value in settings.items())])


class Seen(Segments):
    """The model, which also says which segments it made."""

    def __init__(self) -> None:
        """Begin without a limit."""
        super().__init__(_UNLIMITED)
        self.made: list[tuple[int, int]] = []

    def _segment(self, pool: bool, size: int) -> int:  # noqa: FBT001 (as in the model)
        address = super()._segment(pool, size)
        self.made.append((address, size))
        return address


def place(address: int, segments: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return in which of the segments an address lies, and how far from its beginning."""
    for at, (begin, size) in enumerate(segments):
        if begin <= address < begin + size:
            return at, address - begin
    return None


def replayed(real: Real) -> Iterator[Row]:
    """Replay what a card's allocator was asked for, and compare all that it did."""
    model, addresses, held = Seen(), dict[int, int](), dict[int, int]()
    segments: list[tuple[int, int]] = []
    other: list[str] = []
    count = 0
    for action, address, size in real.entries:
        if action in {"segment_alloc", "segment_map"}:
            segments.append((address, size))
        elif action == "alloc":
            held[address] = count
            model.run([(count, size)], addresses)
            theirs, ours = place(address, segments), place(addresses[count], model.made)
            if theirs != ours:
                other.append(f"{size:,} bytes at {theirs} against {ours}")
            count += 1
        elif action == "free_completed" and address in held:
            model.run([(held.pop(address), 0)], addresses)
    sizes, real_sizes = [size for _, size in model.made], [size for _, size in segments]
    yield row("allocated peak, replayed", f"{model.peak:,}", f"{real.allocated:,}")
    yield row("reserved peak, replayed", f"{model.reserved_peak:,}", f"{real.reserved:,}")
    yield row("segments in order", _sizes_text(sizes), _sizes_text(real_sizes))
    there = f"{count - len(other):,} of {count:,}"
    yield row("blocks in their places", f"{count:,} of {count:,}", there, other[0] if other else "")


def row(check: str, expected: str, real: str, fault: str | None = None) -> Row:
    """Return a row; without a fault of its own, what is expected must be real."""
    if fault is None and expected != real:
        fault = "they differ"
    return {"check": check, "expected": expected, "real": real, "fault": fault or None}


def _sizes_text(sizes: Sequence[int]) -> str:
    found = [f"{len([*same])} {_TIMES} {size / _MIB:g}" for size, same in itertools.groupby(sizes)]
    return f"{' + '.join(found) or 'none'} MiB"


def on_card(build: Build) -> Real:
    """Run three steps in a process that has not touched CUDA, and return what was recorded."""
    torch.cuda.init()
    memory = torch.cuda.memory
    memory._record_memory_history("all", context=None, stacks="python")
    step = build()
    for _ in range(3):
        step.run()
    torch.cuda.synchronize()
    snapshot, stats = memory._snapshot(), torch.cuda.memory_stats()
    return Real(
        entries=[
            (one["action"], one.get("addr", 0), one["size"]) for one in history.traced(snapshot)
        ],
        allocated=stats["allocated_bytes.all.peak"],
        reserved=stats["reserved_bytes.all.peak"],
    )


def played(build: Build) -> Real:
    """Let the model play the card, for what a step asks of the CPU."""
    model, addresses = Seen(), dict[int, int]()
    entries: list[tuple[str, int, int]] = []
    held: dict[int, int] = {}
    for number, change in enumerate(recording.recorded(build).stream.changes):
        if change.taken:
            held[change.address] = number
            before = len(model.made)
            model.run([(number, change.size)], addresses)
            entries += [("segment_alloc", *one) for one in model.made[before:]]
            entries.append(("alloc", addresses[number], change.size))
        elif change.address in held:
            mine = held.pop(change.address)
            entries.append(("free_completed", addresses[mine], change.size))
            model.run([(mine, 0)], addresses)
    return Real(entries=entries, allocated=model.peak, reserved=model.reserved_peak)


def replay(device: str, number: int) -> Iterator[Row]:
    """Compare the model with the allocator, for one scenario in a process of its own."""
    name, settings = _REPLAYED[number]
    build = building(name, settings, _REPLAYED_LENGTH, device)
    real = played(build) if device == "cpu" else on_card(build)
    yield from (one | {"scenario": text_of(name, settings)} for one in replayed(real))


def peak_of(found: Recording) -> int:
    """Return the most bytes asked for at once, without what was held before."""
    sizes: dict[int, int] = {}
    held = peak = 0
    for change in found.stream.changes:
        if not change.taken:
            held -= sizes.pop(change.address, 0)
        elif change.op != history.KEPT:
            sizes[change.address] = change.size
            held += change.size
            peak = max(peak, held)
    return peak


def _taken(found: Recording) -> Counter[tuple[str, int]]:
    return Counter((one.op, one.size) for one in found.run(recording.RECORDED_STEPS) if one.taken)


def _described(allocations: Counter[tuple[str, int]]) -> str:
    largest = sorted(allocations, key=lambda one: -one[1] * allocations[one])[:_SHOWN]
    found = [f"{allocations[one]} {_TIMES} {one[0]} of {one[1]:,}" for one in largest]
    return ", ".join(found) or "nothing"


def streams(device: str) -> Iterator[Row]:
    """Compare what steps ask of the CPU's allocator with what they ask of the card's."""
    card = None if device == "cpu" else Card(None)
    if card is not None:
        card.start()
    for name, settings in _STREAMS:
        on_cpu = recording.recorded(building(name, settings, _LENGTH, "cpu"))
        there = recording.recorded(building(name, settings, _LENGTH, device), card=card)
        mine, theirs = _taken(on_cpu), _taken(there)
        peaks = peak_of(on_cpu), peak_of(there)
        off = peaks[1] / peaks[0] - 1
        rows = [
            row(
                "peak of what is asked for, the CPU's against the card's",
                f"{peaks[0]:,}",
                f"{peaks[1]:,}",
                fault=f"off by {off:+.2%}" if abs(off) > _NEAR else "",
            ),
            row(
                "allocations of a steady step",
                f"{mine.total():,}; not on the card: {_described(mine - theirs)}",
                f"{theirs.total():,}; only on the card: {_described(theirs - mine)}",
                fault="",
            ),
            row("kept by libraries", _workspaces(device), _kept(there)),
        ]
        yield from (one | {"scenario": text_of(name, settings)} for one in rows)


def _workspaces(device: str) -> str:
    if device == "cpu":
        return "none MiB"
    return _sizes_text([_workspace_bytes()] * HANDLES)


def _keeps(device: str) -> int:
    """Return the bytes of the segments that cuBLAS's workspaces lie in on this card."""
    if device == "cpu" or not torch.cuda.is_initialized():
        return 0
    return reserved_for_workspaces(_workspace_bytes())


def _workspace_bytes() -> int:
    is_hopper = torch.cuda.get_device_capability()[0] == _HOPPER
    return HOPPER_WORKSPACE_BYTES if is_hopper else WORKSPACE_BYTES


def _kept(found: Recording) -> str:
    return _sizes_text([one.size for one in found.stream.changes if one.op == history.KEPT])


def reserve(device: str) -> Iterator[Row]:
    """Tell how what cuDNN keeps for backward grows: by as much for each step."""
    settings = {"cell": "lstm"}
    card = None if device == "cpu" else Card(None)
    if card is not None:
        card.start()
    sizes = [
        _largest_forward(
            recording.recorded(building("torch_layer", settings, steps, device), card=card)
        )
        for steps in _LENGTHS
    ]
    (first, second), known = sizes[:2], _LENGTHS[:2]
    each = (second - first) / (known[1] - known[0])
    for steps, real in zip(_LENGTHS[2:], sizes[2:], strict=True):
        foretold = round(first + each * (steps - known[0]))
        name = f"cuDNN's reserve at {steps} steps, from {known[0]} and {known[1]}"
        yield row(name, f"{foretold:,}", f"{real:,}") | {
            "scenario": text_of("torch_layer", settings)
        }


def _largest_forward(found: Recording) -> int:
    """Return the largest block that cuDNN takes in forward; without cuDNN, that anything does."""
    forward = [
        one
        for one in found.run(recording.RECORDED_STEPS)
        if one.taken and one.part is Part.FORWARD and not one.is_input
    ]
    of_cudnn = [one for one in forward if "cudnn" in one.op]
    return max(one.size for one in of_cudnn or forward)


CHECKS: dict[str, Callable[[str], Iterator[Row]]] = {
    **{f"replay{at}": functools.partial(replay, number=at) for at in range(len(_REPLAYED))},
    "streams": streams,
    "reserve": reserve,
}


def main(name: str, device: str) -> None:
    """Run one check and print its rows."""
    kind, _, index = device.partition(":")
    if kind == "gpu":
        visible_cards.see_only(int(index or 0))
        device = Card.device
    native.account_for_all()
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(_enabled=False)
    rows: list[Row] = []
    error = None
    try:
        rows.extend(CHECKS[name](device))
    except Exception as raised:  # noqa: BLE001 (what was found before it is told)
        error = f"{type(raised).__name__}: {raised}"
    told = {"rows": rows, "error": error, "keeps": _keeps(device)}
    print(json.dumps(told))  # noqa: T201 (the answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
