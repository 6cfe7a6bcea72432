"""What differs between stored points and the scenario as it is now is said in words."""

from __future__ import annotations

from typing import Any

import pytest
import report_samples as samples

from profiler.facts import Schedule, replace
from profiler.planning.identity import conditions_of, difference, lengths_of

STORED = replace(samples.measured().point, source="abc", parameters={"units": 64, "deep": True})
RUN = samples.run(
    [replace(samples.measured(), point=replace(STORED, steps=steps)) for steps in (8, 16)]
)
POINTS = [m.point for m in RUN.measurements]
NOW = conditions_of(STORED)


def test_equal_points_differ_in_nothing() -> None:
    """But their steps and repeats; those that ended well have lengths."""
    assert difference(RUN, POINTS, NOW, samples.ENVIRONMENT) is None
    assert lengths_of(POINTS, NOW) == {8, 16}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "xyz"}, "from another source"),
        ({"parameters": {"units": 32, "deep": True}}, "with units=64 (now units=32)"),
        (
            {"parameters": {"units": 64, "deep": False}, "source": "xyz"},
            "from another source and with deep=true (now deep=false)",
        ),
        ({"parameters": {"units": 64}}, "with deep=true (now deep=nothing)"),
        ({"device": "gpu:0"}, "on cpu (now gpu:0)"),
        ({"schedule": Schedule.PARALLEL}, "in the serial schedule (now parallel)"),
        ({"limit_bytes": 1 << 20}, "under another limit"),
        ({"family": "others"}, "of another file"),
    ],
)
def test_what_differs_is_said(change: dict[str, Any], words: str) -> None:
    """In one line; such points have no lengths."""
    now = replace(NOW, **change)

    assert difference(RUN, POINTS, now) == f"run 'sample' measured static_rnn {words}"
    assert lengths_of(POINTS, now) == set()


def test_of_several_the_nearest_is_named() -> None:
    """It has less that differs."""
    far = replace(STORED, source="other", device="gpu:0", parameters={"units": 1, "deep": False})

    assert difference(RUN, [far, STORED], replace(NOW, device="gpu:1")) == (
        "run 'sample' measured static_rnn on cpu (now gpu:1)"
    )


def test_a_run_without_the_scenario_says_so() -> None:
    """There is nothing to compare."""
    assert difference(RUN, POINTS, replace(NOW, scenario="other")) == "run 'sample' has no 'other'"
