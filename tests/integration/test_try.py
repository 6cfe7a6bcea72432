"""``stepwall try``: what is wrong with a scenario, in its author's words, with file and line."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Done = subprocess.CompletedProcess[str]
Stepwall = Callable[..., Done]

OK, BAD_INPUT, POINT_FAILED = 0, 2, 4
ERROR, WARNING = "error", "warning"
UNUSABLE = """
from profiler import Training, scenario


@scenario
def no_default(steps: int, *, units: int) -> Training:
    \"""Cannot be listed.\"""
"""


@pytest.fixture(scope="module")
def tried(
    stepwall: Stepwall, resources: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return the JSON on every scenario of ``resources/unsound.py``, by its name."""
    folder = tmp_path_factory.mktemp("tried")
    done = stepwall("try", resources / "unsound.py", "--json", "-", cwd=folder)
    assert done.returncode == POINT_FAILED
    assert all("cannot be measured" in line for line in done.stderr.splitlines())
    assert list(folder.iterdir()) == []  # nothing is stored
    return {one["scenario"]: one for one in json.loads(done.stdout)["scenarios"]}


def line_of(path: Path, text: str) -> str:
    """Return ``file.py:12`` of the first line that holds a text."""
    lines = path.read_text().splitlines()
    return f"{path}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


@pytest.mark.parametrize(
    ("scenario", "code", "words"),
    [
        ("in_twenties", "assert steps % 20", "built at 20 and 240 steps: say which"),
        ("late_import", "import no_such", "No module named 'no_such_module_here'"),
        ("traced", "tf.matmul(x, columns)", "ValueError: Dimensions must be equal, but are 7 and"),
        ("not_fed", "placeholder(tf.float32, [rows, 256])", "must feed a value"),
    ],
)
def test_says_what_is_wrong_and_where(
    tried: dict[str, Any], resources: Path, scenario: str, code: str, words: str
) -> None:
    """The line is the author's own, also where what fails was built long before."""
    (found,) = tried[scenario]["remarks"]

    assert found["level"] == ERROR
    assert words in found["text"]
    assert found["where"] == line_of(resources / "unsound.py", code)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("always_twenty", "8 and 16 steps give the same graph, and need the same memory"),
        ("at_random", "not repeatable: 8 steps measured twice gave built nodes "),
    ],
)
def test_warns_of_what_is_measured_for_nothing(
    tried: dict[str, Any], scenario: str, words: str
) -> None:
    """Its points end well all the same."""
    (found,) = tried[scenario]["remarks"]

    assert found["level"] == WARNING
    assert words in found["text"]
    assert [point["status"] for point in tried[scenario]["points"]] == ["ok", "ok"]


def test_a_second_framework_is_tried_alike(
    stepwall: Stepwall, toy_path: str, toy_source: Path, tmp_path: Path
) -> None:
    """One that cannot be built for long names the decorator; the next commands name a good one."""
    file = tmp_path / "mine.py"
    file.write_text(toy_source.read_text())
    done = stepwall("try", "mine.py", cwd=tmp_path, PYTHONPATH=toy_path)

    assert done.returncode == POINT_FAILED
    unrolled, loop, broken, error, *following = done.stdout.splitlines()
    assert re.fullmatch(
        r"toy_unrolled   fine at 8 and 16 steps: 20 and 36 nodes, .* the graph and memory grow",
        unrolled,
    )
    assert re.fullmatch(r"toy_loop   fine at 8 and 16 steps: 6 nodes, peak .*; memory grows", loop)
    assert broken == "toy_broken   cannot be measured"
    line = Path(line_of(file, "raise ValueError")).name
    assert error.startswith(f"  {line}: error: ValueError: 16 steps are too many for me")
    assert "it can be built at 8 steps" in error
    assert following == [
        "next: stepwall profile toy_unrolled --scenarios mine.py",
        "      stepwall wall toy_unrolled --limit 16MiB --scenarios mine.py",
    ]


def test_a_scenario_that_cannot_be_listed_is_bad_input(stepwall: Stepwall, tmp_path: Path) -> None:
    """Its line is given, and no framework's point is run."""
    (tmp_path / "mine.py").write_text(UNUSABLE)
    done = stepwall("try", "mine.py", cwd=tmp_path)

    assert done.returncode == BAD_INPUT
    error, following = done.stdout.splitlines()
    assert error.startswith("mine.py:5: scenario 'no_default': argument 'units' must be keyword")
    assert following == "next: fix it, then stepwall try mine.py"


def test_a_path_that_is_not_there_is_bad_input(stepwall: Stepwall, tmp_path: Path) -> None:
    """One line says so."""
    done = stepwall("try", "gone.py", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr == "stepwall: 'gone.py': no such file or folder\n"
