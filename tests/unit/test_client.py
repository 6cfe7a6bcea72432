"""However a child ends, and whatever it left, its point has a measurement."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
import stub_framework
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.errors import StepwallError, UsageError
from profiler.facts import (
    HostMemory,
    Measurement,
    Outcome,
    Phase,
    PhaseRole,
    Point,
    Status,
    WallPrediction,
    WallPredictions,
    decode,
    encode,
    replace,
)
from profiler.frameworks import Description, Mode, PredictionRequest
from profiler.frameworks.recorder import ChildReport
from profiler.measure.client import Client, measurement
from profiler.measure.job import Job, Task
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.parameters import Parameter
from profiler.planning import files
from profiler.planning.catalog import FileListing, Listing
from profiler.planning.files import ScenarioFile
from profiler.planning.sources import source_hash

POINT = samples.measured().point
SECONDS = 2.5
BEGUN = Phase(name="gradients", role=PhaseRole.BUILD, began_s=0.5)
FULL = ChildReport(
    phases=samples.measured().phases,
    graph=samples.measured().graph,
    step=samples.measured().step,
    device=samples.measured().device,
    host=samples.measured().host,
    missing={"device.x": "why"},
    notes=["a remark"],
)


def _ended(
    report: ChildReport | bytes, *, status: int = 0, timed_out_s: float | None = None
) -> JobResult:
    return JobResult(
        report=report if isinstance(report, bytes) else encode(report).encode(),
        exit=ProcessEnd(wait_status=status, timed_out_s=timed_out_s),
        seconds=SECONDS,
        log_tail="the last words",
    )


def _with(outcome: Outcome) -> ChildReport:
    """Return what a child that reported ``outcome`` leaves behind."""
    return replace(FULL, outcome=outcome)


def _answer(answer: object) -> ChildReport:
    return ChildReport(outcome=samples.OK, answer=encode(answer))


class TestMeasurement:
    """What a child's end says of its point."""

    def test_a_point_that_ended_well_has_all_its_facts(self) -> None:
        """Its output is noise and is not kept."""
        full = samples.measured()
        found = measurement(POINT, _ended(_with(samples.OK)))

        assert found == replace(
            full, seconds=SECONDS, missing={"device.x": "why"}, notes=["a remark"]
        )

    def test_a_point_that_failed_keeps_facts_and_last_words(self) -> None:
        """The outcome that the child wrote is taken as it is."""
        found = measurement(POINT, _ended(_with(samples.OOM)))

        assert found.outcome == samples.OOM
        assert found.graph == samples.measured().graph
        assert found.log_tail == "the last words"

    def test_a_child_that_died_leaves_what_it_had(self) -> None:
        """The phase that it had reached is the phase it died in."""
        found = measurement(POINT, _ended(ChildReport(phases=[BEGUN]), status=signal.SIGSEGV))

        assert found.outcome == Outcome(
            status=Status.CRASHED, phase="gradients", reason="died of SIGSEGV", signal="SIGSEGV"
        )
        assert found.phases == [BEGUN]
        assert (found.graph, found.device, found.host) == (None, None, None)
        assert found.log_tail == "the last words"

    def test_a_child_that_left_nothing_is_a_measurement_too(self) -> None:
        """It exited with code 3 and not one fact."""
        found = measurement(POINT, _ended(b"", status=3 << 8))

        assert found.outcome.status is Status.CRASHED
        assert (found.outcome.exit_code, found.outcome.phase) == (3, None)
        assert (found.missing, found.notes, found.phases) == ({}, [], [])
        assert found.seconds == SECONDS

    def test_a_child_that_was_killed_for_its_time_timed_out_whatever_it_wrote(self) -> None:
        """It may have written its outcome and then hung."""
        ended = _ended(_with(samples.OK), status=signal.SIGKILL, timed_out_s=9.0)
        found = measurement(POINT, ended)

        assert found.outcome == Outcome(
            status=Status.TIMEOUT, phase="steady", reason="still running after 9 s"
        )
        assert found.log_tail == "the last words"

    def test_under_a_host_limit_memory_of_the_cpu_is_the_hosts(self) -> None:
        """The device has none of its own."""
        limited = replace(POINT, host_limit_bytes=1 << 30)
        found = measurement(limited, _ended(_with(samples.OOM)))

        assert found.outcome.status is Status.OOM_HOST


_FIELDS = [*ChildReport.__struct_fields__, "status", "ok", "by_op", "peak_bytes", "time_s"]
_NAMES = st.sampled_from(_FIELDS)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6),
)


