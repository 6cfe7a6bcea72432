"""Every block that PyTorch's profiler shows is one that the C library gave, and none is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RESOURCES = Path(__file__).parent / "resources"
NAMES = (
    "scenarios.torch_recurrent:torch_loop",
    "scenarios.torch_recurrent:torch_layer",
    "scenarios.torch_recurrent:torch_checkpointed",
    "scenarios.torch_recurrent:torch_truncated",
    "scenarios.torch_attention:torch_attention",
    "scenarios.torch_attention:torch_flash_attention",
    "scenarios.torch_state_space:torch_selective_scan",
)


def test_the_c_library_saw_the_same_changes(tmp_path: Path) -> None:
    """Address by address and byte by byte, in the same order, in every shipped scenario.

    What is preloaded knows nothing of PyTorch but where the code of its allocator lies.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is needed to listen to the C library")
    noted = tmp_path / "malloc.so"
    command: list[str | Path] = [
        compiler,
        "-O1",
        "-shared",
        "-fPIC",
        "-o",
        noted,
        RESOURCES / "malloc.c",
    ]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, str(RESOURCES / "compare_accounts.py"), str(noted), *NAMES],
        env=os.environ | {"LD_PRELOAD": str(noted), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = [line.split() for line in done.stdout.splitlines()]

    assert [(name, same) for name, _, same in found] == [
        (name.partition(":")[2], "True") for name in NAMES
    ], done.stderr[-2000:]
    assert all(int(count) > 100 for _, count, _ in found)
