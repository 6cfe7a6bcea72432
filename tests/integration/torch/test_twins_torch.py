"""Twins of TensorFlow's scenarios: of the same weights and inputs, the same loss and gradients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RESOURCES = Path(__file__).parent / "resources"
CELLS = ("basic", "lstm")
SHAPES = ("seq_to_vec", "vec_to_seq", "delayed_seq_to_seq")
BUILDS = (
    "torch_loop",
    "torch_layer",
    "torch_checkpointed",
    "torch_compiled_loop",
    "torch_scan",
)
TWINS = {
    "handmade": ("torch_handmade",),
    "attention": ("torch_attention", "torch_flash_attention"),
    **{f"builds {cell}": BUILDS for cell in CELLS},
    **{
        f"{shape} {cell}": (f"torch_{shape}_loop", f"torch_{shape}_layer")
        for shape in SHAPES
        for cell in CELLS
    },
}
# Of a cell without a twin: builds against the first of them.
ALONE = {"gru": BUILDS[1:]}
# Of the largest gradient; sums in another order differ by some parts in ten million.
TOLERANCE = 1e-5

Differences = dict[str, dict[str, dict[str, float]]]


@pytest.fixture(scope="module")
def differences() -> Differences:
    """Return how far each gradient is off, by case, scenario and parameter."""
    done = subprocess.run(
        [sys.executable, str(RESOURCES / "compare_twins.py"), str(RESOURCES / "twins.npz")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: Differences = json.loads(done.stdout)
    return found


def test_every_twin_is_compared(differences: Differences) -> None:
    """Each case has its arrays, and each scenario of it was run."""
    found = {case: tuple(scenarios) for case, scenarios in differences.items()}
    assert found == TWINS | ALONE


@pytest.mark.parametrize(
    ("case", "scenario"),
    [(case, scenario) for case, scenarios in (TWINS | ALONE).items() for scenario in scenarios],
)
def test_a_twin_has_the_same_gradients(
    differences: Differences, case: str, scenario: str, *, has_right_scan: bool
) -> None:
    """Of every weight, and the same loss."""
    found = differences[case][scenario]
    if scenario == "torch_scan" and not has_right_scan:
        assert found["loss"] < TOLERANCE
        assert max(found.values()) > TOLERANCE
        return

    assert len(found) > 3
    assert {name: value for name, value in found.items() if not value < TOLERANCE} == {}
