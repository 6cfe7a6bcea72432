"""A short step in the parallel schedule: whether the serial one stands for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from profiler.facts import (
    Measurement,
    Point,
    Remedy,
    Schedule,
    ScheduleCheck,
    Status,
    replace,
)
from profiler.lengths import Lengths

__all__ = ["SHORT", "checked", "parallel_points", "peaks_of", "with_schedules"]

# The longest step that is run again only to compare schedules, where so short a one is allowed.
SHORT = 64
_REPEATS = 3

Measure = Callable[[Point], Measurement]


def parallel_points(point: Point) -> list[Point]:
    """Return the repeats of a point that show what it needs in the parallel schedule."""
    return [replace(point, schedule=Schedule.PARALLEL, repeat=repeat) for repeat in range(_REPEATS)]


def peaks_of(runs: Iterable[Measurement]) -> list[int]:
    """Return the device peaks that are known."""
    peaks = [run.device.peak_bytes for run in runs if run.device is not None]
    return [peak for peak in peaks if peak is not None]


def checked(
    measure: Measure, point: Point, *, lengths: Lengths, measured: Measurement | None = None
) -> ScheduleCheck | None:
    """Run a step as the point, of ``SHORT`` steps at most, in both schedules and without limits.

    Args:
        measure: runs one point in a child of its own.
        point: a step that fits; it is shortened where its author allows that.
        lengths: those that may be run.
        measured: the step, where it was run already; it is not run again if it is short.

    Returns:
        None for a point of the parallel schedule itself.
    """
    if point.schedule is not Schedule.SERIAL:
        return None
    steps = lengths.at_most(min(SHORT, point.steps)) or lengths.first
    free = replace(point, steps=steps, limit_bytes=None, host_limit_bytes=None)
    serial = measured if measured and measured.point == free else measure(free)
    if serial.outcome.status is not Status.OK:
        return ScheduleCheck(steps=steps, reason=serial.outcome.sentence)
    runs = [measure(one) for one in parallel_points(free)]
    failed = next((one for one in runs if one.outcome.status is not Status.OK), None)
    serial_peaks, peaks = peaks_of([serial]), peaks_of(runs)
    reason = failed.outcome.sentence if failed else None
    if not reason and (not serial_peaks or len(peaks) < len(runs)):
        reason = "the device's peak is not known"
    return ScheduleCheck(
        steps=steps,
        serial_peak_bytes=serial_peaks[0] if serial_peaks else None,
        parallel_peak_bytes=peaks,
        reason=reason,
    )


def with_schedules(measure: Measure, measured: Measurement, *, lengths: Lengths) -> Measurement:
    """Return an explained measurement with its step, or a shorter one, in the other schedule.

    Where a remedy was checked, that has run the very step in the parallel schedule already.
    """
    explained = measured.trace
    if explained is None:
        return measured
    check = _of_remedies(explained.remedies, measured.point.steps)
    check = check or checked(measure, measured.point, lengths=lengths, measured=measured)
    return replace(measured, trace=replace(explained, schedules=check))


def _of_remedies(remedies: Iterable[Remedy], steps: int) -> ScheduleCheck | None:
    for one in remedies:
        if len(one.parallel_before_bytes) == _REPEATS:
            return ScheduleCheck(
                steps=steps,
                serial_peak_bytes=one.before_bytes,
                parallel_peak_bytes=one.parallel_before_bytes,
            )
    return None
