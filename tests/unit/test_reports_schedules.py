"""What the parallel schedule needs more or less, in a sentence."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import ScheduleCheck
from reports.texts.schedules import schedules_text

TITLE = samples.FRAMEWORK.title


def _text(*parallel: int, has_wall: bool = False) -> str | None:
    """Return the sentence for a serial peak of 1,000 B."""
    check = ScheduleCheck(
        steps=64, serial_peak_bytes=1000, parallel_peak_bytes=sorted(parallel, reverse=True)
    )
    return schedules_text(check, samples.FRAMEWORK, has_wall=has_wall)


def test_more_is_told_from_the_least_to_the_most() -> None:
    """With whose default that is."""
    assert _text(1410, 1440, 1470) == (
        f"the parallel schedule, {TITLE}'s default, needs 41 to 47 % more device memory at 64 steps"
    )


def test_less_is_told_too_and_what_it_means_for_a_wall() -> None:
    """Both ends are positive numbers; equal ones stand once."""
    assert _text(800, 850, 850, has_wall=True) == (
        f"the parallel schedule, {TITLE}'s default, needs 15 to 20 % less device memory "
        "at 64 steps: the wall likely comes later there"
    )
    assert "needs 50 % more" in (_text(1500, 1500, 1500) or "")
    assert (_text(1500, 1500, 1500, has_wall=True) or "").endswith("comes earlier there")


def test_about_the_same_is_not_worth_a_line() -> None:
    """Nor is what was not run."""
    assert _text(1010, 1020, 1030) is None
    assert schedules_text(None, samples.FRAMEWORK) is None


def test_what_could_not_be_run_says_why() -> None:
    """Instead of nothing, which would mean that all is well."""
    check = ScheduleCheck(steps=64, serial_peak_bytes=1000, reason="oom_host")

    assert schedules_text(check, samples.FRAMEWORK) == (
        "not compared with the parallel schedule at 64 steps: oom_host"
    )
