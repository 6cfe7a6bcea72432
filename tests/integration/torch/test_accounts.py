"""Every block that PyTorch's profiler shows is one that the C library gave, and none is missing."""

from __future__ import annotations

import json
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


def heard(tmp_path: Path, script: str, *names: str) -> subprocess.CompletedProcess[str]:
    """Run a script while the C library is listened to.

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
    return subprocess.run(
        [sys.executable, str(RESOURCES / script), str(noted), *names],
        env=os.environ | {"LD_PRELOAD": str(noted), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_c_library_saw_the_same_changes(tmp_path: Path) -> None:
    """Address by address and byte by byte, in the same order, in every shipped scenario."""
    done = heard(tmp_path, "compare_accounts.py", *NAMES)
    found = [line.split() for line in done.stdout.splitlines()]

    assert [(name, same) for name, _, same in found] == [
        (name.partition(":")[2], "True") for name in NAMES
    ], done.stderr[-2000:]
    assert all(int(count) > 100 for _, count, _ in found)


def test_a_point_on_a_card_is_measured_as_one_on_the_cpu(tmp_path: Path) -> None:
    """The CPU's allocator plays the card; its statistics and history are what the C library heard.

    On the CPU all comes from PyTorch's profiler alone.
    """
    done = heard(tmp_path, "played_card.py", "torch_loop", "torch_truncated")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    points = {name: told for line in lines for name, told in json.loads(line).items()}

    assert [*points] == ["torch_loop", "torch_truncated"], done.stderr[-2000:]
    for told in points.values():
        card, cpu, probe = told["card"], told["cpu"], told["probe"]
        assert card["device"]["reserved_peak_bytes"] == card["device"]["peak_bytes"]
        assert card["device"] | {"reserved_peak_bytes": None} == cpu["device"]
        for name in ("by_role", "peak", "labels", "events", "missing", "unexplained"):
            assert card[name] == cpu[name], name
        assert card["unexplained"] == 0
        inner = {"forward_peak_bytes": None, "largest_allocation_bytes": None}
        assert probe["device"] == card["device"] | inner
        assert {f"device.{name}" for name in inner} <= {*probe["missing"]}
        assert "record" not in probe["phases"][: probe["phases"].index("steady")]
