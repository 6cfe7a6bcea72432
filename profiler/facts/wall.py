"""Walls: what was predicted, what a search ran, and the certificate of what it found."""

from __future__ import annotations

import enum

from profiler.facts.codec import Bytes, Count, Number, Record, Seconds
from profiler.facts.explanation import Explanation
from profiler.facts.framework import Caveat
from profiler.facts.measurement import HostMemory
from profiler.facts.outcome import Outcome, Status
from profiler.facts.phase import Phase
from profiler.facts.point import Schedule
from profiler.facts.schedules import ScheduleCheck
from profiler.lengths import STEPS
from profiler.parameters import ParameterValue


class WallStatus(enum.Enum):
    """What a wall certificate proves."""

    EXACT = "exact"
    BAND = "band"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    REPLAYED = "replayed"
    UNPROVEN = "unproven"


class Island(Record, frozen=True, kw_only=True):
    """Lengths from ``first`` to ``last`` that survive though shorter ones run out."""

    first: Count
    last: Count


class Probe(Record, frozen=True, kw_only=True):
    """One run of the wall search; ``peak_bytes`` is of the memory that is limited.

    ``reserved_bytes``: what the device's allocator held for it, where that is what is limited.
    ``replayed``: no device ran under the limit; a model of its allocator said how it would end.
    ``host`` and ``phases``: the process's memory, where the whole process is limited.
    """

    steps: Count
    outcome: Outcome
    seconds: Seconds
    peak_bytes: Bytes | None = None
    reserved_bytes: Bytes | None = None
    replayed: bool = False
    repeat: Count = 0
    host: HostMemory | None = None
    phases: list[Phase] = []


class Confirmation(Record, frozen=True, kw_only=True):
    """Both ends of a wall, run ``repeats`` more times: how often each held."""

    repeats: Count
    survived: Count
    ran_out: Count


class WallPrediction(Record, frozen=True, kw_only=True):
    """The largest steps predicted to survive, before any point near them was run.

    The wall is expected between ``low`` and ``high``; only ``learned_from`` was run.
    ``is_line``: predicted by a line through peaks, not by replaying allocations;
    ``bytes_per_step`` is its slope, where it was made like the wall. ``islands``: longer lengths
    that are expected to survive again.
    """

    steps: Number
    low: Number
    high: Number
    learned_from: list[Count]
    is_line: bool = False
    bytes_per_step: Number | None = None
    islands: list[Island] = []


class PeakPrediction(Record, frozen=True, kw_only=True):
    """What these steps need without a limit, predicted with its 95 % interval: the peak, or less.

    ``recorded`` is what short runs really needed: steps -> bytes.
    """

    steps: Count
    bytes: Bytes
    low: Bytes
    high: Bytes
    recorded: dict[str, Bytes]


class CardWall(Record, frozen=True, kw_only=True):
    """Where the wall is expected under another limit on the device's memory; it was not run.

    ``is_least``: memory may be less than predicted there, and the wall further on than ``low``.
    Without a prediction ``reason`` says why. ``kept_bytes`` of the limit are what libraries keep of
    the framework's memory on a card of this size, in addition to what was recorded.
    """

    limit_bytes: Bytes
    kept_bytes: Bytes = 0
    prediction: WallPrediction | None = None
    is_least: bool = False
    reason: str | None = None


class WallPredictions(Record, frozen=True, kw_only=True):
    """Predicted walls, one for each limit; None where nothing can be predicted.

    ``reasons`` says for each limit why there is none. ``varies``: what is allocated differs from
    run to run, so nothing was replayed, and only the law of peaks can predict it. ``peak`` is that
    of a length that was asked for, ``backprop`` what its steady step takes beyond what is resident;
    without a peak, ``no_peak`` says why. ``caveats``: from which steps on a prediction is a bound
    only, and why. ``begin``: where a search for the first wall begins, if it was
    asked for. ``cards``: what else was asked for, and took ``cards_seconds`` of the prediction.
    """

    walls: list[WallPrediction | None]
    varies: bool = False
    begin: WallPrediction | None = None
    reasons: list[str | None] = []
    peak: PeakPrediction | None = None
    backprop: PeakPrediction | None = None
    no_peak: str | None = None
    caveats: list[Caveat] = []
    cards: list[CardWall] = []
    cards_seconds: Seconds = 0


