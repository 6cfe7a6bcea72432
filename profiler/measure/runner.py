"""Running many points and walls: in order, several at a time, each stored as it ends."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass

from profiler.facts import (
    CardWall,
    Certificate,
    Explanation,
    Measurement,
    Outcome,
    Point,
    Probe,
    Run,
    Status,
    WallStatus,
    replace,
)
from profiler.forecast.certificate import certify
from profiler.frameworks import Mode
from profiler.lengths import counted, one_of
from profiler.limits import machine
from profiler.measure.client import Client, unexplained
from profiler.measure.pool import run_all
from profiler.measure.remedies import tried
from profiler.measure.schedules import checked, with_schedules
from profiler.planning.points import by_series
from profiler.store.runs import Store

# A failing probe waits for 10 s without using a core, so walls overlap well.
WALLS_AT_ONCE = 6
# What a child holds on the host beside its limited device memory, at most, in a wall search.
_HOST_BYTES_PER_WALL = 1 << 30
_NO_HOST_TRACE = "under a host limit no allocations are recorded"


class Explain(enum.Enum):
    """What is explained of a point: its own step alone, or shorter ones too, for its growth.

    ``GROWTH``: also a short step in the parallel schedule. ``REMEDIES``: all that, and what is
    tried to lower its peak.
    """

    ALONE = "alone"
    GROWTH = "growth"
    REMEDIES = "remedies"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One run's work: where it is measured and where it is stored."""

    client: Client
    store: Store
    run: Run
    on_start: Callable[[Point], None] = lambda _: None
    on_measurement: Callable[[Measurement], None] = lambda _: None
    on_skip: Callable[[Point], None] = lambda _: None
    on_probe: Callable[[Point, Probe], None] = lambda *_: None
    on_wall: Callable[[Certificate], None] = lambda _: None

    def measure(
        self,
        points: Iterable[Point],
        *,
        jobs: int = 1,
        timeline: bool = False,
        explain: Explain | None = None,
    ) -> None:
        """Measure the points that the run lacks, a series after another or ``jobs`` at once.

        On one card always one after another.

        Once a point of a series ran out of memory, now or before the run was resumed, its
        longer ones are skipped, and stored as skipped: they would cost 10 s each to say the same.
        """

        def series(members: list[Point], stopped: threading.Event) -> None:
            for position, point in enumerate(members):
                if stopped.is_set():
                    return
                measurement = self.store.measurement(self.run, point.key)
                if measurement is None or measurement.outcome.status is Status.SKIPPED:
                    self.on_start(point)
                    measurement = self.client.measure(point, timeline=timeline)
                    if explain is not None:
                        alone = explain is Explain.ALONE
                        measurement = self.client.traced(measurement, alone=alone)
                    if explain is Explain.REMEDIES:
                        measurement = tried(self.client, measurement, on_start=self.on_start)
                    if explain in {Explain.GROWTH, Explain.REMEDIES}:
                        measurement = with_schedules(
                            self._quick, measurement, lengths=self.client.lengths(point)
                        )
                    if stopped.is_set():  # killed with the rest: this says nothing of the point
                        return
                    self.store.add_measurement(self.run, measurement)
                    self.on_measurement(measurement)
                if measurement.outcome.status.is_oom:
                    self._skip(members[position + 1 :], after=point)
                    return

        wanted = list(points)
        run_all(series, by_series(wanted), at_once(wanted, jobs))

    def _skip(self, points: Iterable[Point], *, after: Point) -> None:
        for point in points:
            reason = f"{counted(after.steps, after.axis)} ran out of memory"
            end = Outcome(status=Status.SKIPPED, reason=reason)
            skipped = Measurement(point=point, outcome=end, seconds=0)
            if not self.store.has("measurements", self.run, point.key):
                self.store.add_measurement(self.run, skipped)
            self.on_skip(point)

    def find_walls(
        self,
        conditions: Iterable[Point],
        *,
        max_steps: int,
        confirm: int = 0,
        cards: Sequence[int] = (),
    ) -> list[Certificate]:
        """Return the wall under each of the conditions (points whose steps do not matter).

        Probes that the run holds from before it was interrupted are not run again, unless they
        say nothing of memory; and a wall that they left unproven is searched again.

        Args:
            conditions: with the limits.
            max_steps: the most that are run.
            confirm: how many more times both ends are run.
            cards: other limits on the device's memory, under which walls are only predicted.
        """
        wanted = [replace(point, steps=0) for point in conditions]

        def find(point: Point, stopped: threading.Event) -> Certificate:
            if stopped.is_set():
                raise CancelledError
            stored = self.store.wall(self.run, point.key)
            if stored is not None and stored.status is not WallStatus.UNPROVEN:
                return stored
            certificate = certify(
                point,
                lambda probe, *, whole: self._probe(probe, whole=whole, stopped=stopped),
                predict=lambda: self.client.predict_wall(point, max_steps=max_steps, cards=cards),
                max_steps=max_steps,
                confirm=confirm,
                on_probe=lambda probe: self.on_probe(point, probe),
                lengths=self.client.lengths(point),
            )
            if certificate.unpredicted is not None and point.host_limit_bytes is None:
                reason = f"the short runs that predict it ended with {certificate.unpredicted}"
                unknown = [CardWall(limit_bytes=limit, reason=reason) for limit in cards]
                certificate = replace(certificate, cards=unknown)
            certificate = self._explained(point, certificate)
            if certificate.last_ok is not None:
                check = checked(
                    lambda short: self._probe(short, whole=True, stopped=stopped),
                    replace(point, steps=certificate.last_ok),
                    lengths=self.client.lengths(point),
                )
                certificate = replace(certificate, schedules=check)
            if stopped.is_set():
                raise CancelledError
            self.store.add_wall(self.run, point.key, certificate)
            self.on_wall(certificate)
            return certificate

        return run_all(find, wanted, walls_at_once(wanted))

    def _explained(self, conditions: Point, wall: Certificate) -> Certificate:
        """Return the wall with what is held at the peak of the last steps that fit."""
        if wall.last_ok is None:
            return replace(wall, unexplained=f"no {one_of(wall.axis)} fits")
        if conditions.host_limit_bytes is not None:
            return replace(wall, unexplained=_NO_HOST_TRACE)
        found = self.client.explain(replace(conditions, steps=wall.last_ok), alone=True)
        if isinstance(found, Explanation):
            return replace(wall, explanation=found)
        return replace(wall, unexplained=unexplained(found))

    def _quick(self, point: Point) -> Measurement:
        self.on_start(point)
        return self.client.measure(point, mode=Mode(inspect=False))

    def _probe(self, point: Point, *, whole: bool, stopped: threading.Event) -> Measurement:
        stored = self.store.probe(self.run, point.key)
        if stored is not None and _answers(stored.outcome, whole=whole):
            return stored
        measurement = self.client.measure(point, mode=Mode(inspect=False, whole=whole))
        if stopped.is_set():  # killed with the rest: this says nothing of the point
            raise CancelledError
        self.store.add_probe(self.run, measurement)
        return measurement


def _answers(end: Outcome, *, whole: bool) -> bool:
    """Whether a probe shows if its point fits: one that crashed may end differently next time."""
    ran_out = end.status.is_oom and not end.was_stopped and not (whole and end.cut_short)
    return end.status is Status.OK or ran_out


def at_once(points: Iterable[Point], jobs: int) -> int:
    """Return how many of these may run at once: on cards no more than there are cards."""
    wanted = list(points)
    if any(point.on_card for point in wanted):
        return min(jobs, len({point.device for point in wanted}))
    return jobs


def walls_at_once(conditions: Sequence[Point]) -> int:
    """Return how many walls are searched at once: as many as host and cards have memory for."""
    each = _HOST_BYTES_PER_WALL + max(map(_of_host, conditions), default=0)
    room = machine.available_bytes() // each
    return at_once(conditions, max(1, min(WALLS_AT_ONCE, room)))


def _of_host(point: Point) -> int:
    """Return what the point's limit lets it take of the host's memory."""
    return point.host_limit_bytes or (0 if point.on_card else point.limit_bytes or 0)
