"""The wall of one scenario: the search, run through real children, as a certificate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from profiler.results import Certificate, Measurement, Outcome, Point, Probe, Status, WallStatus
from profiler.search import Bracket, find_wall

Measure = Callable[[Point], Measurement]
DEFAULT_MAX_STEPS = 100_000
# More or fewer steps would not mend these: the search ends.
_HOPELESS = {Status.ERROR, Status.TIMEOUT}


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """A probe as the search sees it."""

    passed: bool
    hopeless: bool
    peak_bytes: int | None


def certify(
    conditions: Point,
    measure: Measure,
    *,
    max_steps: int = DEFAULT_MAX_STEPS,
    on_probe: Callable[[Probe], None] = lambda _: None,
) -> Certificate:
    """Find the wall and return its certificate.

    Args:
        conditions: the point to vary; its ``steps`` is ignored, its limit must be set.
        measure: runs one point in a child of its own.
        max_steps: the largest number of steps to try.
        on_probe: told of every probe that ended.
    """
    if conditions.limit_bytes is None:
        raise ValueError("a wall needs a limit")
    start = time.perf_counter()
    probes: dict[int, Probe] = {}

    def probe(steps: int) -> _Verdict:
        probes[steps] = _probe(measure(replace(conditions, steps=steps)))
        on_probe(probes[steps])
        status = probes[steps].outcome.status
        return _Verdict(
            passed=status is Status.OK,
            hopeless=status in _HOPELESS,
            peak_bytes=probes[steps].peak_bytes,
        )

    bracket = find_wall(probe, limit_bytes=conditions.limit_bytes, max_n=max_steps)
    status, reason = _status(bracket, probes)
    return Certificate(
        scenario=conditions.scenario,
        family=conditions.family,
        parameters=conditions.parameters,
        device=conditions.device,
        kind="device",
        schedule=conditions.schedule,
        limit_bytes=conditions.limit_bytes,
        status=status,
        last_ok=bracket.last_ok or None,
        first_oom=None if status is WallStatus.UNPROVEN else bracket.first_bad,
        predicted=bracket.predicted,
        predicted_from=bracket.predicted_from,
        probes=list(probes.values()),
        seconds=time.perf_counter() - start,
        reason=reason,
    )


def _probe(measurement: Measurement) -> Probe:
    return Probe(
        steps=measurement.point.steps,
        outcome=measurement.outcome,
        seconds=measurement.seconds,
        peak_bytes=measurement.device.peak_bytes if measurement.device else None,
    )


def _status(bracket: Bracket, probes: dict[int, Probe]) -> tuple[WallStatus, str | None]:
    last = list(probes.values())[-1]
    if last.outcome.status in _HOPELESS:
        return WallStatus.UNPROVEN, f"at {last.steps} steps: {_sentence(last.outcome)}"
    if bracket.first_bad is None:
        return WallStatus.AT_LEAST, None
    failed = probes[bracket.first_bad]
    if failed.outcome.status is not Status.OOM_DEVICE:
        reason = f"at {failed.steps} steps, no device memory failure: {_sentence(failed.outcome)}"
        return WallStatus.UNPROVEN, reason
    return (WallStatus.EXACT if bracket.last_ok else WallStatus.AT_MOST), None


def _sentence(outcome: Outcome) -> str:
    where = f" in {outcome.phase}" if outcome.phase else ""
    return f"{outcome.status.value}{where}: {outcome.reason}"
