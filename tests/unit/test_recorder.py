"""What a child found is on disk phase by phase, with its memory counted from its own zero."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from profiler.facts import (
    DeviceMemory,
    GraphSize,
    GraphStage,
    HostMemory,
    Measurement,
    Outcome,
    Phase,
    PhaseFacts,
    PhaseRole,
    Status,
    StepTime,
    Timeline,
    decode,
    encode,
)
from profiler.frameworks.recorder import RESULT_FILE, ChildReport, Recorder
from profiler.limits import host_memory
from profiler.limits.host_limit import Means

OK = Outcome(status=Status.OK)
OOM = Outcome(status=Status.OOM_DEVICE, phase="steady", reason="asked for too much")


def _phase(name: str, role: PhaseRole = PhaseRole.BUILD) -> PhaseFacts:
    return PhaseFacts(name=name, role=role, title=name, detail="")


BUILD, GRADIENTS = _phase("build"), _phase("gradients")
RUNTIME = _phase("runtime", PhaseRole.PREPARE)
STEADY = _phase("steady", PhaseRole.STEADY)


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


def _on_disk(folder: Path) -> ChildReport:
    return decode(ChildReport, (folder / RESULT_FILE).read_text())


def _found(report: ChildReport, name: str) -> Phase:
    (phase,) = [phase for phase in report.phases if phase.name == name]
    return phase


def _peaks(report: ChildReport) -> dict[str, int | None]:
    return {phase.name: phase.host_peak_bytes for phase in report.phases}


class TestFacts:
    """What is recorded, and when it is on disk."""

    def test_nothing_is_on_disk_before_the_first_phase(self, tmp_path: Path) -> None:
        """A child that dies before that has left no result."""
        Recorder(tmp_path)

        assert not (tmp_path / RESULT_FILE).exists()

    def test_a_phase_is_on_disk_from_its_start(self, recorder: Recorder, tmp_path: Path) -> None:
        """A child that dies in it is known to have reached it, and it has no seconds."""
        with recorder.phase(BUILD):
            begun = _on_disk(tmp_path)
        with recorder.phase(GRADIENTS):
            later = _on_disk(tmp_path)

        assert (begun.last_phase, begun.phases[0].role) == ("build", PhaseRole.BUILD)
        assert begun.phases[0].seconds is None
        assert later.last_phase == "gradients"
        assert later.phases[0].seconds is not None

    def test_what_a_phase_gave_is_on_disk_at_the_next(
        self, recorder: Recorder, tmp_path: Path
    ) -> None:
        """Death in one phase loses nothing of those before it."""
        with recorder.phase(BUILD):
            pass
        recorder.stage(GraphStage(name="built", nodes=3))
        recorder.serialized(99)
        recorder.missing("device.peak_bytes", "why")
        recorder.note("a remark")
        with recorder.phase(GRADIENTS):
            report = _on_disk(tmp_path)

        assert report.graph == GraphSize(
            stages=[GraphStage(name="built", nodes=3)], serialized_bytes=99
        )
        assert report.missing == {"device.peak_bytes": "why"}
        assert report.notes == ["a remark"]
        assert report.outcome is None

    def test_the_file_on_disk_is_never_half_written(
        self, recorder: Recorder, tmp_path: Path
    ) -> None:
        """A draft takes the result's place in one move."""
        with recorder.phase(BUILD):
            recorder.finish(OK)

        assert [path.name for path in tmp_path.iterdir()] == [RESULT_FILE]

    def test_fields_of_one_group_add_up(self, recorder: Recorder, tmp_path: Path) -> None:
        """They come from different phases."""
        recorder.device(fed_bytes=1)
        recorder.device(peak_bytes=2)
        recorder.step(StepTime(median_s=0.5, steps=3))
        recorder.timeline(Timeline(interval_s=0.1, time_s=[], rss_bytes=[]))
        recorder.finish(OK)
        report = _on_disk(tmp_path)

        assert report.device == DeviceMemory(fed_bytes=1, peak_bytes=2)
        assert report.step == StepTime(median_s=0.5, steps=3)
        assert report.timeline == Timeline(interval_s=0.1, time_s=[], rss_bytes=[])

    @pytest.mark.parametrize("group", ["device", "host"])
    def test_a_field_that_no_measurement_has_is_a_type_error(
        self, recorder: Recorder, group: str
    ) -> None:
        """A slip of the pen in a framework fails in its first test, and loses no number."""
        with pytest.raises(TypeError, match="peek_bytes"):
            getattr(recorder, group)(peek_bytes=1)

    def test_a_stage_that_is_recorded_again_takes_the_first_ones_place(
        self, recorder: Recorder
    ) -> None:
        """Stages of other names stay."""
        recorder.stage(GraphStage(name="built", nodes=1))
        recorder.stage(GraphStage(name="executed", nodes=2))
        recorder.stage(GraphStage(name="executed", nodes=3))
        graph = recorder.report.graph

        assert graph is not None
        assert [(stage.name, stage.nodes) for stage in graph.stages] == [
            ("built", 1),
            ("executed", 3),
        ]

    def test_an_answer_is_any_record(self, recorder: Recorder, tmp_path: Path) -> None:
        """As the JSON that its reader expects."""
        recorder.answer([OOM])
        recorder.finish(OK)

        assert decode(list[Outcome], _on_disk(tmp_path).answer) == [OOM]

    def test_finishing_writes_the_outcome_with_the_last_facts(
        self, recorder: Recorder, tmp_path: Path
    ) -> None:
        """The phase that was reached is among them."""
        with recorder.phase(STEADY):
            pass
        recorder.finish(OOM)

        assert _on_disk(tmp_path).outcome == OOM
        assert _on_disk(tmp_path).last_phase == "steady"

    def test_an_outcome_outlives_the_phases_after_it(
        self, recorder: Recorder, tmp_path: Path
    ) -> None:
        """The watch of the log finishes a point while its main thread still runs."""
        recorder.finish(OOM)
        with recorder.phase(STEADY):
            pass

        assert _on_disk(tmp_path).outcome == OOM

    def test_every_report_can_be_read_as_a_measurements_fields(
        self, recorder: Recorder, tmp_path: Path
    ) -> None:
        """Its groups are a measurement's own records."""
        with recorder.phase(BUILD):
            pass
        recorder.finish(OK)
        fields = {name for name in ChildReport.__struct_fields__ if name != "answer"}

        assert fields <= set(Measurement.__struct_fields__)
        assert encode(_on_disk(tmp_path)) == (tmp_path / RESULT_FILE).read_text()


