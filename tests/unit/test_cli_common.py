"""The next command is one that can be typed as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from profiler.cli.common import Common, next_command
from profiler.measure.client import POINT_TIMEOUT_S

PLAIN: dict[str, Any] = {
    "settings": (),
    "device": "cpu",
    "schedule": "serial",
    "timeout": POINT_TIMEOUT_S,
}


def common(results: str = "results", *scenarios: str) -> Common:
    """Return the common options."""
    return Common(
        scenarios=scenarios, results=Path(results), json_path=None, quiet=False, verbose=False
    )


def test_defaults_are_left_out() -> None:
    """What was not typed need not be typed again."""
    assert next_command(common(), PLAIN, "wall", "a") == "stepwall wall a"


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"settings": ("units=7", "deep=true")}, "--set units=7 --set deep=true"),
        ({"device": "gpu:1"}, "--device gpu:1"),
        ({"schedule": "parallel"}, "--schedule parallel"),
        ({"timeout": 9.5}, "--timeout 9.5"),
    ],
)
def test_what_was_measured_with_is_carried(given: dict[str, Any], options: str) -> None:
    """Another parameter would be another scenario."""
    assert next_command(common(), PLAIN | given, "wall", "a") == f"stepwall wall a {options}"


def test_files_and_results_are_carried_where_they_are_read() -> None:
    """A report needs no scenario file, but the folder that holds its run."""
    given = common("my results", "mine.py", "more")

    assert next_command(given, {}, "profile", "a") == (
        "stepwall profile a --scenarios mine.py --scenarios more --results 'my results'"
    )
    assert next_command(given, {}, "report", "r") == "stepwall report r --results 'my results'"
