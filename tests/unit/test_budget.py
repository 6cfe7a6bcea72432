"""What can be limited stands in one table, and a budget knows the points that it takes."""

from __future__ import annotations

from typing import Any

import pytest
import stub_framework
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.budgets.budget import BUDGETED_METRICS, Budget
from profiler.errors import UsageError
from profiler.facts import Schedule
from profiler.parameters import Parameter
from profiler.planning import points as plan
from profiler.planning.catalog import Listing
from profiler.planning.files import ScenarioFile

LISTING = Listing(
    name="chain",
    family="toys",
    summary="",
    parameters=[Parameter(name="units", type="int", default=64)],
    source="toys.py:1",
    source_hash="",
    file=ScenarioFile(path="toys.py", framework=stub_framework.NAME),
)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_framework.install(monkeypatch)


def budget(**overrides: str) -> Budget:
    """Return a budget of two lengths, three times each, with these parameters."""
    return Budget(
        where="here",
        scenario="chain",
        steps=(4, 8),
        conditions=plan.Conditions(overrides=overrides, schedule=Schedule.PARALLEL),
        repeats=3,
        limits={"nodes": 100},
    )


def test_a_limit_is_a_line_of_the_table() -> None:
    """Its name is that of its metric, but for what one step adds."""
    assert {limit.metric.name for limit in BUDGETED_METRICS.values() if not limit.per_step} == {
        name for name, limit in BUDGETED_METRICS.items() if not limit.per_step
    }


@given(whole=st.integers(0, 2**53 - 1))
def test_a_count_is_read_as_it_is_written(*, whole: int) -> None:
    """Every whole number that a float holds exactly."""
    assert BUDGETED_METRICS["nodes"].read(whole) == whole


@pytest.mark.parametrize("name", BUDGETED_METRICS)
@pytest.mark.parametrize("value", [None, True, [], {}, -1, 2**53, float("nan"), float("inf")])
def test_no_limit_takes_what_is_no_value(name: str, value: Any) -> None:
    """None of it gives a traceback."""
    with pytest.raises(UsageError, match=r"write a (number|string)"):
        BUDGETED_METRICS[name].read(value)


def test_a_budget_takes_each_length_in_each_repeat() -> None:
    """With the scenario's own parameters, but for what the budget sets."""
    points = budget(units="8").points(LISTING)

    assert [(p.repeat, p.steps) for p in points] == [
        (repeat, n) for repeat in (0, 1, 2) for n in (4, 8)
    ]
    assert {p.parameters["units"] for p in points} == {8}
    assert {p.schedule for p in points} == {Schedule.PARALLEL}


def test_parameters_that_do_not_exist_are_refused() -> None:
    """With the nearest name."""
    with pytest.raises(UsageError, match=r"no parameter 'unit' .did you mean 'units'"):
        budget(unit="8").points(LISTING)
