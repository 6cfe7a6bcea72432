"""Points on a card as far as a machine without one shows: who touches CUDA, where tensors lie.

PyTorch's ``meta`` device stands in for a card where a step is moved: nothing is computed there,
but an operation whose tensors lie on two devices is refused as on a card.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.frameworks.torch import FRAMEWORK

ROOT = Path(__file__).parents[3]
FORKED = """
import importlib, json, os, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
import torch
torch.cuda.is_available()
found = {"started": torch.cuda.is_initialized()}
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"y" if torch.cuda._is_in_bad_fork() else b"n")
    os._exit(0)
os.wait()
print(json.dumps(found | {"poisoned": os.read(reader, 1) == b"y"}))
"""
Stepwall = Callable[..., subprocess.CompletedProcess[str]]


def forked(environment: dict[str, str]) -> dict[str, bool]:
    """Preload as the fork server does, ask for cards, fork, and say what became of CUDA."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, *FRAMEWORK.preload],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, bool] = json.loads(done.stdout)
    return found


def test_cuda_is_not_touched_before_the_fork() -> None:
    """Nor where something that is preloaded asks for cards, as PyTorch's own modules do."""
    assert forked({**os.environ, **FRAMEWORK.environment}) == {"started": False, "poisoned": False}


def test_a_mere_question_for_cards_would_forbid_them_to_children() -> None:
    """Without what stepwall sets: the test above could fail."""
    import torch

    if torch.version.cuda is None:
        pytest.skip("this PyTorch knows no CUDA")
    plain = {**os.environ, **FRAMEWORK.environment}
    del plain["PYTORCH_NVML_BASED_CUDA_CHECK"]

    assert forked(plain) == {"started": False, "poisoned": True}


def test_without_the_allocator_that_is_measured_no_point_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its statistics would all be 0."""
    from profiler.frameworks import PointError
    from profiler.frameworks.torch.device import Card

    monkeypatch.setenv("PYTORCH_NO_CUDA_MEMORY_CACHING", "1")
    with pytest.raises(PointError, match="PYTORCH_NO_CUDA_MEMORY_CACHING is set"):
        Card(None).start()


@pytest.mark.parametrize("fails", ["held", "entries"])
def test_a_history_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """Whatever another version of PyTorch's makes of it; recording ends all the same."""
    import torch

    from profiler.frameworks.torch import device
    from profiler.frameworks.torch.history import HistoryError

    calls: list[object] = []
    sound: dict[str, object] = {"segments": [], "device_traces": [[]]}
    shown = iter([sound, {}] if fails == "entries" else [{}])
    memory = torch.cuda.memory
    monkeypatch.setattr(memory, "_snapshot", lambda: next(shown))
    monkeypatch.setattr(memory, "_record_memory_history", lambda *a, **_: calls.append(a))
    with (
        pytest.raises(HistoryError, match="does not report its history: KeyError"),
        device.Card(None).recording(),
    ):
        pass

    assert calls == ([] if fails == "held" else [("all",), (None,)])


def test_a_card_that_does_not_start_is_an_error_of_the_point() -> None:
    """In one line, with what PyTorch says of it."""
    import torch

    from profiler.frameworks import PointError
    from profiler.frameworks.torch.device import Card

    if torch.cuda.device_count():
        pytest.skip("there is a card")
    with pytest.raises(PointError, match=r"^CUDA does not start on this card: .+") as raised:
        Card(64 << 20).start()

    assert "\n" not in str(raised.value)


FULL = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.18 GiB of "
    "which {free} is free. 64.00 MiB allowed; Of the allocated memory 43.42 MiB is allocated by "
    "PyTorch, and 4.58 MiB is reserved by PyTorch but unallocated."
)


