"""A budget is read from a table, and kept, broken, or not known."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.budgets import (
    LIMITS,
    NOISY_REPEATS,
    Budget,
    Ruling,
    Verdict,
    judge,
    read_budget,
    read_budgets,
)
from profiler.errors import UsageError
from profiler.results import Measurement, Outcome, Point, Schedule, Status

STEPS = (8, 16, 32, 64)
KIB, MIB = 1024, 1024 * 1024
CONDITIONS = replace(samples.measured().point, steps=0)


def budget(**table: Any) -> Budget:
    """Return the budget of these keys."""
    return read_budget({"scenario": "static_rnn", **table}, "here")


def series(*, kib: float = 96, nodes: int = 17, repeats: int = 1) -> list[Measurement]:
    """Return points with so many KiB and nodes per step."""
    return [
        samples.measured(steps=n, kib_per_step=kib, per_step=nodes, repeat=repeat)
        for n in STEPS
        for repeat in range(repeats)
    ]


def timed(measurement: Measurement, step_s: float) -> Measurement:
    """Return the point with another steady step."""
    assert measurement.time is not None
    return replace(measurement, time=replace(measurement.time, step_s=step_s))


def only(
    measurements: Sequence[Measurement], conditions: Point = CONDITIONS, **table: Any
) -> Verdict:
    """Return the only verdict on these points."""
    (verdict,) = judge(budget(**table), conditions, samples.run(measurements))
    return verdict


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
            ({"peak": 5}, "peak = 5: write a text with a unit, as '200MiB'"),
            ({"slope": "1MiB"}, "slope = '1MiB': write a size per step, as 1.2MiB/step"),
            ({"nodes": "many"}, "nodes = 'many': write a number"),
            ({"nodes": True}, "nodes = True: write a number"),
            ({"nodes": -1}, "nodes = -1: write a number"),
            ({"nodes": float("nan")}, "nodes = nan: write a number"),
            ({"step_time": "20"}, "step_time = '20': time '20': write a number with a unit"),
            ({"nodes": 1, "steps": "x"}, "steps = 'x'.*no number or range"),
            ({"nodes": 1, "schedule": "serail"}, "schedule = 'serail': use serial or parallel"),
            ({"nodes": 1, "device": "tpu"}, "device = 'tpu'"),
            ({"nodes": 1, "repeats": 0}, "repeats = 0: write a whole number"),
            ({"nodes": 1, "parameters": 3}, "parameters = 3: write a table"),
            ({"nodes": 1, "limit": "1KiB"}, "limit = '1KiB'.*at least 1MiB"),
            ({"nodes": 1, "scenario": 3}, "scenario = 3: write a scenario's name"),
            ({}, "here: limits nothing; use one of peak"),
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
            ("", "f: write one table"),
            ("budget = 3", "f: write one table"),
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


class TestExactLimits:
    """Counts, and device memory in the serial schedule."""

    @given(kib=st.integers(1, 1000), allowed=st.integers(1, 1000))
    def test_a_slope_is_kept_up_to_its_limit(self, *, kib: int, allowed: int) -> None:
        """Equal is kept."""
        verdict = only(series(kib=kib), slope=f"{allowed}KiB/step")

        assert verdict.ruling is (Ruling.BROKEN if kib > allowed else Ruling.KEPT)
        assert verdict.measured == pytest.approx(kib * KIB)
        assert verdict.law is not None

    @pytest.mark.parametrize(("allowed", "ruling"), [(17, Ruling.KEPT), (16.9, Ruling.BROKEN)])
    def test_nodes_per_step_are_exact(self, allowed: float, ruling: Ruling) -> None:
        """Seventeen are not over seventeen."""
        verdict = only(series(nodes=17), nodes_per_step=allowed)

        assert (verdict.ruling, verdict.measured, verdict.steps) == (ruling, 17, STEPS[-1])

    def test_the_largest_value_of_any_length_counts(self) -> None:
        """And its length is told."""
        points = series()
        points[1] = samples.measured(steps=STEPS[1], kib_per_step=10_000)
        verdict = only(points, backprop="10MiB")

        assert verdict.ruling is Ruling.BROKEN
        assert verdict.steps == STEPS[1]
        assert verdict.measured == 10_000 * KIB * STEPS[1]

    def test_other_points_of_the_run_do_not_count(self) -> None:
        """Another scenario, or other parameters."""
        wild = [samples.measured("dynamic_rnn", n, kib_per_step=10_000) for n in STEPS]

        assert only([*series(), *wild], backprop="10MiB").ruling is Ruling.KEPT


class TestNoisyLimits:
    """Times and host memory."""

    def _verdict(self, *seconds: float) -> Verdict:
        points = [
            timed(samples.measured(steps=STEPS[0], repeat=repeat), step_s)
            for repeat, step_s in enumerate(seconds)
        ]
        return only(points, step_time="20ms")

    def test_one_repeat_within_the_limit_keeps_it(self) -> None:
        """The others were disturbed."""
        assert self._verdict(0.03, 0.019, 0.04).ruling is Ruling.KEPT

    def test_every_repeat_over_the_limit_breaks_it(self) -> None:
        """The median is told."""
        verdict = self._verdict(0.03, 0.021, 0.04)

        assert verdict.ruling is Ruling.BROKEN
        assert verdict.measured == pytest.approx(0.03)


class TestWhatIsNotKnown:
    """It is no pass."""

    def test_too_few_lengths_give_no_slope(self) -> None:
        """It says how many a law takes."""
        verdict = only(series()[:2], slope="1GiB/step")

        assert verdict.ruling is Ruling.UNKNOWN
        assert verdict.measured is None
        assert verdict.reason == "2 of 3 lengths that a law takes"

    def test_a_metric_that_was_not_measured_is_not_known(self) -> None:
        """Nothing was."""
        assert only([], peak="1GiB").ruling is Ruling.UNKNOWN

    @pytest.mark.parametrize(
        ("status", "ruling"),
        [(Status.OOM_DEVICE, Ruling.BROKEN), (Status.ERROR, Ruling.UNKNOWN)],
    )
    def test_a_failed_point_is_told_first(self, status: Status, ruling: Ruling) -> None:
        """Memory that ran out breaks the budget; an error says nothing of it."""
        end = Outcome(status=status, reason="why")
        points = [*series()[:3], samples.failed(series()[3], end)]
        first, second = judge(budget(peak="1GiB"), CONDITIONS, samples.run(points))

        assert (first.limit, first.ruling, first.steps) == (None, ruling, STEPS[3])
        assert first.reason == f"{status.value}: why"
        assert second.ruling is Ruling.KEPT


def test_a_limit_is_a_line_of_the_table() -> None:
    """Its name is that of its metric, but for what one step adds."""
    assert {limit.metric.name for limit in LIMITS.values() if not limit.per_step} == {
        name for name, limit in LIMITS.items() if not limit.per_step
    }
