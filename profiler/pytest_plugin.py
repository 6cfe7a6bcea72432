"""The pytest plugin: ``@pytest.mark.stepwall_budget(...)`` gives a test's scenario a budget.

It is loaded in every run of pytest, so what measures is imported when a test asks for it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from profiler.plain_text import plain

if TYPE_CHECKING:
    from profiler.analysis.budgets.budget import Verdict
    from profiler.facts import Run
    from profiler.measure.launcher import Launchers

MARKER = "stepwall_budget"
_HELP = (
    f"{MARKER}(scenario, scenarios=None, **limits): fail the test if the scenario needs more, "
    'such as peak="200MiB", slope="1.2MiB/step", nodes_per_step=17 (keys: those of stepwall check)'
)


@dataclass(frozen=True, kw_only=True)
class _BudgetResults:
    """What the markers of one test asked for."""

    run: Run
    verdicts: list[Verdict]


@dataclass
class _Servers:
    """The fork servers of this process, started when they are first asked for."""

    stack: contextlib.ExitStack
    launchers: Launchers | None = None

    def get(self) -> Launchers:
        from profiler.measure.launcher import Launchers

        if self.launchers is None:
            self.launchers = self.stack.enter_context(Launchers())
        return self.launchers


_SERVERS = pytest.StashKey[_Servers]()
_MEASURED = pytest.StashKey[_BudgetResults]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _HELP)
    config.stash[_SERVERS] = _Servers(stack=contextlib.ExitStack())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the fork server, if a test started it."""
    config.stash[_SERVERS].stack.close()


@pytest.fixture
def stepwall_run(request: pytest.FixtureRequest) -> Run:
    """Return what was measured for the test's budgets, as a ``profiler.facts.Run``."""
    if not any(request.node.iter_markers(MARKER)):
        pytest.fail(f"stepwall_run: the test has no marker {MARKER}", pytrace=False)
    return _measured(request.node).run


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Judge the budgets of a marked test before its own body runs."""
    if any(pyfuncitem.iter_markers(MARKER)):
        _judge(pyfuncitem)
    return (yield)


def _judge(item: pytest.Item) -> None:
    from profiler.analysis.budgets.budget import Ruling
    from reports.tables.budgets import verdict_text

    verdicts = _measured(item).verdicts
    bad = [verdict_text(one) for one in verdicts if one.ruling is not Ruling.KEPT]
    if bad:
        pytest.fail(plain("\n".join(bad)), pytrace=False)


def _measured(item: pytest.Item) -> _BudgetResults:
    from profiler.errors import StepwallError

    mistake = None
    if _MEASURED not in item.stash:
        try:
            item.stash[_MEASURED] = _measure(item)
        except StepwallError as error:
            mistake = f"{MARKER}: {error}"
    if mistake is not None:  # out here, so that pytest shows no chain of exceptions
        pytest.fail(plain(mistake), pytrace=False)
    return item.stash[_MEASURED]


def _measure(item: pytest.Item) -> _BudgetResults:
    from profiler.analysis.budgets.check import planned
    from profiler.analysis.budgets.tables import read_budget, scenario_paths
    from profiler.cli.budget_run import measure_budgets
    from profiler.cli.opening import Opening
    from profiler.cli.progress import Reporter
    from profiler.errors import UsageError
    from profiler.measure.client import Client
    from profiler.planning.catalog import check_present
    from profiler.store.runs import Store

    tables = [_table(mark) for mark in item.iter_markers(MARKER)]
    sources = [
        path
        for number, table in enumerate(tables, 1)
        for path in scenario_paths(table.pop("scenarios", []), item.path.parent, f"marker {number}")
    ]
    budgets = [read_budget(table, f"marker {number}") for number, table in enumerate(tables, 1)]
    launchers = item.config.stash[_SERVERS].get()
    client = Client(launchers=launchers, sources=tuple(dict.fromkeys(sources)))
    with (
        tempfile.TemporaryDirectory(prefix="stepwall-") as results,
        Store(Path(results), create=True) as store,
    ):
        catalog = client.catalog()
        check_present(catalog, [one.scenario for one in budgets])
        try:
            plans = planned(budgets, catalog.scenarios)
        except UsageError as error:  # what is broken may be the reason
            raise UsageError("\n".join([str(error), *catalog.broken])) from None
        report = Reporter(None, verbose=False)
        opening = Opening(client=client, store=store, report=report, command=item.nodeid)
        run = opening.run([point for one in plans for point in one.points], name="budget")
        measured, verdicts = measure_budgets(plans, opening.runner(run))
    return _BudgetResults(run=measured, verdicts=verdicts)


def _table(mark: pytest.Mark) -> dict[str, Any]:
    """Return a marker as the table that a budget file would hold."""
    from profiler.errors import UsageError

    if len(mark.args) > 1:
        raise UsageError(f"one scenario, not {len(mark.args)}: {mark.args!r}")
    return {**mark.kwargs, **({"scenario": mark.args[0]} if mark.args else {})}