@pytest.mark.parametrize(
    ("limit", "free", "is_wall"),
    [(64 << 20, "78.61 GiB", True), (64 << 20, "1.00 MiB", False), (None, "1.00 MiB", True)],
)
def test_what_runs_out_names_the_users_line(limit: int | None, free: str, *, is_wall: bool) -> None:
    """It is the limit that was met, or the whole card; never a card that others hold."""
    import torch

    from profiler.frameworks.torch.device import Card
    from profiler.frameworks.torch.runtime import TorchRuntime

    runtime = TorchRuntime()
    runtime.card = Card(limit)
    with pytest.raises(torch.OutOfMemoryError) as raised:
        raise torch.OutOfMemoryError(FULL.format(free=free))
    found = runtime.out_of_memory(raised.value, Path())

    assert (found is not None) == is_wall
    if found is not None:
        assert found.requested_bytes == 20 << 20
        assert (found.op or "").startswith("test_device.py:")
        assert (found.op or "").endswith("raise torch.OutOfMemoryError(FULL.format(free=free))")


@pytest.mark.parametrize("command", ["profile", "wall"])
def test_a_card_that_is_not_there_is_told_in_a_line(
    stepwall: Stepwall, tmp_path: Path, command: str
) -> None:
    """With the exit code of bad input, before anything is measured."""
    import torch

    if torch.cuda.device_count():
        pytest.skip("there is a card")
    more = ["--limit", "64MiB"] if command == "wall" else ["--steps", "4"]
    done = stepwall(command, "torch_loop", "--device", "gpu", *more, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "stepwall: device 'gpu:0': PyTorch sees only cpu\n"


def _training(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(6)


@pytest.mark.parametrize(
    "name",
    [
        "scenarios.torch_recurrent:torch_loop",
        "scenarios.torch_recurrent:torch_layer",
        "scenarios.torch_recurrent:torch_checkpointed",
        "scenarios.torch_attention:torch_attention",
        "scenarios.torch_attention:torch_flash_attention",
        "scenarios.torch_state_space:torch_selective_scan",
    ],
)
@pytest.mark.parametrize("made_there", [True, False], ids=["made there", "moved"])
def test_a_training_lies_on_its_device(name: str, *, made_there: bool) -> None:
    """Made there by default, or moved with its parameters, buffers and inputs."""
    import contextlib

    import torch

    from profiler.frameworks.torch.step import made

    with torch.device("meta") if made_there else contextlib.nullcontext():
        built = _training(name)
    if made_there:  # what is fed lies on the host first
        built = type(built)(built.module, torch.zeros(built.inputs.shape), built.loss)
    step = made(built, "meta")
    step.run_forward()

    assert {one.device.type for one in step.parameters.values()} == {"meta"}


def test_what_an_optimizer_keeps_is_moved_with_its_parameters() -> None:
    """And buffers are; the count of steps stays where the optimizer reads it."""
    import torch
    from torch import nn

    from profiler import TorchTraining
    from profiler.frameworks.torch.step import made

    layer = nn.Linear(4, 4)
    norm = nn.BatchNorm1d(4)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.zeros(2, 4)).sum().backward()
    optimizer.step()
    step: Any = made(
        TorchTraining(nn.Sequential(layer, norm), torch.zeros(2, 4), torch.sum, optimizer), "meta"
    )

    assert {one.device.type for one in step.parameters.values()} == {"meta"}
    assert "1.running_mean" in step.parameters
    for kept in optimizer.state.values():
        assert {name: one.device.type for name, one in kept.items()} == {
            "step": "cpu",
            "exp_avg": "meta",
            "exp_avg_sq": "meta",
        }


@pytest.mark.parametrize("total", [85_045_870_592, 8_589_934_592, 17_066_885_120, 150_323_855_360])
@pytest.mark.parametrize("limit", [1, 8 << 20, (64 << 20) + 1, 1_000_000_007, 8 << 30])
def test_a_limit_is_that_share_of_the_card(total: int, limit: int) -> None:
    """To the byte, as the allocator computes it."""
    from profiler.frameworks.torch.device import fraction

    share = fraction(limit, total)

    assert int(share * total) == limit
    assert 0 < share <= 1


def test_what_is_set_of_the_allocator_is_told() -> None:
    """What is empty is not set."""
    from profiler.frameworks.torch.device import settings

    given = {
        "PYTORCH_ALLOC_CONF": "expandable_segments:True",
        "PYTORCH_CUDA_ALLOC_CONF": "",
        "A": "b",
    }

    assert settings(given) == {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
