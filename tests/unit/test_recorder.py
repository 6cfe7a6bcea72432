"""What a child found is on disk phase by phase, with its memory counted from its own zero."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from profiler.facts import HostMemory, Outcome, Status, Times, from_json
from profiler.frameworks.recorder import RESULT_FILE, Recorder
from profiler.limits import host_memory
from profiler.limits.host_limit import Means

OK = Outcome(status=Status.OK)
OOM = Outcome(status=Status.OOM_DEVICE, phase="steady", reason="asked for too much")


class _Host:
    """A kernel whose readings the test sets."""

    def __init__(self) -> None:
        self.resident: int | None = 1000
        self.peak: int | None = 1000
        self.resets = 0
        self.can_reset = True

    def hold(self, size: int, *, peak: int = 0) -> None:
        """Hold ``size`` bytes from now on, after ``peak`` bytes for a moment."""
        self.resident = size
        self.peak = max(self.peak or 0, peak, size)

    def reset_peak(self) -> bool:
        """Forget the peak, where the kernel lets."""
        self.resets += 1
        if self.can_reset:
            self.peak = self.resident
        return self.can_reset


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> _Host:
    """A kernel in place of the real one."""
    fake = _Host()
    monkeypatch.setattr(host_memory, "resident_bytes", lambda: fake.resident)
    monkeypatch.setattr(host_memory, "peak_bytes", lambda: fake.peak)
    monkeypatch.setattr(host_memory, "reset_peak", fake.reset_peak)
    return fake


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A recorder of one point."""
    return Recorder(tmp_path)


def _on_disk(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text())
    return facts


def test_nothing_is_on_disk_before_the_first_phase(tmp_path: Path) -> None:
    """A child that dies before that has left no result."""
    Recorder(tmp_path)

    assert not (tmp_path / RESULT_FILE).exists()


def test_a_phase_is_on_disk_from_its_start(recorder: Recorder, tmp_path: Path) -> None:
    """A child that dies in it is known to have reached it."""
    with recorder.phase("build"):
        assert _on_disk(tmp_path) == {"missing": {}, "notes": [], "phase": "build"}
    with recorder.phase("gradients"):
        assert _on_disk(tmp_path)["phase"] == "gradients"


def test_what_a_phase_gave_is_on_disk_at_the_next(recorder: Recorder, tmp_path: Path) -> None:
    """Death in one phase loses nothing of those before it."""
    with recorder.phase("build"):
        pass
    recorder.put("time", build_forward_s=recorder.seconds("build"))
    recorder.put("graph", total_nodes=3)
    recorder.missing("device.peak_bytes", "why")
    recorder.note("a remark")
    with recorder.phase("gradients"):
        facts = _on_disk(tmp_path)

    assert facts["time"] == {"build_forward_s": recorder.seconds("build")}
    assert facts["graph"] == {"total_nodes": 3}
    assert facts["missing"] == {"device.peak_bytes": "why"}
    assert facts["notes"] == ["a remark"]
    assert "outcome" not in facts


def test_the_file_on_disk_is_never_half_written(recorder: Recorder, tmp_path: Path) -> None:
    """A draft takes the result's place in one move."""
    with recorder.phase("build"):
        recorder.finish(OK)

    assert [path.name for path in tmp_path.iterdir()] == [RESULT_FILE]


def test_phases_are_kept_in_their_order(recorder: Recorder) -> None:
    """Each began after the one before had ended."""
    for name in ("start", "build", "gradients"):
        with recorder.phase(name):
            pass
    began = recorder.began()

    assert list(began) == ["start", "build", "gradients"]
    assert began["start"] + recorder.seconds("start") <= began["build"]
    assert began["build"] + recorder.seconds("build") <= began["gradients"] <= recorder.now()


def test_fields_of_one_group_add_up(recorder: Recorder, tmp_path: Path) -> None:
    """They come from different phases."""
    recorder.put("time", build_forward_s=1.0)
    recorder.put("time", step_s=2.0)
    recorder.finish(OK)

    assert from_json(Times, _on_disk(tmp_path)["time"]) == Times(build_forward_s=1.0, step_s=2.0)


