"""A table of a budget is read as users write it; what cannot be used is refused in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.budgets.budget import BUDGETED_METRICS, Budget
from profiler.analysis.budgets.tables import (
    NOISY_REPEATS,
    read_budget,
    read_budgets,
    scenario_paths,
)
from profiler.errors import UsageError
from profiler.facts import Schedule

KIB, MIB = 1024, 1024 * 1024
SETTINGS = ("steps", "parameters", "device", "schedule", "limit", "repeats")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def budget(**table: Any) -> Budget:
    """Return the budget of these keys."""
    return read_budget({"scenario": "static_rnn", **table}, "here")


class TestReading:
    """Keys and values as users write them."""

    def test_every_key_is_read_in_its_unit(self) -> None:
        """Bytes, seconds and nodes."""
        found = budget(
            steps="4:16:x2",
            parameters={"units": 256, "cell": "lstm"},
            device="gpu",
            schedule="parallel",
            limit="64MiB",
            repeats=5,
            peak="1.5GiB",
            slope="1.5 KiB/step",
            nodes=500,
            nodes_per_step=17,
            step_time="20ms",
        )

        assert found.steps == (4, 8, 16)
        assert found.conditions.overrides == {"units": "256", "cell": "lstm"}
        assert (found.conditions.device, found.conditions.schedule) == ("gpu:0", Schedule.PARALLEL)
        assert (found.conditions.limit_bytes, found.repeats) == (64 * MIB, 5)
        assert found.limits == {
            "peak": 1.5 * 1024 * MIB,
            "slope": 1.5 * KIB,
            "nodes": 500,
            "nodes_per_step": 17,
            "step_time": pytest.approx(0.02),
        }

    def test_steps_may_be_a_list(self) -> None:
        """As TOML and Python write one."""
        assert budget(steps=[16, 4, 8], nodes=1).steps == (4, 8, 16)

    @pytest.mark.parametrize(
        ("table", "repeats"),
        [
            ({"nodes": 1}, 1),
            ({"peak": "1MiB"}, 1),
            ({"peak": "1MiB", "schedule": "parallel"}, NOISY_REPEATS),
            ({"step_time": "1s"}, NOISY_REPEATS),
            ({"host": "1GiB", "repeats": 2}, 2),
        ],
    )
    def test_what_is_noisy_is_repeated(self, table: dict[str, Any], repeats: int) -> None:
        """Unless the user says how often."""
        assert budget(**table).repeats == repeats

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"peek": "1MiB"}, "here: no key 'peek' .did you mean 'peak'"),
            ({"peak": "1"}, "here: peak = '1': size '1': write a number with a unit"),
            ({"peak": 5}, "peak = 5: write a string with a unit, such as '200MiB'"),
            ({"slope": "1MiB"}, "slope = '1MiB': growth '1MiB': write a size per step"),
            ({"nodes": "many"}, "nodes = 'many': write a number"),
            ({"nodes": True}, "nodes = True: write a number"),
            ({"nodes": -1}, "nodes = -1: write a number"),
            ({"nodes": float("nan")}, "nodes = nan: write a number"),
            ({"step_time": "20"}, "step_time = '20': time '20': write a number with a unit"),
            ({"nodes": 1, "steps": "x"}, "steps = 'x'.*not a number or range"),
            ({"nodes": 1, "schedule": "serail"}, "schedule = 'serail': use serial or parallel"),
            ({"nodes": 1, "device": "tpu"}, "device = 'tpu'"),
            ({"nodes": 1, "repeats": 0}, "repeats = 0: write a whole number"),
            ({"nodes": 1, "parameters": 3}, "parameters = 3: write a table"),
            ({"nodes": 1, "limit": "1"}, "limit = '1'.*write a number with a unit"),
            ({"nodes": 1, "limit": 64}, "limit = 64: write a string with a unit, such as '64MiB'"),
            ({"nodes": 10**400}, "nodes = 1000.*: write a number of 0 or more"),
            ({"nodes": 1, "scenario": 3}, "scenario = 3: write a scenario's name"),
            ({}, "here: no limit: use one of peak"),
        ],
    )
    def test_bad_input_names_the_key_the_value_and_what_is_allowed(
        self, table: dict[str, Any], message: str
    ) -> None:
        """One line."""
        with pytest.raises(UsageError, match=message) as error:
            budget(**table)
        assert "\n" not in str(error.value)

    def test_a_budget_needs_a_scenario(self) -> None:
        """Whose else is it."""
        with pytest.raises(UsageError, match="scenario is missing"):
            read_budget({"nodes": 1}, "here")

    def test_a_file_holds_several_with_defaults(self) -> None:
        """What a table says goes before what all have."""
        text = """
            scenarios = ["mine.py"]
            [defaults]
            steps = "4:8:x2"
            nodes_per_step = 3
            [[budget]]
            scenario = "a"
            [[budget]]
            scenario = "b"
            nodes_per_step = 5
        """
        first, second = read_budgets(tomllib.loads(text), "budgets.toml")

        assert (first.scenario, first.steps, first.limits) == ("a", (4, 8), {"nodes_per_step": 3})
        assert (second.scenario, second.limits) == ("b", {"nodes_per_step": 5})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "f: write one or more"),
            ("budget = 3", "f: write one or more"),
            ("budget = [3]", "f: write one or more"),
            ("defaults = 3\n[[budget]]", "f: defaults = 3: write a .defaults. table"),
            ("[defaults]\npeek = 1\n[[budget]]", "f, defaults: no key 'peek'"),
            ("budgets = []", "f: no key 'budgets' .did you mean 'budget'"),
            (
                '[[budget]]\nscenario = "a"\nnodes = 1\n[[budget]]\nnodes = 2',
                "f, budget 2: scenario",
            ),
        ],
    )
    def test_a_bad_file_says_which_budget(self, text: str, message: str) -> None:
        """By its number."""
        with pytest.raises(UsageError, match=message):
            read_budgets(tomllib.loads(text), "f")

    @settings(max_examples=50)
    @given(
        table=st.dictionaries(
            st.one_of(st.sampled_from((*SETTINGS, *BUDGETED_METRICS)), st.text(max_size=5)), VALUES
        )
    )
    def test_any_table_is_a_budget_or_a_usage_error(self, *, table: dict[str, Any]) -> None:
        """Nothing that a user writes gives a traceback."""
        try:
            found = read_budget({"scenario": "a", **table}, "here")
        except UsageError:
            return

        assert set(found.limits) == set(table) & set(BUDGETED_METRICS)
        assert found.steps
        assert found.repeats >= 1


def test_scenario_files_stand_relative_to_who_names_them(tmp_path: Path) -> None:
    """One or several, as absolute paths."""
    for name in ("a.py", "b.py"):
        (tmp_path / name).touch()
    both = [str(tmp_path / "a.py"), str(tmp_path / "b.py")]

    assert scenario_paths([], tmp_path, "f") == []
    assert scenario_paths("a.py", tmp_path, "f") == both[:1]
    assert scenario_paths(["a.py", "b.py"], tmp_path, "f") == both


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "f: scenarios = 3: write one or more paths"),
        ([3], r"f: scenarios = \[3\]: write one or more paths"),
        ("no.py", r"f: scenarios '.*no\.py': no such file or folder"),
    ],
)
def test_what_names_no_scenario_files_is_refused(
    tmp_path: Path, given: object, message: str
) -> None:
    """One line says who named what."""
    with pytest.raises(UsageError, match=message):
        scenario_paths(given, tmp_path, "f")