class TestPhases:
    """Their order and their seconds."""

    def test_phases_are_kept_in_their_order(self, recorder: Recorder) -> None:
        """Each began after the one before had ended."""
        for name in ("start", "build", "gradients"):
            with recorder.phase(_phase(name)):
                pass
        phases = recorder.report.phases
        ends = [phase.began_s + (phase.seconds or 0) for phase in phases]

        assert [phase.name for phase in phases] == ["start", "build", "gradients"]
        assert ends[0] <= phases[1].began_s
        assert ends[1] <= phases[2].began_s
        assert ends[2] <= recorder.now()

    def test_a_phase_that_breaks_off_has_a_peak_and_no_seconds(
        self, recorder: Recorder, tmp_path: Path, host: _Host
    ) -> None:
        """How much it held when it failed is known; how long it takes is not."""
        recorder.take_baseline()
        with contextlib.suppress(MemoryError), recorder.phase(BUILD):
            host.hold(1000, peak=5000)
            raise MemoryError
        recorder.finish(OOM)
        phase = _found(_on_disk(tmp_path), "build")

        assert (phase.seconds, phase.host_peak_bytes) == (None, 5000 - 1000)

    def test_finishing_inside_a_phase_keeps_its_peak(
        self, recorder: Recorder, tmp_path: Path, host: _Host
    ) -> None:
        """The watch of the log ends the process there and then: the phase did not end."""
        recorder.take_baseline()
        with recorder.phase(BUILD):
            host.hold(3000)
            recorder.finish(OOM)
            phase = _found(_on_disk(tmp_path), "build")

        assert (phase.seconds, phase.host_peak_bytes) == (None, 3000 - 1000)


