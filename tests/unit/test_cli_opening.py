"""A run is opened once, and resumed only where its numbers can be continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import report_samples as samples
import stub_framework

from profiler.cli import opening as openings
from profiler.cli.common import Common
from profiler.cli.opening import Opening, open_client, usable_scenarios
from profiler.cli.progress import Reporter
from profiler.errors import UsageError
from profiler.facts import Environment, Point, Run, encode, replace
from profiler.frameworks import Description
from profiler.frameworks.recorder import ChildReport
from profiler.limits import machine
from profiler.measure.client import Client
from profiler.measure.job import Job, Task
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.planning.catalog import Catalog
from profiler.store.runs import Store

POINT = replace(samples.measured().point, source="abc")
Open = Callable[..., Run]


class _Launcher:
    """Describes the framework; runs nothing else."""

    def __getitem__(self, name: str) -> _Launcher:
        return self

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        assert job.task is Task.DESCRIBE
        assert timeout_s > 0
        answer = Description(versions={stub_framework.NAME: "2"}, devices=["cpu"])
        report = encode(ChildReport(outcome=samples.OK, answer=encode(answer))).encode()
        return JobResult(report=report, exit=ProcessEnd(wait_status=0), seconds=0.1, log_tail="")


@pytest.fixture
def opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    """Return an opening with an empty store and a client of the stub framework."""
    stub_framework.install(monkeypatch)
    with Store(tmp_path, create=True) as store:
        yield Opening(
            client=Client(launchers=_Launcher()),
            store=store,
            report=Reporter(None, verbose=False),
            command="stepwall profile",
        )


def test_a_new_run_knows_what_it_was_made_with(opening: Opening) -> None:
    """The command, and every framework of its points as it describes itself."""
    run = opening.run([POINT], name="mine")

    assert (run.name, run.command) == ("mine", "stepwall profile")
    assert run.framework(stub_framework.NAME).versions == {stub_framework.NAME: "2"}
    assert opening.store.load("mine") == run


def test_a_device_that_a_framework_does_not_see_is_refused(opening: Opening) -> None:
    """Before a run is stored."""
    with pytest.raises(UsageError, match="'gpu:0': SampleFlow sees only cpu"):
        opening.run([replace(POINT, device="gpu:0")], name="mine")

    assert opening.store.summaries() == []


class TestResume:
    """Numbers of two environments or sources are never mixed in one run."""

    def _resumed(self, opening: Opening, stored: Point, *points: Point) -> Run:
        run = opening.run([stored], name="mine")
        opening.store.add_measurement(run, replace(samples.measured(), point=stored))
        return opening.run(points, name="mine", resumed=opening.store.load("mine"))

    def test_a_run_goes_on_under_equal_conditions(self, opening: Opening) -> None:
        """With other points of its scenarios, and with other scenarios."""
        other = replace(POINT, scenario="other", source="xyz")
        run = self._resumed(opening, POINT, replace(POINT, steps=99), other)

        assert [m.point for m in run.measurements] == [POINT]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"cpu": "B CPU"}, "processor: .* before, B CPU now"),
            ({"python": "4.0"}, "Python: .* before, 4.0 now"),
        ],
    )
    def test_another_environment_is_refused(
        self,
        opening: Opening,
        monkeypatch: pytest.MonkeyPatch,
        change: dict[str, str],
        message: str,
    ) -> None:
        """What differs is named."""
        run = opening.run([POINT], name="mine")
        now: Environment = replace(run.environment, **change)
        monkeypatch.setattr(machine, "environment", lambda _: now)
        with pytest.raises(UsageError, match=f"run 'mine' cannot go on here: {message}"):
            opening.run([POINT], name="mine", resumed=run)

    def test_other_versions_of_the_framework_are_refused(self, opening: Opening) -> None:
        """Of all its packages."""
        run = opening.run([POINT], name="mine")
        older = replace(samples.FRAMEWORK, versions={stub_framework.NAME: "1"})
        was = replace(run, environment=replace(run.environment, frameworks={older.name: older}))
        with pytest.raises(UsageError, match="sampleflow: sampleflow 1 before, sampleflow 2 now"):
            opening.run([POINT], name="mine", resumed=was)

    def test_another_source_is_refused(self, opening: Opening) -> None:
        """Of a scenario that the run holds; it is named."""
        with pytest.raises(UsageError, match="'mine' measured static_rnn from another version of"):
            self._resumed(opening, POINT, replace(POINT, source="changed"))

    def test_the_source_of_a_probe_counts_as_well(self, opening: Opening) -> None:
        """A wall search that was interrupted has nothing else."""
        run = opening.run([POINT], name="mine")
        opening.store.add_probe(run, replace(samples.measured(), point=POINT))
        with pytest.raises(UsageError, match="another version of its source"):
            opening.run([replace(POINT, source="changed")], name="mine", resumed=run)


class TestScenarios:
    """Which files are used."""

    def _common(self, *scenarios: str, results: Path) -> Common:
        return Common(
            scenarios=scenarios, results=results, json_path=None, quiet=True, verbose=False
        )

    def test_a_file_that_is_not_there_is_refused_before_a_child_starts(
        self, tmp_path: Path
    ) -> None:
        """As the user wrote it."""
        common = self._common("nowhere.py", results=tmp_path)
        with (
            pytest.raises(UsageError, match=r"--scenarios 'nowhere.py': no such file or folder"),
            open_client(common),
        ):
            pass

    def test_broken_files_that_were_given_by_name_are_all_named(
        self, tmp_path: Path, opening: Opening, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A line for each; one in a folder is only left out."""
        given = [tmp_path / name for name in ("one.py", "two.py")]
        for path in given:
            path.write_text("")
        named = [f"{path}:3: SyntaxError: invalid syntax" for path in given]
        other = f"{tmp_path / 'folder' / 'odd.py'}:1: ValueError: no"
        opening.client._catalog = Catalog(scenarios={}, broken=[named[0], other, named[1]])
        common = self._common(*map(str, given), results=tmp_path)
        with pytest.raises(UsageError) as caught:
            usable_scenarios(common, opening.client)

        assert str(caught.value).splitlines() == named
        assert capsys.readouterr().err == f"stepwall: left out {other}\n"


@pytest.mark.parametrize(
    ("given", "limit", "told"),
    [
        (3 << 20, 3 << 20, ""),
        ((3 << 20) + 5, 3 << 20, "stepwall: limit of 3145733 bytes rounded down to 3 MiB\n"),
        (1029, 1024, "stepwall: limit of 1029 bytes rounded down to 1024 bytes\n"),
        (None, None, ""),
    ],
)
def test_a_limit_that_was_rounded_is_said(
    given: int | None, limit: int | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the largest unit that is exact."""
    openings.note_rounding(given, replace(POINT, limit_bytes=limit))

    assert capsys.readouterr().err == told
