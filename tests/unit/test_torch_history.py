"""What a card's allocator records of itself: snapshots as torch/cuda/memory.py describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from profiler.explain.roles import Part
from profiler.frameworks.torch import history
from profiler.frameworks.torch.events import Call, Change, Stream
from profiler.frameworks.torch.history import Block, Entry, HistoryError, Segment, merged

MIB = 1 << 20
WORKSPACE = 8_519_680


def snapshot(entries: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return a snapshot with a small segment of two blocks, and a large one of another card."""
    frames: list[Any] = []
    small = {
        "device": 0,
        "address": 0x7F00_0000_0000,
        "total_size": 2 * MIB,
        "allocated_size": 1024,
        "active_size": 1024,
        "stream": 0,
        "segment_type": "small",
        "segment_pool_id": (0, 0),
        "is_expandable": False,
        "frames": frames,
        "blocks": [
            {
                "address": 0x7F00_0000_0000,
                "size": 1024,
                "requested_size": 1000,
                "state": "active_allocated",
                "frames": frames,
            },
            {
                "address": 0x7F00_0000_0400,
                "size": 2 * MIB - 1024,
                "requested_size": 0,
                "state": "inactive",
                "frames": frames,
            },
        ],
    }
    block = {
        "address": 0x7E00_0000_0000,
        "size": WORKSPACE,
        "requested_size": WORKSPACE,
        "state": "active_allocated",
        "frames": frames,
    }
    large = small | {
        "address": 0x7E00_0000_0000,
        "total_size": 20 * MIB,
        "segment_type": "large",
        "blocks": [block],
    }
    return {
        "segments": [small, large, large | {"device": 1}],
        "device_traces": [list(entries), []],
        "allocator_settings": {"expandable_segments": False},
    }


def entry(action: str, address: int, size: int) -> dict[str, Any]:
    """Return an entry of the history."""
    return {"action": action, "addr": address, "size": size, "stream": 0, "time_us": 1}


class TestSnapshot:
    """Of one card: the first that the process sees."""

    def test_what_is_held_is_what_tensors_and_libraries_have(self) -> None:
        """By address, with the bytes asked for."""
        assert history.held(snapshot()) == [
            Block(0x7E00_0000_0000, WORKSPACE, WORKSPACE),
            Block(0x7F00_0000_0000, 1024, 1000),
        ]

    def test_segments_say_their_pool(self) -> None:
        """And their bytes."""
        assert history.segments(snapshot()) == [
            Segment(0x7E00_0000_0000, 20 * MIB, is_small=False, is_expandable=False),
            Segment(0x7F00_0000_0000, 2 * MIB, is_small=True, is_expandable=False),
        ]

    def test_the_history_of_blocks_leaves_out_all_else(self) -> None:
        """Segments, requests to give back, shortages and snapshots are other actions."""
        oom = {"action": "oom", "device_free": 5, "size": 512, "stream": 0}
        found = history.entries(
            snapshot(
                [
                    entry("segment_alloc", 1 << 40, 2 * MIB),
                    entry("alloc", 1 << 40, 1000),
                    entry("free_requested", 1 << 40, 1000),
                    entry("free_completed", 1 << 40, 1000),
                    oom,
                    entry("snapshot", 0, 0),
                ]
            )
        )

        assert [*found] == [
            Entry(taken=True, address=1 << 40, asked=1000),
            Entry(taken=False, address=1 << 40, asked=1000),
        ]

    def test_a_card_without_a_history_has_none(self) -> None:
        """It was never used."""
        empty: dict[str, Any] = {"segments": [], "device_traces": []}

        assert [*history.entries(empty)] == []
        assert history.held(empty) == []
        assert history.segments(empty) == []


def change(address: int, size: int, total: int, *, op: str = "mm", run: int = 1) -> Change:
    """Return what the profiler saw: blocks as they were handed out."""
    return Change(
        taken=size > 0,
        address=address,
        size=abs(size),
        total=total,
        run=run,
        op=op,
        node="",
        part=Part.BACKWARD,
        is_input=False,
        turns=3,
        call=-1,
        chunk=abs(size),
    )


def took(address: int, asked: int) -> Entry:
    """Return an entry of a block that was taken."""
    return Entry(taken=True, address=address, asked=asked)


def gave(address: int, asked: int) -> Entry:
    """Return an entry of a block that was given back."""
    return Entry(taken=False, address=address, asked=asked)


class TestMerged:
    """The profiler knows whom a block is for, the history how much was asked for."""

    def test_a_block_has_both_sizes(self) -> None:
        """Asked for, and handed out."""
        seen = Stream([change(1, 1024, 1024), change(1, -1024, 0)], [], {})
        found = merged(seen, 0, [took(1, 1000), gave(1, 1000)]).changes

        assert [(one.taken, one.size, one.chunk) for one in found] == [
            (True, 1000, 1024),
            (False, 1024, 1024),
        ]
        assert found[0].op == "mm"

    def test_what_the_profiler_did_not_see_stands_in_its_place(self) -> None:
        """For no operation, in the run and part of what came before."""
        seen = Stream([change(1, 1024, 1024), change(3, 512, 2048)], [], {})
        found = merged(seen, 0, [took(1, 1000), took(2, 300), gave(2, 300), took(3, 500)]).changes

        assert [one.address for one in found] == [1, 2, 2, 3]
        assert [one.total for one in found] == [1024, 1536, 1024, 2048]
        assert {(one.op, one.run, one.part) for one in found[1:3]} == {("Python", 1, Part.BACKWARD)}

    def test_marks_and_calls_move_with_what_they_stand_before(self) -> None:
        """Also those at the end."""
        seen = Stream(
            [change(1, 512, 512), change(2, 512, 1536)],
            [Call(at=1, op="mm", part=Part.BACKWARD, given=())],
            {"built": 0, "gradients 0": 1, "gradients 1": 2},
        )
        found = merged(seen, 0, [took(1, 512), took(9, 512), took(2, 512)])

        assert found.marks == {"built": 0, "gradients 0": 2, "gradients 1": 3}
        assert [call.at for call in found.calls] == [2]

    def test_what_was_held_before_stays_in_front(self) -> None:
        """And may be given back."""
        begun = history.before([Block(7, WORKSPACE, WORKSPACE)])
        seen = Stream([*begun, change(1, 512, WORKSPACE + 512)], [], {})
        found = merged(seen, 1, [took(1, 10), gave(7, WORKSPACE)]).changes

        assert [(one.op, one.run) for one in found[:2]] == [("library_workspace", 0), ("mm", 1)]
        assert (found[-1].chunk, found[-1].total) == (WORKSPACE, 512)

    def test_a_block_of_before_that_nobody_knew_is_counted_in_whole_blocks(self) -> None:
        """It is given back; when it was taken nothing was recorded."""
        found = merged(Stream([], [], {}), 0, [gave(5, 600)]).changes

        assert (found[0].chunk, found[0].total) == (1024, -1024)

    def test_a_history_that_lacks_what_was_seen_is_told(self) -> None:
        """It was not the same allocator, or not all of its history."""
        seen = Stream([change(0x20, 512, 512)], [], {})

        with pytest.raises(HistoryError, match=r"saw a block at 0x20, .* \(1 entries\)"):
            merged(seen, 0, [took(0x10, 512)])