class TestTrust:
    """A child may write anything."""

    @settings(max_examples=25)
    @given(st.dictionaries(_NAMES, _ANY_JSON).map(json.dumps).map(str.encode) | st.binary())
    def test_whatever_it_wrote_there_is_a_measurement(self, report: bytes) -> None:
        """It can be stored and comes back as it was."""
        found = measurement(POINT, _ended(report))

        assert decode(Measurement, encode(found)) == found
        assert found.outcome.status is not Status.OK or found.device is not None

    @pytest.mark.parametrize(
        ("report", "why"),
        [
            ({"outcome": 7}, "$.outcome"),
            ({"outcome": {"status": "splendid"}}, "splendid"),
            ({"outcome": {}}, "missing required field `status`"),
            ({"outcome": {"status": "ok"}}, "it says ok, but reports no device memory"),
            ({"device": {"fed_bytes": "many"}}, "$.device.fed_bytes"),
            ({"device": {"fed_bytes": True}}, "$.device.fed_bytes"),
            ({"graph": []}, "$.graph"),
            ({"notes": "text"}, "$.notes"),
            ({"missing": ["why"]}, "$.missing"),
            ({"timeline": {"interval_s": 1, "time_s": 7}}, "$.timeline.time_s"),
            ({"host": {"peek_bytes": 8}}, "unknown field `peek_bytes`"),
            ({"phase": "build"}, "unknown field `phase`"),
        ],
    )
    def test_a_report_of_another_shape_is_a_crash_that_says_so(
        self, report: dict[str, Any], why: str
    ) -> None:
        """None of it is kept: who wrote one wrong thing may have written more."""
        good = {"notes": ["a remark"]}
        found = measurement(POINT, _ended(json.dumps(good | report).encode(), status=3 << 8))
        end = found.outcome

        assert (end.status, end.exit_code, found.host) == (Status.CRASHED, 3, None)
        assert str(end.reason).startswith("left an unreadable result: ")
        assert why in str(end.reason)
        assert found.log_tail == "the last words"

    def test_a_report_that_cannot_be_read_does_not_hide_the_time_limit(self) -> None:
        """It was killed while it wrote."""
        found = measurement(POINT, _ended(b"{", status=signal.SIGKILL, timed_out_s=9.0))

        assert found.outcome.status is Status.TIMEOUT


Answers = Callable[[Job], JobResult]


def _unasked(job: Job) -> JobResult:
    raise AssertionError(job)


class _Launchers:
    """Answers every job, and remembers it; serves every framework."""

    def __init__(self, answers: Answers) -> None:
        self.jobs: list[tuple[Job, float]] = []
        self._answers = answers

    def __getitem__(self, name: str) -> _Launchers:
        assert name == stub_framework.NAME
        return self

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        """Return the end that was prepared."""
        self.jobs.append((job, timeout_s))
        return self._answers(job)


