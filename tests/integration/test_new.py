"""``stepwall new``: what it writes works as it stands, for each kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.frameworks import installed, lacking
from profiler.planning.templates import framework_of, templates

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

OK, BAD_INPUT = 0, 2


KINDS = [
    kind for kind in templates(installed()) if lacking(framework_of(kind, installed())) is None
]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_works_as_it_stands(stepwall: Stepwall, tmp_path: Path, kind: str) -> None:
    """There is nothing to say of it, and its own test passes."""
    done = stepwall("new", "a_new_one", "--kind", kind, cwd=tmp_path)

    assert done.returncode == OK, done.stderr
    assert done.stdout.splitlines() == [
        "Wrote a_new_one.py",
        "Wrote test_a_new_one.py",
        "next: stepwall try a_new_one.py",
        "      pytest test_a_new_one.py",
    ]
    tried = stepwall("try", "a_new_one.py", "--json", "-", cwd=tmp_path)
    assert tried.returncode == OK, tried.stdout
    (scenario,) = json.loads(tried.stdout)["scenarios"]
    assert (scenario["scenario"], scenario["remarks"]) == ("a_new_one", [])
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_a_new_one.py"]
    tested = subprocess.run(test, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert tested.returncode == OK, tested.stdout


def test_nothing_is_overwritten(stepwall: Stepwall, tmp_path: Path) -> None:
    """Not even the scenario, where only its test is there."""
    (tmp_path / "test_mine.py").write_text("mine\n")
    done = stepwall("new", "mine", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr == "stepwall: 'test_mine.py' exists, and is not overwritten\n"
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]
    assert (tmp_path / "test_mine.py").read_text() == "mine\n"


def test_may_go_elsewhere(stepwall: Stepwall, tmp_path: Path) -> None:
    """A folder is made if need be."""
    done = stepwall("new", "mine", "-o", "there", "--json", "-", cwd=tmp_path)

    assert done.returncode == OK, done.stderr
    assert json.loads(done.stdout)["files"] == ["there/mine.py", "there/test_mine.py"]
    assert (tmp_path / "there" / "mine.py").is_file()
