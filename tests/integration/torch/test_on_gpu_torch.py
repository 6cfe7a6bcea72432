"""The checks that a card is compared by: what they see of an allocator that does otherwise.

The model of the allocator plays the card, for what a real step asks of the CPU.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@functools.cache
def played() -> Any:
    """Return what the model does for three steps of a loop."""
    import on_gpu_torch

    from profiler.frameworks.torch import native

    native.account_for_all()
    return on_gpu_torch.played(on_gpu_torch.building("torch_loop", {"batch": 256}, 24, "cpu"))


def faults(real: Any) -> dict[str, str | None]:
    """Return what the replay says of each of its checks."""
    import on_gpu_torch

    return {str(one["check"]): one["fault"] for one in on_gpu_torch.replayed(real)}


def test_what_the_model_did_is_what_it_replays() -> None:
    """Several segments, of both pools."""
    entries = played().entries

    assert {size for action, _, size in entries if action == "segment_alloc"} >= {2 << 20, 20 << 20}
    assert set(faults(played()).values()) == {None}


def test_another_peak_is_seen() -> None:
    """Either of the two."""
    real = played()
    found = faults(replace(real, allocated=real.allocated + 512, reserved=real.reserved - 512))

    assert [fault for fault in found.values() if fault] == ["they differ"] * 2
    assert found["allocated peak, replayed"]
    assert found["reserved peak, replayed"]


def test_another_segment_is_seen() -> None:
    """Its bytes, and that blocks lie elsewhere in it."""
    real = played()
    entries = [
        (action, address, 2 * size if action == "segment_alloc" and size == 20 << 20 else size)
        for action, address, size in real.entries
    ]

    assert faults(replace(real, entries=entries))["segments in order"] == "they differ"


def test_a_block_in_another_place_is_seen() -> None:
    """With its bytes, and where it lies against where it should."""
    real = played()
    at = next(at for at, one in enumerate(real.entries) if one[0] == "alloc")
    _, address, size = real.entries[at]
    moved = [*real.entries[:at], ("alloc", address + 1024, size), *real.entries[at + 1 :]]
    found = faults(replace(real, entries=moved))

    assert found["blocks in their places"] == f"{size:,} bytes at (0, 1024) against (0, 0)"


@pytest.mark.parametrize("name", ["reserve", "nothing"])
def test_a_check_answers_in_its_last_line(name: str) -> None:
    """Also where it fails: with the error, and without a traceback."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "on_gpu_torch.py"), name, "cpu"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout.strip().rpartition("\n")[2])

    if name == "nothing":
        assert told == {"rows": [], "error": "KeyError: 'nothing'", "keeps": 0}
    else:
        assert told["error"] is None
        assert {row["fault"] for row in told["rows"]} == {None}
