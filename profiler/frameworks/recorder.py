"""What a child has found so far, kept on disk phase by phase so that its death loses little."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from profiler.facts import (
    DeviceMemory,
    GraphSize,
    GraphStage,
    HostMemory,
    Outcome,
    Phase,
    PhaseFacts,
    Record,
    StepTime,
    Timeline,
    encode,
    replace,
)
from profiler.limits import host_limit, host_memory

RESULT_FILE = "result.json"
LOG_FILE = "output.log"
# The exit code of a child whose result could not be written.
UNWRITTEN = 74


class ChildReport(Record, frozen=True, kw_only=True):
    """What a child leaves: the facts of its point, and what else was asked for, as JSON."""

    phases: list[Phase] = []
    graph: GraphSize | None = None
    step: StepTime | None = None
    device: DeviceMemory | None = None
    host: HostMemory | None = None
    timeline: Timeline | None = None
    missing: dict[str, str] = {}
    notes: list[str] = []
    fed_shapes: list[list[int]] = []
    outcome: Outcome | None = None
    answer: str = ""

    @property
    def last_phase(self) -> str | None:
        """The phase that began last."""
        return self.phases[-1].name if self.phases else None


class Recorder:
    """Collects one point's facts and writes them at the start of every phase."""

    def __init__(self, folder: Path) -> None:
        """Record into ``folder``."""
        self._path = folder / RESULT_FILE
        self.log_path = folder / LOG_FILE
        self._start = time.perf_counter()
        self._is_open = False
        self._can_reset = False
        self._resident_at_start = 0
        self._meter: host_limit.Meter | None = None
        self.report = ChildReport()

    def _set(self, **fields: Any) -> None:
        self.report = replace(self.report, **fields)

    def device(self, **fields: int | str | None) -> None:
        """Record fields of ``DeviceMemory``; a TypeError for one that does not exist."""
        self._set(device=replace(self.report.device or DeviceMemory(), **fields))

    def host(self, **fields: Any) -> None:
        """Record fields of ``HostMemory``; a TypeError for one that does not exist."""
        self._set(host=replace(self.report.host or HostMemory(), **fields))

    def stage(self, stage: GraphStage) -> None:
        """Record the nodes of one stage of the graph; of equal names the last one counts."""
        graph = self.report.graph or GraphSize()
        others = [one for one in graph.stages if one.name != stage.name]
        self._set(graph=replace(graph, stages=[*others, stage]))

    def serialized(self, size: int) -> None:
        """Record the bytes of the serialized graph."""
        self._set(graph=replace(self.report.graph or GraphSize(), serialized_bytes=size))

    def step(self, step: StepTime) -> None:
        """Record the time of a steady step."""
        self._set(step=step)

    def timeline(self, timeline: Timeline) -> None:
        """Record samples of the process's memory."""
        self._set(timeline=timeline)

    def answer(self, answer: object) -> None:
        """Record what was asked for besides a point's facts: any record."""
        self._set(answer=encode(answer))

    def missing(self, field: str, reason: str) -> None:
        """Say why ``group.field`` stays None."""
        self._set(missing={**self.report.missing, field: reason})

    def fed(self, shapes: Iterable[Sequence[int]]) -> None:
        """Record the shapes of the fed arrays."""
        self._set(fed_shapes=[list(shape) for shape in shapes])

    def note(self, text: str) -> None:
        """Add a remark that reports show next to the measurement."""
        self._set(notes=[*self.report.notes, text])

    def now(self) -> float:
        """Return the seconds since the recorder was made."""
        return time.perf_counter() - self._start

    @property
    def phase_name(self) -> str | None:
        """The phase that began last."""
        return self.report.last_phase

    def take_baseline(self) -> None:
        """Take what the process holds now as the zero of its host memory."""
        baseline = host_memory.resident_bytes()
        self.host(baseline_bytes=baseline)
        if baseline is None:
            self.missing("host.baseline_bytes", host_memory.UNAVAILABLE)

    def take_meter(self, meter: host_limit.Meter) -> None:
        """Record the host limit that this process is under, and its peak at each phase's end."""
        self._meter = meter
        self.host(limit_bytes=meter.limit_bytes, limit_by=meter.means.value)

    def lift_host_limit(self) -> None:
        """End the host limit: what runs from now on is no part of any training."""
        if self._meter is not None:
            self._meter.lift()
            self._meter = None

    def raise_baseline(self) -> None:
        """Count what the process took in the last phase as ``host.runtime_bytes``."""
        now, baseline = host_memory.resident_bytes(), self._baseline
        if baseline is None or now is None:
            return
        taken = max(0, now - self._resident_at_start)
        self.host(baseline_bytes=baseline, runtime_bytes=taken)

    @property
    def _baseline(self) -> int | None:
        return self.report.host.baseline_bytes if self.report.host else None

    @contextlib.contextmanager
    def phase(self, phase: PhaseFacts) -> Iterator[None]:
        """Time a phase and take the host memory's peak within it."""
        begun = Phase(name=phase.name, role=phase.role, began_s=self.now())
        self._set(phases=[*self.report.phases, begun])
        self._write()
        self._is_open = True
        self._can_reset = host_memory.reset_peak()
        self._resident_at_start = host_memory.resident_bytes() or 0
        start = time.perf_counter()
        seconds = None
        try:
            yield
            seconds = time.perf_counter() - start
        finally:
            self._close_phase(seconds)

    def finish(self, outcome: Outcome) -> None:
        """Write the outcome: the point is done."""
        self._close_phase(None)
        self._set(outcome=outcome)
        self._write()

    def _close_phase(self, seconds: float | None) -> None:
        """Record the end of the open phase, if there is one; no seconds: it was broken off."""
        if not self._is_open:
            return
        self._is_open = False
        self._read_meter()
        *before, phase = self.report.phases
        peak, kept = host_memory.peak_bytes(), host_memory.resident_bytes()
        if self._baseline is None or peak is None or kept is None:
            host = {}
        else:
            # Starting the runtime is part of the baseline of all that follows it.
            zero = self._baseline + ((self.report.host and self.report.host.runtime_bytes) or 0)
            host = {"host_kept_bytes": max(0, kept - zero)}
            if self._can_reset:
                host["host_peak_bytes"] = max(0, peak - zero)
            else:
                reason = "the kernel refuses to reset the high-water mark"
                self.missing(f"host.{phase.name}_peak_bytes", reason)
        self._set(phases=[*before, replace(phase, seconds=seconds, **host)])

    def _read_meter(self) -> None:
        if self._meter is None:
            return
        peak = self._meter.peak_bytes()
        self.host(capped_peak_bytes=peak)
        if peak is None:
            self.missing("host.capped_peak_bytes", host_limit.NO_PEAK)

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(encode(self.report), encoding="utf-8")
        draft.replace(self._path)
