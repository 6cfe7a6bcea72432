"""How far the parallel schedule is from the serial one, in words."""

from __future__ import annotations

from profiler.facts import FrameworkFacts, ScheduleCheck
from profiler.lengths import STEPS
from reports.texts.numbers import steps_text

__all__ = ["schedules_text"]


def schedules_text(
    check: ScheduleCheck | None,
    framework: FrameworkFacts,
    *,
    axis: str = STEPS,
    has_wall: bool = False,
) -> str | None:
    """Return what the parallel schedule needs more or less; None where both need about the same.

    Args:
        check: the runs in both; None where none were made.
        framework: whose default the parallel schedule is.
        axis: the name of what is counted as steps.
        has_wall: also say to which side a wall of device memory moves.
    """
    if check is None:
        return None
    if check.reason is not None:
        at = steps_text(check.steps, axis)
        return f"not compared with the parallel schedule at {at}: {check.reason}"
    if not check.is_notable:
        return None
    shares = check.shares
    is_more = shares[0] > 0
    ends = dict.fromkeys(f"{100 * size:.0f}" for size in sorted(map(abs, (shares[0], shares[-1]))))
    needs = " to ".join(ends)
    text = (
        f"the parallel schedule, {framework.title}'s default, needs {needs} % "
        f"{'more' if is_more else 'less'} device memory at {steps_text(check.steps, axis)}"
    )
    return (
        f"{text}: the wall likely comes {'earlier' if is_more else 'later'} there"
        if has_wall
        else text
    )
