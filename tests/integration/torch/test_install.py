"""An install with PyTorch alone: stepwall runs, and says what the other scenarios need."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("tensorflow") is not None,
    reason="needs the environment of 'make test-torch'",
)
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("command", ["--help", "list", "doctor"])
def test_works_without_the_other_framework(stepwall: Command, tmp_path: Path, command: str) -> None:
    """Nothing of it is imported."""
    done = stepwall(command, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_scenario_of_the_other_framework_says_which_extra_it_needs(
    stepwall: Command, tmp_path: Path
) -> None:
    """In one line."""
    done = stepwall("profile", "static_rnn", "--steps", "4", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr == (
        "stepwall: scenario 'static_rnn' needs TensorFlow, and 'tensorflow' is not installed: "
        "pip install 'stepwall[tensorflow]'\n"
    )
