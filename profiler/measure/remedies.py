"""What lowers the peak of a training step, tried on this very step in children of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from profiler.facts import (
    Measurement,
    Point,
    Remedy,
    Schedule,
    Status,
    replace,
)
from profiler.frameworks import Mode, framework
from profiler.measure.client import Client
from profiler.measure.schedules import parallel_points, peaks_of
from profiler.planning.remedies import (
    Trial,
    batch_dimension,
    half_batches,
    of_framework,
    other_values,
)

__all__ = ["tried"]

# Each costs a run or four; a parameter with very many values is no short list.
_MOST_TRIALS = 10
# Below this share of the peak nothing was gained or lost.
NOTABLE = 0.01


def tried(
    client: Client, measured: Measurement, *, on_start: Callable[[Point], None] = lambda _: None
) -> Measurement:
    """Return an explained measurement with what was tried to lower its peak.

    Args:
        client: measures the trials.
        measured: the step as it is; without an explanation or a peak it is returned as it is.
        on_start: called with each point that is run.
    """
    explained = measured.trace
    if explained is None or measured.device is None or measured.device.peak_bytes is None:
        return measured
    bench = _Bench(client=client, before=measured, on_start=on_start)
    parameters = client.catalog().scenarios[measured.point.scenario].parameters
    variants = framework(measured.point.framework).variants(explained)
    trials = [
        *of_framework(variants, measured.point),
        *other_values(parameters, measured.point),
    ]
    remedies = [
        *bench.half_batch(half_batches(parameters, measured)),
        *(bench.remedy(trial) for trial in trials[:_MOST_TRIALS]),
    ]
    missing = dict(explained.missing)
    if trials[_MOST_TRIALS:]:
        names = ", ".join(trial.name for trial in trials[_MOST_TRIALS:])
        missing["remedies"] = f"{_MOST_TRIALS} were tried; not tried: {names}"
    return replace(measured, trace=replace(explained, remedies=remedies, missing=missing))


@dataclass(kw_only=True)
class _Bench:
    """Runs trials against one measurement."""

    client: Client
    before: Measurement
    on_start: Callable[[Point], None]
    _parallel_before: list[int] | None = None

    def half_batch(self, trials: Iterable[Trial]) -> list[Remedy]:
        """Return what half the batch measured, of the parameters that may be the batch."""
        by_dimension: dict[int, list[Remedy]] = {}
        for trial in trials:
            after = self._measure(trial)
            dimension = batch_dimension(trial, self.before, after)
            if dimension is not None:
                by_dimension.setdefault(dimension, []).append(self._compared(trial, after))
        # Where a leading dimension is the batch, another array's second one is something else.
        return by_dimension[min(by_dimension)] if by_dimension else []

    def remedy(self, trial: Trial) -> Remedy:
        """Return what the trial measured."""
        return self._in_parallel(trial, self._compared(trial, self._measure(trial)))

    def _compared(self, trial: Trial, after: Measurement) -> Remedy:
        device, step = self.before.device, self.before.step
        remedy = Remedy(
            name=trial.name,
            steps=self.before.point.steps,
            before_bytes=device.peak_bytes or 0 if device else 0,
            before_s=step.median_s if step else None,
            changes=trial.changes,
        )
        if after.outcome.status is not Status.OK or after.device is None:
            return replace(remedy, reason=after.outcome.sentence)
        return replace(
            remedy,
            peak_bytes=after.device.peak_bytes,
            step_s=after.step.median_s if after.step else None,
        )

    def _in_parallel(self, trial: Trial, remedy: Remedy) -> Remedy:
        """Add the peaks in the parallel schedule: what helps in order may not help out of it.

        Half the batch does in any order. What changes little needs no second opinion.
        """
        is_serial = self.before.point.schedule is Schedule.SERIAL
        if not is_serial or abs(remedy.share or 0) < NOTABLE:
            return remedy
        if self._parallel_before is None:
            as_it_is = Trial(name="", point=self.before.point)
            self._parallel_before = self._parallel_peaks(as_it_is)
        return replace(
            remedy,
            parallel_before_bytes=self._parallel_before,
            parallel_bytes=self._parallel_peaks(trial),
        )

    def _parallel_peaks(self, trial: Trial) -> list[int]:
        points = parallel_points(trial.point)
        return peaks_of([self._measure(replace(trial, point=point)) for point in points])

    def _measure(self, trial: Trial) -> Measurement:
        self.on_start(trial.point)
        mode = Mode(inspect=False, variant=trial.variant)
        return self.client.measure(trial.point, mode=mode)
