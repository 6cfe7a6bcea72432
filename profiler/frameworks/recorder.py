"""What a child has found so far, kept on disk phase by phase so that its death loses little."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from profiler.facts import Outcome, to_json
from profiler.limits import host_limit, host_memory

RESULT_FILE = "result.json"
LOG_FILE = "output.log"
INSPECT = "inspect"


class Recorder:
    """Collects one point's facts and writes them at the start of every phase."""

    def __init__(self, folder: Path) -> None:
        """Record into ``folder``."""
        self._path = folder / RESULT_FILE
        self.log_path = folder / LOG_FILE
        self._open_phase: str | None = None
        self._can_reset = False
        self._start = time.perf_counter()
        self._baseline: int | None = None
        self._resident_at_start = 0
        self._meter: host_limit.Meter | None = None
        self.phase_name: str | None = None
        self.phases: dict[str, float] = {}
        self._facts: dict[str, Any] = {"missing": {}, "notes": []}

    def put(self, group: str, **fields: Any) -> None:
        """Add fields to one group of the measurement."""
        self._facts.setdefault(group, {}).update(fields)

    def put_all(self, facts: dict[str, Any]) -> None:
        """Add whole groups to the measurement."""
        self._facts.update(facts)

    def now(self) -> float:
        """Return the seconds since the recorder was made."""
        return time.perf_counter() - self._start

    def missing(self, field: str, reason: str) -> None:
        """Say why ``group.field`` stays None."""
        self._facts["missing"][field] = reason

    def note(self, text: str) -> None:
        """Add a remark that reports show beside the measurement."""
        self._facts["notes"].append(text)

    def take_baseline(self) -> None:
        """Take what the process holds now as the zero of its host memory."""
        self._baseline = host_memory.resident_bytes()
        self.put("host", baseline_bytes=self._baseline)
        if self._baseline is None:
            self.missing("host.baseline_bytes", host_memory.UNAVAILABLE)

    def take_meter(self, meter: host_limit.Meter) -> None:
        """Record the host limit that this process is under, and its peak at each phase's end."""
        self._meter = meter
        self.put("host", limit_bytes=meter.limit_bytes, limit_by=meter.means.value)

    def raise_baseline(self, field: str) -> None:
        """Count what the process took in the last phase as ``host.field``, not as the point's."""
        now = host_memory.resident_bytes()
        if self._baseline is None or now is None:
            return
        taken = max(0, now - self._resident_at_start)
        self._baseline += taken
        self.put("host", **{field: taken})

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase and take the host memory's peak within it.

        The host limit ends where the extra runs of ``INSPECT`` begin: no training has them.
        """
        if name == INSPECT and self._meter is not None:
            self._meter.lift()
        self.phase_name = name
        self.phases[name] = self.now()
        self._write()
        self._open_phase = name
        self._can_reset = host_memory.reset_peak()
        self._resident_at_start = host_memory.resident_bytes() or 0
        start = time.perf_counter()
        try:
            yield
        finally:
            self.phases[f"{name}_s"] = time.perf_counter() - start
            self._close_phase()

    def seconds(self, phase: str) -> float:
        """Return how long a finished phase took."""
        return self.phases[f"{phase}_s"]

    def began(self) -> dict[str, float]:
        """Return when each phase began, in seconds since the recorder was made."""
        return {name: at for name, at in self.phases.items() if not name.endswith("_s")}

    def finish(self, outcome: Outcome, **facts: Any) -> None:
        """Write the outcome: the point is done."""
        self._close_phase()
        self.put_all(facts)
        self._facts["outcome"] = to_json(outcome)
        self._write()

    def _close_phase(self) -> None:
        name, self._open_phase = self._open_phase, None
        if name not in {None, INSPECT}:
            self._read_meter()
        peak = host_memory.peak_bytes()
        if name is None or self._baseline is None or peak is None:
            return
        field = f"{name}_peak_bytes"
        kept = host_memory.resident_bytes()
        if kept is not None:
            self.put("host", **{f"{name}_kept_bytes": max(0, kept - self._baseline)})
        if self._can_reset:
            self.put("host", **{field: max(0, peak - self._baseline)})
        else:
            self.missing(f"host.{field}", "the kernel refuses to reset the high-water mark")

    def _read_meter(self) -> None:
        if self._meter is None:
            return
        peak = self._meter.peak_bytes()
        self.put("host", capped_peak_bytes=peak)
        if peak is None:
            self.missing("host.capped_peak_bytes", host_limit.NO_PEAK)

    def _write(self) -> None:
        self._facts["phase"] = self.phase_name
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self._facts))
        draft.replace(self._path)
