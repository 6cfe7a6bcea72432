"""The files that docs/scenarios.md shows work as they stand."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.frameworks import installed
from profiler.planning import templates

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

DOCS = Path(__file__).parents[2] / "docs"
FILES = dict(
    re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (DOCS / "scenarios.md").read_text(), re.DOTALL)
)
SCENARIOS = [name for name, text in FILES.items() if "@scenario" in text]
MOST_LINES = 15


def test_the_first_one_is_what_stepwall_new_writes() -> None:
    """The docs show it as it is now."""
    template = templates.templates(installed())["graph"]

    assert FILES["my_rnn.py"] == templates.filled(template, "my_rnn")["my_rnn.py"]


def test_a_model_that_exists_takes_few_lines() -> None:
    """All of the file beside it."""
    lines = [line for line in FILES["char_scenario.py"].splitlines() if line.strip()]

    assert len(lines) < MOST_LINES


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_can_be_measured(stepwall: Stepwall, tmp_path: Path, name: str) -> None:
    """``stepwall try`` has no error and no warning."""
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    done = stepwall("try", name, "--json", "-", cwd=tmp_path)

    assert done.returncode == 0, done.stdout
    for one in json.loads(done.stdout)["scenarios"]:
        assert {remark["level"] for remark in one["remarks"]} <= {"note"}
