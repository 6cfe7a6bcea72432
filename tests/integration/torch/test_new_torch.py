"""``stepwall new`` where PyTorch is installed: what it writes works as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.frameworks import installed
from profiler.planning.templates import framework_of, templates

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

KINDS = [k for k in templates(installed()) if framework_of(k, installed()).name == "torch"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_works_as_it_stands(stepwall: Stepwall, tmp_path: Path, kind: str) -> None:
    """There is nothing to say of it, and its own test passes."""
    done = stepwall("new", "a_new_one", "--kind", kind, cwd=tmp_path)
    tried = stepwall("try", "a_new_one.py", "--json", "-", cwd=tmp_path)
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_a_new_one.py"]
    tested = subprocess.run(test, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert tried.returncode == 0, tried.stdout
    (scenario,) = json.loads(tried.stdout)["scenarios"]
    assert (scenario["scenario"], scenario["remarks"]) == ("a_new_one", [])
    assert tested.returncode == 0, tested.stdout


def test_a_kind_that_works_here_is_written_without_being_asked_for(
    stepwall: Stepwall, tmp_path: Path
) -> None:
    """TensorFlow may not be there."""
    done = stepwall("new", "a_new_one", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a_new_one.py").is_file()


def test_without_pytorch_it_says_how_to_install_it(stepwall: Stepwall, tmp_path: Path) -> None:
    """In a line, and nothing is written."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    path = os.pathsep.join([str(hiding), os.environ.get("PYTHONPATH", "")])
    done = stepwall("new", "a_new_one", "--kind", "torch", cwd=tmp_path, PYTHONPATH=path)

    assert done.returncode == 2
    assert done.stderr == (
        "stepwall: --kind torch needs PyTorch, and 'torch' is not installed: "
        "pip install 'stepwall[torch]'\n"
    )
    assert not (tmp_path / "a_new_one.py").exists()