def _listing(file: ScenarioFile, name: str = POINT.scenario) -> Listing:
    return Listing(
        name=name,
        family="toys",
        summary="Build a toy.",
        parameters=[Parameter(name="batch", type="int", default=32)],
        source=f"{file.path}:1",
        source_hash="abc",
        file=file,
    )


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the path of the only scenario file that there is, of the only framework."""
    stub_framework.install(monkeypatch)
    monkeypatch.setattr(files, "SHIPPED", "nowhere")
    monkeypatch.setattr(files, "entry_points", lambda **_: ())
    path = tmp_path / "mine.py"
    path.write_text("")
    return str(path)


def _client(mine: str, answers: Answers, *sources: str) -> tuple[Client, _Launchers]:
    """Return a client whose file lists its scenario; other jobs are answered by ``answers``."""

    def answered(job: Job) -> JobResult:
        if job.task is Task.LIST and job.file is not None and job.file.path == mine:
            return _ended(_answer(FileListing(scenarios=[_listing(job.file)])))
        return answers(job)

    launchers = _Launchers(answered)
    return Client(launchers=launchers, sources=(mine, *sources), timeout_s=33.0), launchers


class TestAbsent:
    """Scenarios whose framework is not there."""

    @pytest.fixture
    def gone(self, monkeypatch: pytest.MonkeyPatch) -> str:
        """Let a package of the only framework be missing; return what is said of that."""
        framework = stub_framework.StubFramework(packages=("nowhere_at_all",))
        found = {framework.name: framework}
        monkeypatch.setattr("profiler.measure.client.installed", lambda: found)
        return f"needs {framework.title}, and 'nowhere_at_all' is not installed: pip install "

    def test_a_file_of_the_user_s_says_so_and_starts_no_child(self, mine: str, gone: str) -> None:
        """One line, with the file and what to do."""
        client, launchers = _client(mine, _unasked)
        (line,) = client.catalog().broken

        assert line.startswith(f"{mine}: it {gone}")
        assert launchers.jobs == []

    def test_installed_ones_are_known_by_name_and_are_no_error(
        self, mine: str, gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A suite of all others runs as if they were not there."""
        text = "from profiler import scenario\n@scenario\ndef far(steps): ...\n"
        (tmp_path / "acme_scenarios.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        entry = EntryPoint(name="acme", value="acme_scenarios", group=files.ENTRY_POINT_GROUP)
        monkeypatch.setattr(files, "entry_points", lambda **_: [entry])
        client, launchers = _client(mine, _unasked)
        catalog = client.catalog(["far"])

        assert [*catalog.absent] == ["far"]
        assert catalog.absent["far"].startswith(gone)
        assert [line for line in catalog.broken if not line.startswith(mine)] == []
        assert launchers.jobs == []


class TestJobs:
    """What children are asked."""

    def test_measuring_sends_the_point_and_the_file_of_its_scenario(self, mine: str) -> None:
        """No other file; the client's time limit goes with it."""
        client, launchers = _client(mine, lambda _: _ended(_with(samples.OK)))
        found = client.measure(POINT, mode=Mode(inspect=False), timeline=True)
        file = ScenarioFile(path=mine, framework=stub_framework.NAME)

        assert found.outcome == samples.OK
        assert launchers.jobs[-1] == (
            Job(
                task=Task.MEASURE,
                framework=stub_framework.NAME,
                file=file,
                point=POINT,
                mode=Mode(inspect=False),
                timeline=True,
            ),
            33.0,
        )

    def test_a_point_whose_scenario_no_file_has_is_one_error(self, mine: str) -> None:
        """With the nearest name; nothing is run."""
        client, launchers = _client(mine, _unasked)
        with pytest.raises(UsageError, match=r"no scenario 'statc_rnn' .did you mean 'static_rnn'"):
            client.measure(replace(POINT, scenario="statc_rnn"))

        assert [job.task for job, _ in launchers.jobs] == [Task.LIST]

    def test_predicted_walls_come_from_a_child(self, mine: str) -> None:
        """One for each limit."""
        wall = WallPrediction(steps=80, low=79, high=81, learned_from=[8, 10])
        found = WallPredictions(walls=[wall], caveats=list(samples.FRAMEWORK.caveats))
        client, launchers = _client(mine, lambda _: _ended(_answer(found)))
        request = PredictionRequest(limits_bytes=[1 << 30], max_steps=1000)

        assert client.predict_walls(POINT, request) == found
        assert client.predict_wall(replace(POINT, limit_bytes=1 << 30), max_steps=1000) == found
        asked, job = (job for job, _ in launchers.jobs[-2:])
        assert asked.request == request
        # A search may record steps near the wall, too.
        assert job.request == replace(request, closely=True)
        # Recorded lengths near the wall would run out, after a long retry.
        assert job.point is not None
        assert (job.point.limit_bytes, job.point.host_limit_bytes) == (None, None)

    @pytest.mark.parametrize("limit", ["limit_bytes", "host_limit_bytes"])
    def test_a_prediction_whose_child_failed_says_how_it_ended(self, mine: str, limit: str) -> None:
        """The scenario's own error is not taken for allocations without a pattern."""
        error = Outcome(status=Status.ERROR, phase="build", reason="ValueError: bad shape")
        client, _ = _client(mine, lambda _: _ended(ChildReport(outcome=error)))
        point = replace(POINT, **{limit: 1 << 30})

        assert client.predict_wall(point, max_steps=1000) == error

    def test_without_a_limit_there_is_no_wall_to_predict(self, mine: str) -> None:
        """No child is asked."""
        client, _ = _client(mine, _unasked)

        assert client.predict_wall(POINT, max_steps=1000) == WallPredictions(walls=[None])

    def test_an_answer_that_cannot_be_read_is_a_crash_that_says_so(self, mine: str) -> None:
        """As a report of another shape."""
        report = ChildReport(outcome=samples.OK, answer='{"steps": "many"}')
        client, _ = _client(mine, lambda _: _ended(report))
        found = client.explain(POINT)

        assert isinstance(found, Outcome)
        assert found.status is Status.CRASHED
        assert "unreadable" in (found.reason or "")

    def test_an_explanation_is_put_beside_what_was_measured(self, mine: str) -> None:
        """A point that failed is not run again for one."""
        client, launchers = _client(mine, lambda _: _ended(_answer(samples.EXPLANATION)))
        good, bad = samples.measured(), samples.failed(samples.measured())

        assert client.traced(good).trace == samples.EXPLANATION
        assert client.traced(bad) == bad
        assert sum(job.task is Task.EXPLAIN for job, _ in launchers.jobs) == 1

    def test_a_host_wall_is_predicted_from_measured_points(self, mine: str) -> None:
        """A line through short runs, under the same limit and without looking inside."""

        def answers(job: Job) -> JobResult:
            assert job.point is not None
            assert not job.mode.inspect
            host = HostMemory(capped_peak_bytes=1000 + job.point.steps * 10)
            return _ended(replace(FULL, host=host, outcome=samples.OK))

        client, _ = _client(mine, answers)
        found = client.predict_wall(replace(POINT, host_limit_bytes=2000), max_steps=10_000)

        assert isinstance(found, WallPredictions)
        (wall,) = found.walls
        assert wall is not None
        assert wall.steps == 100


class TestSource:
    """What a child measured is the point's only if the source is still the point's."""

    @pytest.fixture
    def edited(self, mine: str) -> tuple[Client, Point, Path]:
        """Return a client whose file is edited while the child runs, and a point of that file."""
        helper = Path(mine).with_name("helper.py")
        helper.write_text("UNITS = 64")
        files = {"mine.py": mine, "helper": str(helper)}

        def answers(job: Job) -> JobResult:
            if job.task is Task.LIST and job.file is not None:
                listing = replace(_listing(job.file), source_files=files)
                return _ended(_answer(FileListing(scenarios=[listing])))
            helper.write_text("UNITS = 32" if job.point and job.point.steps > 8 else "UNITS = 64")
            return _ended(replace(FULL, outcome=samples.OK))

        point = replace(POINT, source=source_hash(files))
        return Client(launchers=_Launchers(answers), sources=(mine,)), point, helper

    def test_an_edit_while_it_runs_is_an_error(self, edited: tuple[Client, Point, Path]) -> None:
        """Even one of a helper, of equal length, within the same second."""
        client, point, _ = edited
        before = client.measure(replace(point, steps=8))
        after = client.measure(replace(point, steps=16))

        assert before.outcome == samples.OK
        assert after.outcome.status is Status.ERROR
        assert "the source of static_rnn changed" in str(after.outcome.reason)

    def test_a_source_that_is_gone_has_changed(self, edited: tuple[Client, Point, Path]) -> None:
        """An explanation or a prediction of it is refused as a measurement is."""
        client, point, helper = edited
        client.catalog()
        helper.with_name("mine.py").unlink()
        request = PredictionRequest(limits_bytes=[1], max_steps=1)

        for found in (client.explain(point), client.predict_walls(point, request)):
            assert isinstance(found, Outcome)
            assert "the source of static_rnn changed" in str(found.reason)


class TestCatalog:
    """Scenarios by name, and a line for each file that cannot be used."""

    def test_each_file_is_listed_once_by_a_child_of_its_own(self, mine: str) -> None:
        """However often the catalog is asked for."""
        client, launchers = _client(mine, _unasked)
        found = client.catalog()

        assert client.catalog() is found
        assert found.scenarios["static_rnn"].parameters[0].default == 32
        assert found.broken == []
        assert [job.task for job, _ in launchers.jobs] == [Task.LIST]

    @pytest.mark.parametrize(
        ("wanted", "scenarios"),
        [
            (["static_rnn"], ["static_rnn"]),
            (["static_rnn", "installed"], ["installed", "static_rnn"]),
            (["mistyped"], ["installed", "static_rnn"]),
            ([], ["installed", "static_rnn"]),
        ],
    )
    def test_what_is_installed_is_listed_where_the_users_files_do_not_hold_all(
        self, mine: str, monkeypatch: pytest.MonkeyPatch, wanted: list[str], scenarios: list[str]
    ) -> None:
        """Else a framework would be started that nobody asked for; no file is listed twice."""
        entry = EntryPoint(name="more", value="report_samples", group=files.ENTRY_POINT_GROUP)
        monkeypatch.setattr(files, "entry_points", lambda **_: (entry,))

        def answers(job: Job) -> JobResult:
            assert job.file is not None
            return _ended(_answer(FileListing(scenarios=[_listing(job.file, "installed")])))

        client, launchers = _client(mine, answers)

        assert list(client.catalog(wanted).scenarios) == scenarios
        assert len(launchers.jobs) == len(scenarios)

    def test_a_file_that_is_broken_is_named_once(self, mine: str, tmp_path: Path) -> None:
        """Its own message names file and line already; the other file stays usable."""
        odd = tmp_path / "odd.py"
        odd.write_text("")
        reason = f"{odd}:3: SyntaxError: invalid syntax"
        error = Outcome(status=Status.ERROR, phase="start", reason=reason)
        client, _ = _client(mine, lambda _: _ended(ChildReport(outcome=error)), str(odd))

        assert client.catalog().broken == [reason]
        assert list(client.catalog().scenarios) == ["static_rnn"]

    def test_a_broken_scenario_takes_none_of_its_file_down(self, mine: str, tmp_path: Path) -> None:
        """It is named, and its neighbours can be measured."""
        odd = tmp_path / "odd.py"
        odd.write_text("")
        line = f"{odd}:4: scenario 'two': its first argument must be what is swept"

        def answers(job: Job) -> JobResult:
            assert job.file is not None
            found = FileListing(scenarios=[_listing(job.file, "one")], broken=[line])
            return _ended(_answer(found))

        client, _ = _client(mine, answers, str(odd))

        assert client.catalog().broken == [line]
        assert list(client.catalog().scenarios) == ["static_rnn", "one"]

    def test_a_file_that_its_child_does_not_survive_is_named(
        self, mine: str, tmp_path: Path
    ) -> None:
        """With how it ended."""
        odd = tmp_path / "odd.py"
        odd.write_text("")
        client, _ = _client(mine, lambda _: _ended(b"", status=signal.SIGSEGV), str(odd))

        assert client.catalog().broken == [f"{odd}: crashed: died of SIGSEGV"]

    def test_a_child_that_is_killed_once_is_asked_again(self, mine: str, tmp_path: Path) -> None:
        """By whom and for what is not known; a file that no child survives has more than one."""
        odd = tmp_path / "odd.py"
        odd.write_text("")
        killed = [_ended(b"", status=signal.SIGKILL)]

        def answers(job: Job) -> JobResult:
            assert job.file is not None
            found = FileListing(scenarios=[_listing(job.file, "one")])
            return killed.pop() if killed else _ended(_answer(found))

        client, _ = _client(mine, answers, str(odd))

        assert client.catalog().broken == []
        assert list(client.catalog().scenarios) == ["static_rnn", "one"]

    def test_a_file_without_a_scenario_says_what_is_missing(
        self, mine: str, tmp_path: Path
    ) -> None:
        """Forgetting the decorator is the commonest mistake."""
        odd = tmp_path / "odd.py"
        odd.write_text("")
        client, _ = _client(mine, lambda _: _ended(_answer(FileListing(scenarios=[]))), str(odd))

        assert client.catalog().broken == [
            f"{odd}: no scenario in it (decorate a function with @scenario)"
        ]

    def test_a_folder_may_hold_helpers_but_not_only_helpers(
        self, mine: str, tmp_path: Path
    ) -> None:
        """It is more likely a mistake than a wish."""
        for name in ("full", "ful"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "helper.py").write_text("")
        (tmp_path / "full" / "one.py").write_text("")

        def answers(job: Job) -> JobResult:
            assert job.file is not None
            has_one = job.file.path.endswith("one.py")
            found = [_listing(job.file, "one")] if has_one else []
            return _ended(_answer(FileListing(scenarios=found)))

        folders = [str(tmp_path / name) for name in ("full", "ful")]
        client, _ = _client(mine, answers, *folders)

        assert list(client.catalog().scenarios) == ["static_rnn", "one"]
        assert client.catalog().broken == [
            f"{folders[1]}: no scenario in the *.py files of this folder"
        ]


class TestDescription:
    """Versions and devices as the framework sees them."""

    def test_it_comes_from_a_child_and_is_joined_with_what_is_known(self, mine: str) -> None:
        """Phases and stages are known without importing the framework."""
        described = Description(versions={"sampleflow": "2"}, devices=["cpu", "gpu:0 H200"])
        client, launchers = _client(mine, lambda _: _ended(_answer(described)))
        found = client.describe([stub_framework.NAME, stub_framework.NAME])[stub_framework.NAME]

        assert (found.versions, found.devices) == (described.versions, described.devices)
        assert [phase.name for phase in found.phases] == ["start", "build"]
        assert [job.task for job, _ in launchers.jobs] == [Task.DESCRIBE]

    def test_a_framework_that_its_child_does_not_survive_is_one_error(self, mine: str) -> None:
        """By its title, with the reason."""
        client, _ = _client(mine, lambda _: _ended(b"", status=signal.SIGSEGV))
        with pytest.raises(StepwallError) as caught:
            client.describe([stub_framework.NAME])

        assert str(caught.value) == "SampleFlow cannot be used: crashed: died of SIGSEGV"