def test_finishing_writes_the_outcome_with_the_last_facts(
    recorder: Recorder, tmp_path: Path
) -> None:
    """Whole groups may come with it."""
    with recorder.phase("steady"):
        pass
    recorder.finish(OOM, timeline={"interval_s": 0.5})
    facts = _on_disk(tmp_path)

    assert from_json(Outcome, facts["outcome"]) == OOM
    assert facts["timeline"] == {"interval_s": 0.5}
    assert facts["phase"] == "steady"


def test_the_outcome_that_finished_wins_over_facts(recorder: Recorder, tmp_path: Path) -> None:
    """Whatever was put before under its name is replaced."""
    recorder.put("outcome", status="ok", reason="too early")
    recorder.finish(OOM)

    assert from_json(Outcome, _on_disk(tmp_path)["outcome"]) == OOM


def test_an_outcome_outlives_the_phases_after_it(recorder: Recorder, tmp_path: Path) -> None:
    """The watch of the log finishes a point while its main thread still runs."""
    recorder.finish(OOM)
    with recorder.phase("steady"):
        pass

    assert from_json(Outcome, _on_disk(tmp_path)["outcome"]) == OOM


def test_each_phases_peak_is_counted_from_the_baseline(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """A peak belongs to its phase only, and what was freed within it counts."""
    host.hold(1000)
    recorder.take_baseline()
    with recorder.phase("build"):
        host.hold(1200, peak=1700)
    with recorder.phase("gradients"):
        host.hold(1500)
    recorder.finish(OK)
    memory = from_json(HostMemory, _on_disk(tmp_path)["host"])

    assert memory == HostMemory(
        baseline_bytes=1000,
        build_peak_bytes=1700 - 1000,
        build_kept_bytes=1200 - 1000,
        gradients_peak_bytes=1500 - 1000,
        gradients_kept_bytes=1500 - 1000,
    )
    assert host.resets == 2


def test_a_phase_before_the_baseline_has_no_peak(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """What the server had loaded is not the point's."""
    with recorder.phase("start"):
        host.hold(9000)
    recorder.take_baseline()
    recorder.finish(OK)

    assert _on_disk(tmp_path)["host"] == {"baseline_bytes": 9000}


def test_a_peak_below_the_baseline_is_zero(recorder: Recorder, tmp_path: Path, host: _Host) -> None:
    """Memory that was given back is no negative cost."""
    recorder.take_baseline()
    host.hold(400)
    host.peak = 400
    with recorder.phase("build"):
        pass
    recorder.finish(OK)

    assert _on_disk(tmp_path)["host"]["build_peak_bytes"] == 0


def test_a_phase_that_raises_keeps_its_time_and_peak(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """How much it held when it failed is what the user wants to know."""
    recorder.take_baseline()
    with contextlib.suppress(MemoryError), recorder.phase("build"):
        host.hold(1000, peak=5000)
        raise MemoryError
    recorder.finish(OOM)

    assert _on_disk(tmp_path)["host"]["build_peak_bytes"] == 5000 - 1000
    assert recorder.seconds("build") >= 0


def test_finishing_inside_a_phase_keeps_its_peak(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """The watch of the log ends the process there and then."""
    recorder.take_baseline()
    with recorder.phase("first_step"):
        host.hold(3000)
        recorder.finish(OOM)
        facts = _on_disk(tmp_path)

    assert facts["host"]["first_step_peak_bytes"] == 3000 - 1000


def test_a_raised_baseline_leaves_the_runtime_out(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """What the runtime took in its phase is named, and later peaks are counted above it."""
    recorder.take_baseline()
    with recorder.phase("build"):
        host.hold(1200)
    with recorder.phase("runtime"):
        host.hold(1200 + 600)
    recorder.raise_baseline("runtime_bytes")
    with recorder.phase("initialize"):
        host.hold(1800 + 50)
    recorder.finish(OK)
    memory = from_json(HostMemory, _on_disk(tmp_path)["host"])

    assert memory.baseline_bytes == 1000
    assert memory.runtime_bytes == 600
    assert memory.build_peak_bytes == 200
    assert memory.initialize_peak_bytes == 200 + 50


def test_a_runtime_that_gave_memory_back_took_none(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """The baseline never falls."""
    recorder.take_baseline()
    with recorder.phase("runtime"):
        host.hold(500)
    recorder.raise_baseline("runtime_bytes")
    recorder.finish(OK)

    assert _on_disk(tmp_path)["host"]["runtime_bytes"] == 0


def test_a_kernel_that_will_not_reset_gives_reasons_not_peaks(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """A mark of an earlier phase would be a wrong number."""
    host.can_reset = False
    recorder.take_baseline()
    with recorder.phase("build"):
        host.hold(5000)
    recorder.finish(OK)
    facts = _on_disk(tmp_path)

    assert facts["host"] == {"baseline_bytes": 1000, "build_kept_bytes": 5000 - 1000}
    assert "refuses to reset" in facts["missing"]["host.build_peak_bytes"]


def test_without_readings_the_hosts_memory_is_missing_with_its_reason(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """On a system without /proc nothing is guessed."""
    host.resident = host.peak = None
    host.can_reset = False
    recorder.take_baseline()
    with recorder.phase("runtime"):
        pass
    recorder.raise_baseline("runtime_bytes")
    recorder.finish(OK)
    facts = _on_disk(tmp_path)

    assert facts["host"] == {"baseline_bytes": None}
    assert facts["missing"] == {"host.baseline_bytes": host_memory.UNAVAILABLE}


def test_host_fields_are_fields_of_the_measurement(
    recorder: Recorder, tmp_path: Path, host: _Host
) -> None:
    """Every phase that the measurement knows lands in its own field."""
    recorder.take_baseline()
    names = ("build", "gradients", "initialize", "first_step", "steady")
    for position, name in enumerate(names):
        with recorder.phase(name):
            host.hold(1000 + position)
    recorder.finish(OK)
    memory = from_json(HostMemory, _on_disk(tmp_path)["host"])

    assert [getattr(memory, f"{name}_peak_bytes") for name in names] == [0, 1, 2, 3, 4]
    assert memory.peak_bytes == 4


class _Meter:
    """A host limit that has counted what the test sets."""

    means = Means.CGROUP_V1
    limit_bytes = 9000

    def __init__(self, peak: int | None) -> None:
        self.peak = peak
        self.lifted = False

    def peak_bytes(self) -> int | None:
        """Return what was set."""
        return self.peak

    def lift(self) -> None:
        """Remember it."""
        self.lifted = True


def test_a_host_limit_is_on_disk_before_the_next_phase(recorder: Recorder, tmp_path: Path) -> None:
    """A child that the kernel kills there leaves the peak of the phases before."""
    recorder.take_meter(_Meter(7000))
    with recorder.phase("build"):
        pass
    with recorder.phase("gradients"):
        killed = _on_disk(tmp_path)

    assert killed["phase"] == "gradients"
    assert killed["host"]["limit_bytes"] == 9000
    assert killed["host"]["limit_by"] == "cgroup v1"
    assert killed["host"]["capped_peak_bytes"] == 7000


def test_the_extra_runs_are_not_under_the_host_limit(recorder: Recorder, tmp_path: Path) -> None:
    """No training has them: the limit ends before, and the peak stays that of training."""
    meter = _Meter(7000)
    recorder.take_meter(meter)
    with recorder.phase("steady"):
        pass
    before = meter.lifted
    with recorder.phase("inspect"):
        meter.peak = 99_000
    recorder.finish(OK)

    assert not before
    assert meter.lifted
    assert _on_disk(tmp_path)["host"]["capped_peak_bytes"] == 7000


def test_a_peak_that_no_kernel_keeps_is_missing(recorder: Recorder, tmp_path: Path) -> None:
    """With a reason, and never zero."""
    recorder.take_meter(_Meter(None))
    with recorder.phase("steady"):
        pass
    recorder.finish(OK)

    assert _on_disk(tmp_path)["host"]["capped_peak_bytes"] is None
    assert "host.capped_peak_bytes" in _on_disk(tmp_path)["missing"]