class TestHostMemory:
    """Peaks by phase, over the baseline."""

    def test_each_phases_peak_is_counted_from_the_baseline(
        self, recorder: Recorder, tmp_path: Path, host: _Host
    ) -> None:
        """A peak belongs to its phase only, and what was freed within it counts."""
        recorder.take_baseline()
        with recorder.phase(BUILD):
            host.hold(1200, peak=1700)
        with recorder.phase(GRADIENTS):
            host.hold(1500)
        recorder.finish(OK)
        report = _on_disk(tmp_path)
        build, gradients = report.phases

        assert report.host == HostMemory(baseline_bytes=1000)
        assert (build.host_peak_bytes, build.host_kept_bytes) == (1700 - 1000, 1200 - 1000)
        assert (gradients.host_peak_bytes, gradients.host_kept_bytes) == (500, 500)
        assert host.resets == 2

    def test_a_phase_before_the_baseline_has_no_peak(
        self, recorder: Recorder, tmp_path: Path, host: _Host
    ) -> None:
        """What the server had loaded is not the point's."""
        with recorder.phase(_phase("start", PhaseRole.OVERHEAD)):
            host.hold(9000)
        recorder.take_baseline()
        recorder.finish(OK)

        assert _on_disk(tmp_path).host == HostMemory(baseline_bytes=9000)
        assert _peaks(_on_disk(tmp_path)) == {"start": None}

    def test_a_peak_below_the_baseline_is_zero(self, recorder: Recorder, host: _Host) -> None:
        """Memory that was given back is no negative cost."""
        recorder.take_baseline()
        host.hold(400)
        host.peak = 400
        with recorder.phase(BUILD):
            pass

        assert _peaks(recorder.report) == {"build": 0}

    def test_a_raised_baseline_leaves_the_runtime_out(
        self, recorder: Recorder, tmp_path: Path, host: _Host
    ) -> None:
        """What the runtime took is named and its phase keeps its peak; later ones count above."""
        recorder.take_baseline()
        with recorder.phase(BUILD):
            host.hold(1200)
        with recorder.phase(RUNTIME):
            host.hold(1200 + 600, peak=1200 + 700)
        recorder.raise_baseline()
        with recorder.phase(_phase("initialize", PhaseRole.PREPARE)):
            host.hold(1800 + 50)
        recorder.finish(OK)
        report = _on_disk(tmp_path)

        assert report.host == HostMemory(baseline_bytes=1000, runtime_bytes=600)
        assert _peaks(report) == {
            "build": 200,
            "runtime": 200 + 700,
            "initialize": 200 + 50,
        }

    def test_a_runtime_that_gave_memory_back_took_none(
        self, recorder: Recorder, host: _Host
    ) -> None:
        """The baseline never falls."""
        recorder.take_baseline()
        with recorder.phase(RUNTIME):
            host.hold(500)
        recorder.raise_baseline()

        assert recorder.report.host == HostMemory(baseline_bytes=1000, runtime_bytes=0)

    def test_a_kernel_that_will_not_reset_gives_reasons_not_peaks(
        self, recorder: Recorder, host: _Host
    ) -> None:
        """A mark of an earlier phase would be a wrong number."""
        host.can_reset = False
        recorder.take_baseline()
        with recorder.phase(BUILD):
            host.hold(5000)
        phase = _found(recorder.report, "build")

        assert (phase.host_peak_bytes, phase.host_kept_bytes) == (None, 5000 - 1000)
        assert "refuses to reset" in recorder.report.missing["host.build_peak_bytes"]

    def test_without_readings_the_hosts_memory_is_missing_with_its_reason(
        self, recorder: Recorder, host: _Host
    ) -> None:
        """On a system without /proc nothing is guessed."""
        host.resident = host.peak = None
        host.can_reset = False
        recorder.take_baseline()
        with recorder.phase(RUNTIME):
            pass
        recorder.raise_baseline()

        assert recorder.report.host == HostMemory()
        assert _peaks(recorder.report) == {"runtime": None}
        assert recorder.report.missing == {"host.baseline_bytes": host_memory.UNAVAILABLE}


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


class TestHostLimit:
    """A cap on the whole process."""

    def test_it_is_on_disk_before_the_next_phase(self, recorder: Recorder, tmp_path: Path) -> None:
        """A child that the kernel kills there leaves the peak of the phases before."""
        recorder.take_meter(_Meter(7000))
        with recorder.phase(BUILD):
            pass
        with recorder.phase(GRADIENTS):
            killed = _on_disk(tmp_path)

        assert killed.last_phase == "gradients"
        assert killed.host == HostMemory(
            limit_bytes=9000, limit_by="cgroup v1", capped_peak_bytes=7000
        )

    def test_what_runs_after_it_was_lifted_does_not_count(self, recorder: Recorder) -> None:
        """No training has the extra runs: the peak stays that of training."""
        meter = _Meter(7000)
        recorder.take_meter(meter)
        with recorder.phase(STEADY):
            pass
        recorder.lift_host_limit()
        with recorder.phase(_phase("inspect", PhaseRole.OVERHEAD)):
            meter.peak = 99_000

        assert meter.lifted
        assert recorder.report.host is not None
        assert recorder.report.host.capped_peak_bytes == 7000

    def test_without_a_limit_there_is_nothing_to_lift(self, recorder: Recorder) -> None:
        """A framework need not ask."""
        recorder.lift_host_limit()

        assert recorder.report.host is None

    def test_a_peak_that_no_kernel_keeps_is_missing(self, recorder: Recorder) -> None:
        """With a reason, and never zero."""
        recorder.take_meter(_Meter(None))
        with recorder.phase(STEADY):
            pass

        assert recorder.report.host is not None
        assert recorder.report.host.capped_peak_bytes is None
        assert "host.capped_peak_bytes" in recorder.report.missing