class Certificate(Record, frozen=True, kw_only=True):
    """The wall of one scenario under one limit: both ends were really run, to their own end.

    All but a ``replayed`` one. It is the first edge: longer lengths may survive again
    (``islands``).

    ``exact``: ``last_ok`` survived and the next length, ``first_oom == last_ok + 1``, ran out.
    ``band``: ``last_ok`` survived and ``first_oom`` ran out every time; outcomes in between
    varied from run to run.
    ``at_least``: nothing failed up to the largest steps allowed; ``first_oom`` is None.
    ``at_most``: even ``first_oom`` (the fewest steps) ran out; ``last_ok`` is None.
    ``replayed``: as those above, but no device ran: a model of its allocator applied the limit. An
    end that is None was not found.
    ``unproven``: the first failing run was no memory failure; ``reason`` says what it was.

    ``kind`` is ``device`` or ``host``: the memory that is limited, and that ran out.
    ``explanation`` says what is held at the peak of ``last_ok``; ``unexplained`` why it is None.
    ``unpredicted`` says how the short runs of the prediction failed, if they did.
    ``multiple_of``: the author allows only multiples of it; ``first_oom`` is then the next of them.
    ``schedules``: a short step in the other schedule; None where none was run.
    ``axis`` is the name of what is counted as steps. ``cards``: what is expected under other
    limits. ``left_out``: what a device would hold in addition, where a model of its allocator
    applied the limit.
    """

    framework: str
    scenario: str
    family: str
    parameters: dict[str, ParameterValue]
    device: str
    kind: str
    schedule: Schedule
    limit_bytes: Bytes
    status: WallStatus
    last_ok: Count | None
    first_oom: Count | None
    predicted: Number | None
    predicted_from: list[Count]
    probes: list[Probe]
    seconds: Seconds
    reason: str | None = None
    predicted_low: Number | None = None
    predicted_high: Number | None = None
    predicted_by: str | None = None
    confirmation: Confirmation | None = None
    limit_by: str | None = None
    explanation: Explanation | None = None
    unexplained: str | None = None
    unpredicted: str | None = None
    multiple_of: Count = 1
    schedules: ScheduleCheck | None = None
    axis: str = STEPS
    cards: list[CardWall] = []
    left_out: str | None = None

    @property
    def survivor(self) -> Probe | None:
        """The run at ``last_ok``."""
        return self._end(self.last_ok, survived=True)

    @property
    def failure(self) -> Probe | None:
        """The run at ``first_oom``."""
        return self._end(self.first_oom, survived=False)

    @property
    def price(self) -> float | None:
        """Seconds of the whole search over those of the two runs that prove the wall."""
        if self.survivor is None or self.failure is None:
            return None
        return self.seconds / (self.survivor.seconds + self.failure.seconds)

    @property
    def prediction_error_steps(self) -> int | None:
        """By how many steps the prediction was too high; negative: too low; 0: it was right.

        Every step of a band counts as right. None where nothing was predicted, or where the
        wall has no two ends to compare with.
        """
        if self.predicted is None or self.last_ok is None or self.first_oom is None:
            return None
        predicted = int(self.predicted)
        return min(predicted - self.last_ok, 0) or max(predicted - (self.first_oom - 1), 0)

    @property
    def islands(self) -> list[Island]:
        """The lengths beyond ``first_oom`` that were seen to survive, between such that ran out."""
        is_sharp = self.status in {WallStatus.EXACT, WallStatus.REPLAYED}
        if not is_sharp or self.last_ok is None or self.first_oom is None:
            return []
        ends = {
            probe.steps: probe.outcome.status is Status.OK
            for probe in self.probes
            if probe.steps > self.first_oom and _tells(probe)
        }
        found: list[Island] = []
        is_open = False
        for steps in sorted(ends):
            if ends[steps] and is_open:
                found[-1] = Island(first=found[-1].first, last=steps)
            elif ends[steps]:
                found.append(Island(first=steps, last=steps))
            is_open = ends[steps]
        return found

    def beside(self, island: Island) -> tuple[int | None, int | None]:
        """Return the lengths next to an island, before and beyond it, that were seen to run out."""
        out = [
            probe.steps
            for probe in self.probes
            if _tells(probe) and probe.outcome.status is not Status.OK
        ]
        before = max((steps for steps in out if steps < island.first), default=None)
        return before, min((steps for steps in out if steps > island.last), default=None)

    def _end(self, steps: int | None, *, survived: bool) -> Probe | None:
        ends = [
            probe
            for probe in self.probes
            if probe.steps == steps
            and (probe.outcome.status is Status.OK) == survived
            and not probe.outcome.cut_short
        ]
        return ends[0] if ends else None


def _tells(probe: Probe) -> bool:
    """Whether a probe says that its length survives, or that memory runs out there."""
    status = probe.outcome.status
    return not probe.outcome.cut_short and (status is Status.OK or status.is_oom)
