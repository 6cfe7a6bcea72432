"""What a card's allocator recorded of itself: ``torch.cuda.memory._snapshot()``, read as data.

Its keys are described in ``torch/cuda/memory.py``. The history has every block with the bytes that
were asked for, whichever thread asked; PyTorch's profiler has whom each block was for, and what the
allocator handed out. Nothing here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from profiler.explain.roles import Part
from profiler.frameworks.torch.events import NO_OPERATION, Change, Stream

# What libraries hold from earlier on: cuBLAS's and cuDNN's workspaces.
KEPT = "library_workspace"
_TAKEN, _GIVEN_BACK = "alloc", "free_completed"
_ACTIVE = "active_allocated"
_BLOCK = 512


class Block(NamedTuple):
    """A block that is held: where it lies, its bytes, and those that were asked for."""

    address: int
    size: int
    asked: int


class Entry(NamedTuple):
    """A block that was taken, with the bytes asked for, or given back."""

    taken: bool
    address: int
    asked: int


class Segment(NamedTuple):
    """Memory that the driver gave at once."""

    address: int
    size: int
    is_small: bool
    is_expandable: bool


@dataclass
class History:
    """What was held when the recording began, and what happened since."""

    held: list[Block] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


class HistoryError(Exception):
    """The profiler saw what the history does not have; the message says what."""


def held(snapshot: Mapping[str, Any], device: int = 0) -> list[Block]:
    """Return the blocks that a snapshot shows in use, by address."""
    found = [
        Block(block["address"], block["size"], block.get("requested_size", block["size"]))
        for segment in _segments(snapshot, device)
        for block in segment["blocks"]
        if block["state"] == _ACTIVE and block.get("address") is not None
    ]
    return sorted(found)


def segments(snapshot: Mapping[str, Any], device: int = 0) -> list[Segment]:
    """Return the segments that a snapshot shows, by address."""
    found = [
        Segment(
            address=one["address"],
            size=one["total_size"],
            is_small=one["segment_type"] == "small",
            is_expandable=bool(one.get("is_expandable")),
        )
        for one in _segments(snapshot, device)
    ]
    return sorted(found)


def _segments(snapshot: Mapping[str, Any], device: int) -> Iterator[Mapping[str, Any]]:
    return (one for one in snapshot["segments"] if one.get("device", device) == device)


def entries(snapshot: Mapping[str, Any], device: int = 0) -> Iterator[Entry]:
    """Yield what a snapshot's history has of blocks; it begins where recording did."""
    for one in traced(snapshot, device):
        if one["action"] in {_TAKEN, _GIVEN_BACK}:
            yield Entry(one["action"] == _TAKEN, one["addr"], one["size"])


def traced(snapshot: Mapping[str, Any], device: int = 0) -> Sequence[Mapping[str, Any]]:
    """Return the history itself: of one device."""
    traces: Sequence[Sequence[Mapping[str, Any]]] = snapshot["device_traces"]
    return traces[device] if device < len(traces) else []


def before(blocks: Iterable[Block]) -> list[Change]:
    """Return what was held before a recording as the changes that a stream begins with."""
    found: list[Change] = []
    total = 0
    for block in blocks:
        total += block.size
        taken = Entry(taken=True, address=block.address, asked=block.asked)
        found.append(_unseen(taken, block.size, total, KEPT))
    return found


def merged(stream: Stream, begun: int, found: Sequence[Entry]) -> Stream:
    """Return a stream with all that the history has, in its order, and the bytes asked for.

    What the profiler did not see stands where it happened, for no operation.

    Args:
        stream: what the profiler saw.
        begun: how many of its changes are from before the recording.
        found: the history.

    Raises:
        HistoryError: if the profiler saw what the history does not have.
    """
    changes = [*stream.changes[:begun]]
    places = [*range(begun)]  # where each change that the profiler saw stands now
    seen = iter(stream.changes[begun:])
    following = next(seen, None)
    sizes = {one.address: one.chunk for one in changes}
    for entry in found:
        if following is not None and (following.taken, following.address) == entry[:2]:
            change = following._replace(size=entry.asked if entry.taken else following.size)
            places.append(len(changes))
            following = next(seen, None)
        else:
            last = changes[-1] if changes else None
            rounded = -(-entry.asked // _BLOCK) * _BLOCK
            size = rounded if entry.taken else sizes.get(entry.address, rounded)
            total = (last.total if last else 0) + (size if entry.taken else -size)
            change = _unseen(entry, size, total, NO_OPERATION, last)
        if change.taken:
            sizes[change.address] = change.chunk
        changes.append(change)
    if following is not None:
        raise HistoryError(
            f"the profiler saw a block at {following.address:#x}, and the allocator's history "
            f"({len(found):,} entries) does not have it at that place"
        )
    places.append(len(changes))
    return Stream(
        changes,
        [call._replace(at=places[call.at]) for call in stream.calls],
        {name: places[at] for name, at in stream.marks.items()},
    )


def _unseen(entry: Entry, size: int, total: int, op: str, near: Change | None = None) -> Change:
    """Return a change of which only the history knows; it happened near another one."""
    return Change(
        taken=entry.taken,
        address=entry.address,
        size=entry.asked,
        total=total,
        run=near.run if near else 0,
        op=op,
        node="",
        part=near.part if near else Part.FORWARD,
        is_input=False,
        turns=near.turns if near else 0,
        call=-1,
        chunk=size,
    )
