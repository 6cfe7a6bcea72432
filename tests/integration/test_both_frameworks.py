"""An installation with TensorFlow and PyTorch: one run of both, each in processes of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.frameworks import installed, lacking

NAMES = ("tensorflow", "torch")

pytestmark = pytest.mark.skipif(
    any(lacking(installed()[name]) is not None for name in NAMES),
    reason="needs an environment with both frameworks",
)
Command = Callable[..., subprocess.CompletedProcess[str]]
PROBE = '''
import sys
{imports}
from profiler import scenario


@scenario
def {name}(steps: int) -> {kind}:
    """Says which frameworks its process holds."""
    raise ValueError(sorted({{"tensorflow", "torch"}} & set(sys.modules)))
'''


def test_one_run_measures_both(stepwall: Command, tmp_path: Path) -> None:
    """Each of its points by its own framework, and one page names both."""
    names = ["dynamic_rnn", "torch_loop"]
    options = ["--steps", "4,8,12", "--name", "both", "--json", "both.json"]
    done = stepwall("profile", *names, *options, cwd=tmp_path)
    document = json.loads((tmp_path / "both.json").read_text())
    page = (tmp_path / "results" / "both" / "report.html").read_text()

    assert done.returncode == 0, done.stderr
    assert [
        (point["framework"], point["outcome"]["status"]) for point in document["measurements"]
    ] == [("tensorflow", "ok")] * 3 + [("torch", "ok")] * 3
    assert document["environment"]["frameworks"].keys() == {*NAMES}
    assert "graph nodes (TensorFlow)" in page
    assert "ATen operations dispatched (PyTorch)" in page


def test_a_process_holds_one_framework(stepwall: Command, tmp_path: Path) -> None:
    """Each scenario says what its own process has loaded."""
    kinds = {"first": "Training", "second": "TorchTraining"}
    for name, kind in kinds.items():
        text = PROBE.format(imports=f"from profiler import {kind}", name=name, kind=kind)
        (tmp_path / f"{name}.py").write_text(text)
    options = ["--scenarios", tmp_path, "--steps", 4]
    done = stepwall("profile", *kinds, *options, cwd=tmp_path)
    first, second = done.stderr.splitlines()

    assert "ValueError: ['tensorflow']" in first
    assert "ValueError: ['torch']" in second
