"""The wall of one scenario: the search, run through real children, as a certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from profiler.facts import (
    CardWall,
    Certificate,
    Confirmation,
    Island,
    Measurement,
    Outcome,
    Point,
    Probe,
    Schedule,
    Status,
    WallPrediction,
    WallPredictions,
    WallStatus,
    replace,
)
from profiler.forecast.lattice import off_lattice
from profiler.forecast.search import FIRST, Bracket, find_wall
from profiler.lengths import ANY, Lengths

DEFAULT_MAX_STEPS = 100_000
DEVICE, HOST = "device", "host"
# How many more times both ends of a wall are run where outcomes may vary from run to run.
BAND_REPEATS = 3
# So many of the predicted islands beyond a wall are run, the nearest first; each may be so many
# times longer than predicted.
_MOST_ISLANDS, _LONGER = 3, 2
# Other steps would end like these, too: the search ends.
_HOPELESS = {Status.ERROR, Status.TIMEOUT}
# What may be wrong where a scenario's own error ends a search in which other lengths ran.
_REFUSED = "; @scenario(multiple_of=..., at_least=...) rules out lengths that it does not take"
_OUT_OF_MEMORY = {DEVICE: Status.OOM_DEVICE, HOST: Status.OOM_HOST}


class _HopelessError(Exception):
    """A run failed for a reason that other steps would not change."""


class Measure(Protocol):
    """Runs one point in a child of its own."""

    def __call__(self, point: Point, /, *, whole: bool) -> Measurement:
        """Run ``point``; unless ``whole``, one that waits for memory may be cut short."""


@dataclass(frozen=True, kw_only=True)
class _ProbeTrial:
    """A probe as the search sees it."""

    passed: bool
    hopeless: bool
    cut_short: bool
    demand_bytes: int | None


@dataclass(kw_only=True)
class _Prober:
    """Runs probes under one set of conditions, and remembers them."""

    conditions: Point
    measure: Measure
    on_probe: Callable[[Probe], None]
    probes: list[Probe] = field(default_factory=list)
    limit_by: str | None = None
    left_out: str | None = None
    lengths: Lengths = ANY

    @property
    def kind(self) -> str:
        return DEVICE if self.conditions.host_limit_bytes is None else HOST

    @property
    def is_steady(self) -> bool:
        return self.kind == DEVICE and self.conditions.schedule is Schedule.SERIAL

    @property
    def limit_bytes(self) -> int:
        limit = self.conditions.host_limit_bytes or self.conditions.limit_bytes
        if limit is None:
            raise ValueError("a wall needs a limit")
        return limit

    def probe(self, steps: int, *, whole: bool, repeat: int = 0) -> Probe:
        point = replace(self.conditions, steps=steps, repeat=repeat)
        measurement = self.measure(point, whole=whole)
        device = measurement.device if self.kind == DEVICE else None
        probe = Probe(
            steps=steps,
            outcome=measurement.outcome,
            seconds=measurement.seconds,
            peak_bytes=self._peak(measurement),
            reserved_bytes=device.reserved_peak_bytes if device else None,
            replayed=device is not None and device.replayed,
            repeat=repeat,
            host=measurement.host if self.kind == HOST else None,
            phases=measurement.phases if self.kind == HOST else [],
        )
        if device is not None and device.left_out is not None:
            self.left_out = device.left_out
        self.probes.append(probe)
        self.on_probe(probe)
        return probe

    def trial(self, steps: int, *, whole: bool) -> _ProbeTrial:
        return self._trial(self.probe(steps, whole=whole))

    def _trial(self, probe: Probe) -> _ProbeTrial:
        return _ProbeTrial(
            passed=probe.outcome.status is Status.OK,
            hopeless=_is_hopeless(probe.outcome),
            cut_short=probe.outcome.cut_short,
            demand_bytes=probe.peak_bytes if probe.reserved_bytes is None else probe.reserved_bytes,
        )

    def trial_of(self, steps: int) -> _ProbeTrial:
        """Run these steps to their end, or return how they ended when they were."""
        ends = (one for one in self.probes if one.steps == steps and not one.outcome.cut_short)
        known = next(ends, None)
        return self._trial(known) if known else self.trial(steps, whole=True)

    def holds(self, steps: int, status: Status, repeats: int) -> Iterator[bool]:
        """Run these steps ``repeats`` more times, and yield whether each run ended so."""
        for repeat in range(1, repeats + 1):
            yield self.probe(steps, whole=True, repeat=repeat).outcome.status is status

    def always(self, steps: int, status: Status, repeats: int, *, last: int) -> int | None:
        """Return the first steps, further and further on to ``last``, that end so every time.

        Raises:
            _HopelessError: if a run fails for a reason that other steps would not change.
        """
        onwards = 1 if last > steps else -1
        stride = self.lengths.multiple_of
        while not all(self.holds(steps, status, repeats)):
            self._check_hope()
            if steps == last:
                return None
            steps += onwards * min(stride, abs(last - steps))
            stride *= 2
        return steps

    def _check_hope(self) -> None:
        probe = self.probes[-1]
        if _is_hopeless(probe.outcome):
            raise _HopelessError(f"at {self.lengths.text(probe.steps)}: {probe.outcome.sentence}")

    def _peak(self, measurement: Measurement) -> int | None:
        if self.kind == HOST:
            if measurement.host is None:
                return None
            self.limit_by = measurement.host.limit_by
            return measurement.host.capped_peak_bytes
        return measurement.device.peak_bytes if measurement.device else None


def certify(  # noqa: PLR0913 (one keyword per option of a search)
    conditions: Point,
    measure: Measure,
    *,
    predict: Callable[[], WallPredictions | Outcome] = lambda: WallPredictions(walls=[None]),
    max_steps: int = DEFAULT_MAX_STEPS,
    confirm: int = 0,
    on_probe: Callable[[Probe], None] = lambda _: None,
    lengths: Lengths = ANY,
) -> Certificate:
    """Find the wall and return its certificate.

    Args:
        conditions: the point to vary; its ``steps`` is ignored, one of its limits must be set.
        measure: runs one point in a child of its own.
        predict: predicts this wall from short runs; returns how one that failed ended.
        max_steps: the largest number of steps to try.
        confirm: how many more times both ends are run; in the parallel schedule 0 means
            ``BAND_REPEATS``.
        on_probe: called with every probe that ended.
        lengths: those that may be run, up to ``max_steps`` at least one.

    Raises:
        ValueError: if there is no limit to run into.
    """
    prober = _Prober(conditions=conditions, measure=measure, on_probe=on_probe, lengths=lengths)
    limit_bytes = prober.limit_bytes
    start = time.perf_counter()
    expected = predict()
    seconds = time.perf_counter() - start
    given = begin = None
    cards: list[CardWall] = []
    if not isinstance(expected, Outcome):
        seconds -= expected.cards_seconds
        given, cards = expected.walls[0], expected.cards
        begin = expected.begin or given
    max_steps = lengths.at_most(max_steps)
    bracket = _find(prober, begin, max_steps)
    status, reason = _status(bracket, prober)
    # In the parallel schedule, and under a host limit, what varies from run to run makes no island.
    if given and status is WallStatus.EXACT and prober.is_steady:
        _visit(prober, given.islands, bracket, max_steps)
    # Not by the clock: probes may have been run before an interruption.
    seconds += sum(probe.seconds for probe in prober.probes)
    certificate = Certificate(
        framework=conditions.framework,
        scenario=conditions.scenario,
        family=conditions.family,
        parameters=conditions.parameters,
        device=conditions.device,
        kind=prober.kind,
        schedule=conditions.schedule,
        limit_bytes=limit_bytes,
        status=status,
        last_ok=bracket.last_ok or None,
        first_oom=None if status is WallStatus.UNPROVEN else bracket.first_bad,
        predicted=None,
        predicted_from=[],
        probes=prober.probes,
        seconds=seconds,
        unpredicted=expected.sentence if isinstance(expected, Outcome) else None,
        reason=reason,
        limit_by=prober.limit_by,
        multiple_of=lengths.multiple_of,
        axis=conditions.axis,
        cards=cards,
        left_out=prober.left_out,
    )
    # Where it began by what is not short is no prediction: no interval holds for it.
    if given and given.steps < max_steps:
        certificate = _with_prediction(certificate, given)
    if status is WallStatus.EXACT and conditions.schedule is Schedule.PARALLEL:
        certificate = _banded(certificate, prober, bracket, max_steps, confirm or BAND_REPEATS)
    elif status is WallStatus.EXACT and confirm:
        certificate = replace(certificate, confirmation=_confirmation(prober, bracket, confirm))
    return _replayed(certificate)


def _replayed(wall: Certificate) -> Certificate:
    """Return the certificate as what it proves: nothing, where no device ran at one of its ends."""
    ends = {wall.last_ok, wall.first_oom}
    is_proven = wall.status is not WallStatus.UNPROVEN
    if is_proven and any(probe.replayed for probe in wall.probes if probe.steps in ends):
        return replace(wall, status=WallStatus.REPLAYED)
    return wall


def _find(prober: _Prober, prediction: WallPrediction | None, max_steps: int) -> Bracket:
    """Search among the numbers of the lengths that may be run; return the bracket in steps."""
    lengths = prober.lengths
    found = find_wall(
        lambda number, *, whole: prober.trial(lengths.nth(number), whole=whole),
        limit_bytes=prober.limit_bytes,
        max_n=lengths.number(max_steps),
        prediction=prediction and off_lattice(prediction, lengths),
        first=max(1, lengths.number(FIRST)),
    )
    return Bracket(
        demands={lengths.nth(n): demand for n, demand in found.demands.items()},
        passed={lengths.nth(n) for n in found.passed},
        failed={lengths.nth(n): cut_short for n, cut_short in found.failed.items()},
    )


def _visit(prober: _Prober, islands: list[Island], wall: Bracket, max_steps: int) -> None:
    """Run both ends of the islands that are predicted beyond a wall, and what is next to them."""
    first_bad = _next(wall, prober)
    beyond = [one for one in islands if first_bad < one.first <= max_steps]
    for island in beyond[:_MOST_ISLANDS]:
        _land(prober, island, max_steps)


def _land(prober: _Prober, island: Island, max_steps: int) -> None:
    """Run the length before an island and its first; if that survives, find where it ends."""
    lengths = prober.lengths
    before = lengths.number(island.first) - 1
    size = lengths.number(island.last) - before

    def run(number: int, *, whole: bool) -> _ProbeTrial:
        del whole
        return prober.trial_of(lengths.nth(before + number))

    if not run(0, whole=True).hopeless and run(1, whole=True).passed:
        find_wall(
            run,
            limit_bytes=prober.limit_bytes,
            max_n=min(lengths.number(max_steps) - before, _LONGER * size + 1),
            prediction=WallPrediction(steps=size, low=size, high=size, learned_from=[]),
        )


def _with_prediction(certificate: Certificate, prediction: WallPrediction) -> Certificate:
    return replace(
        certificate,
        predicted=prediction.steps,
        predicted_from=prediction.learned_from,
        predicted_low=prediction.low,
        predicted_high=prediction.high,
        predicted_by="line" if prediction.is_line else "replay",
    )


def _confirmation(prober: _Prober, bracket: Bracket, repeats: int) -> Confirmation:
    failing = _OUT_OF_MEMORY[prober.kind]
    return Confirmation(
        repeats=repeats,
        survived=sum(prober.holds(bracket.last_ok, Status.OK, repeats)),
        ran_out=sum(prober.holds(_next(bracket, prober), failing, repeats)),
    )


def _banded(
    exact: Certificate, prober: _Prober, bracket: Bracket, max_steps: int, repeats: int
) -> Certificate:
    """Return the certificate with ends that held in each of ``repeats`` more runs."""
    failing = _OUT_OF_MEMORY[prober.kind]
    try:
        first = prober.lengths.first
        low = prober.always(bracket.last_ok, Status.OK, repeats, last=first)
        high = prober.always(_next(bracket, prober), failing, repeats, last=max_steps)
    except _HopelessError as error:
        return replace(exact, status=WallStatus.UNPROVEN, first_oom=None, reason=str(error))
    return replace(
        exact,
        status=WallStatus.EXACT if low and high == prober.lengths.next(low) else WallStatus.BAND,
        last_ok=low,
        first_oom=high,
        confirmation=Confirmation(
            repeats=repeats, survived=repeats if low else 0, ran_out=repeats if high else 0
        ),
    )


def _next(bracket: Bracket, prober: _Prober) -> int:
    """Return the first length that ran out of memory."""
    return prober.lengths.next(bracket.last_ok)


def _status(bracket: Bracket, prober: _Prober) -> tuple[WallStatus, str | None]:
    last = prober.probes[-1]
    if _is_hopeless(last.outcome):
        reason = f"at {prober.lengths.text(last.steps)}: {last.outcome.sentence}"
        is_refused = last.outcome.status is Status.ERROR and bracket.passed
        return WallStatus.UNPROVEN, reason + (_REFUSED if is_refused else "")
    if bracket.first_bad is None:
        return WallStatus.AT_LEAST, None
    failed = next(p for p in reversed(prober.probes) if p.steps == bracket.first_bad)
    if failed.outcome.status is not _OUT_OF_MEMORY[prober.kind]:
        return WallStatus.UNPROVEN, (
            f"at {prober.lengths.text(failed.steps)}, not a {prober.kind} memory failure: "
            f"{failed.outcome.sentence}"
        )
    return (WallStatus.EXACT if bracket.last_ok else WallStatus.AT_MOST), None


def _is_hopeless(outcome: Outcome) -> bool:
    return outcome.status in _HOPELESS or outcome.was_stopped
