"""Budgets are checked by measuring their points, or in a stored run that has all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
import stub_framework

from profiler.analysis.budgets.budget import Ruling
from profiler.analysis.budgets.check import judge_stored, planned
from profiler.analysis.budgets.tables import read_budget
from profiler.cli.budget_run import measure_budgets
from profiler.errors import UsageError
from profiler.facts import DeviceMemory, Measurement, Outcome, Status, encode, replace
from profiler.frameworks.recorder import ChildReport
from profiler.measure.client import Client
from profiler.measure.job import Job
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.measure.runner import Runner
from profiler.parameters import Parameter
from profiler.planning.catalog import Catalog, Listing
from profiler.planning.files import ScenarioFile
from profiler.store.runs import Store

CONDITIONS = replace(samples.measured().point, steps=0)
CATALOG = {
    "static_rnn": Listing(
        name="static_rnn",
        family=CONDITIONS.family,
        summary="",
        parameters=[
            Parameter(name=name, type=type(value).__name__, default=value)
            for name, value in CONDITIONS.parameters.items()
        ],
        source="builds.py:1",
        source_hash=CONDITIONS.source,
        file=ScenarioFile(path="builds.py", framework=CONDITIONS.framework),
    )
}
STEPS = (8, 16, 32)


class _Launcher:
    """Ends every job at once; points longer than ``fits`` run out of memory."""

    def __init__(self, fits: int) -> None:
        self.ran: list[int] = []
        self._fits = fits

    def __getitem__(self, name: str) -> _Launcher:
        assert name == stub_framework.NAME
        return self

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        assert timeout_s > 0
        assert job.point is not None
        steps = job.point.steps
        self.ran.append(steps)
        status = Status.OK if steps <= self._fits else Status.OOM_DEVICE
        report = ChildReport(
            outcome=Outcome(status=status), device=DeviceMemory(peak_bytes=1024 * steps)
        )
        end = ProcessEnd(wait_status=0)
        return JobResult(report=encode(report).encode(), exit=end, seconds=0.1, log_tail="")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_framework.install(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store(tmp_path, create=True) as store:
        yield store


def tables(*given: dict[str, Any]) -> list[Any]:
    """Return plans of these tables."""
    budgets = [read_budget({"scenario": "static_rnn", **table}, "f, budget 1") for table in given]
    return planned(budgets, CATALOG)


def stored(*, repeats: int = 1, steps: tuple[int, ...] = STEPS) -> list[Measurement]:
    """Return what a run holds."""
    return [samples.measured(steps=n, repeat=r) for r in range(repeats) for n in steps]


def runner(store: Store, launcher: _Launcher) -> Runner:
    """Return an empty run that this launcher measures."""
    run = store.start_run("checked", "stepwall check", samples.ENVIRONMENT)
    client = Client(launchers=launcher)
    client._catalog = Catalog(scenarios=CATALOG, broken=[])
    return Runner(client=client, store=store, run=run)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"scenario": "static_rn"}, "f, budget 1: no scenario 'static_rn' .did you mean"),
        ({"parameters": {"unit": 3}}, "f, budget 1: scenario .* has no parameter 'unit'"),
    ],
)
def test_what_a_budget_names_must_exist(table: dict[str, Any], message: str) -> None:
    """The message says which budget."""
    with pytest.raises(UsageError, match=message):
        tables({"nodes": 1, **table})


def test_a_limit_that_the_framework_does_not_take_is_refused() -> None:
    """The message says which budget."""
    with pytest.raises(UsageError, match="f, budget 1: limit of 512 bytes: must be at least 1024B"):
        tables({"nodes": 1, "limit": "512B"})


def test_points_of_several_budgets_are_measured_once(store: Store) -> None:
    """They share one run."""
    launcher = _Launcher(fits=100)
    plans = tables({"steps": [8, 16], "peak": "8KiB"}, {"steps": [16, 32], "peak": "1MiB"})
    run, verdicts = measure_budgets(plans, runner(store, launcher))

    assert launcher.ran == [8, 16, 32]
    assert (run.name, run.finished) == ("checked", True)
    assert [(v.ruling, v.steps, v.measured) for v in verdicts] == [
        (Ruling.BROKEN, 16, 16 * 1024),
        (Ruling.KEPT, 32, 32 * 1024),
    ]


def test_one_budgets_end_of_memory_hides_no_other_budget(store: Store) -> None:
    """The longer lengths of another one are run all the same."""
    launcher = _Launcher(fits=8)
    plans = tables({"steps": [8, 16], "limit": "1MiB"}, {"steps": [32], "limit": "1MiB"})
    _, verdicts = measure_budgets(plans, runner(store, launcher))

    assert launcher.ran == [8, 16, 32]
    assert [(v.ruling, v.steps) for v in verdicts] == [(Ruling.BROKEN, 16), (Ruling.BROKEN, 32)]


def test_a_length_that_another_budget_skipped_is_run(store: Store) -> None:
    """It has not survived because a shorter one of the other budget did not."""
    launcher = _Launcher(fits=8)
    plans = tables({"steps": [8, 16, 32], "limit": "1MiB"}, {"steps": [32], "limit": "1MiB"})
    _, verdicts = measure_budgets(plans, runner(store, launcher))

    assert launcher.ran == [8, 16, 32]
    assert {verdict.ruling for verdict in verdicts} == {Ruling.BROKEN}


def test_a_stored_run_is_judged_like_a_new_one() -> None:
    """Where it has all the points."""
    plans = tables({"steps": list(STEPS), "nodes_per_step": 16})
    (verdict,) = judge_stored(plans, samples.run(stored()))

    assert (verdict.ruling, verdict.measured, verdict.steps) == (Ruling.BROKEN, 17, 32)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"steps": [8, 64, 128]},
            "run 'sample' has no static_rnn .* at 64, 128 steps; it has 8, 16, 32 of it",
        ),
        (
            {"steps": [8], "limit": "64MiB"},
            "64 MiB. at 8 steps; it has none of it: .* another limit",
        ),
        (
            {"steps": [8, 16], "repeats": 3},
            "run 'sample' has static_rnn .* at 8, 16 steps not 3 times",
        ),
    ],
)
def test_what_is_missing_in_a_stored_run_is_named(table: dict[str, Any], message: str) -> None:
    """It is no pass."""
    plans = tables({"nodes": 10_000, **table})

    with pytest.raises(UsageError, match=f"f, budget 1: .*{message}") as error:
        judge_stored(plans, samples.run(stored()))
    assert "\n" not in str(error.value)


def skipped(steps: int) -> Measurement:
    """Return a point that was not run, for fewer steps ran out of memory."""
    end = Outcome(status=Status.SKIPPED, reason="16 steps ran out of memory")
    return Measurement(point=samples.measured(steps=steps).point, outcome=end, seconds=0)


@pytest.mark.parametrize("is_stored", [False, True])
def test_lengths_after_an_end_of_memory_are_not_missed(*, is_stored: bool) -> None:
    """They are never run, and the budget is broken."""
    failed = samples.failed(samples.measured(steps=16))
    points = [*stored(steps=(8,)), failed, *([skipped(32)] if is_stored else [])]
    plans = tables({"steps": list(STEPS), "peak": "1GiB"})
    rulings = [v.ruling for v in judge_stored(plans, samples.run(points))]

    assert rulings == [Ruling.BROKEN, Ruling.KEPT]


def test_an_end_of_memory_at_a_length_of_no_budget_excuses_nothing() -> None:
    """The longer length may have been judged by nobody."""
    points = [samples.failed(samples.measured(steps=16)), skipped(32)]

    with pytest.raises(UsageError, match="at 32 steps; it has 16 of it"):
        judge_stored(tables({"steps": [32], "peak": "1GiB"}), samples.run(points))
