"""A budget is kept, broken, or not known, by its own points and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.budgets.budget import Budget, Ruling, Verdict
from profiler.analysis.budgets.tables import NOISY_REPEATS, read_budget
from profiler.analysis.budgets.verdicts import judge
from profiler.facts import Measurement, Outcome, Point, Schedule, Status, StepTime, replace

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
    return replace(measurement, step=StepTime(median_s=step_s, steps=5))


def only(
    measurements: Sequence[Measurement], conditions: Point = CONDITIONS, **table: Any
) -> Verdict:
    """Return the only verdict on these points."""
    (verdict,) = judge(budget(**table), conditions, samples.run(measurements))
    return verdict


class TestExactLimits:
    """Counts, and device memory in the serial schedule."""

    @settings(max_examples=20)
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
        """And its length is given."""
        points = series()
        points[1] = samples.measured(steps=STEPS[1], kib_per_step=10_000)
        verdict = only(points, backprop="10MiB")

        assert verdict.ruling is Ruling.BROKEN
        assert verdict.steps == STEPS[1]
        assert verdict.measured == 10_000 * KIB * STEPS[1]

    def test_lengths_and_repeats_of_other_budgets_do_not_count(self) -> None:
        """One run may serve several budgets of one scenario."""
        others = [samples.measured(steps=STEPS[0], kib_per_step=10_000, repeat=1)]
        short: dict[str, Any] = {"steps": list(STEPS[:2]), "backprop": f"{96 * STEPS[1]}KiB"}
        verdict = only([*series(), *others], CONDITIONS, **short)

        assert verdict.ruling is Ruling.KEPT
        assert (verdict.steps, verdict.measured) == (STEPS[1], 96 * KIB * STEPS[1])

    def test_the_growth_is_that_of_the_budgets_own_lengths(self) -> None:
        """A law through longer ones would be another."""
        bent = [samples.measured(steps=n, kib_per_step=960) for n in (128, 256, 512)]
        verdict = only([*series(), *bent], slope="96KiB/step")

        assert (verdict.ruling, verdict.steps) == (Ruling.KEPT, STEPS[-1])

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
        """The median is given."""
        verdict = self._verdict(0.03, 0.021, 0.04)

        assert verdict.ruling is Ruling.BROKEN
        assert verdict.measured == pytest.approx(0.03)

    def test_one_length_over_in_every_repeat_breaks_it(self) -> None:
        """Even where a longer one, with a larger median, once was within it."""
        points = [
            timed(samples.measured(steps=n, repeat=repeat), step_s)
            for n, times in ((8, (0.021, 0.022, 0.023)), (16, (0.019, 0.05, 0.06)))
            for repeat, step_s in enumerate(times)
        ]
        verdict = only(points, step_time="20ms")

        assert (verdict.ruling, verdict.steps) == (Ruling.BROKEN, 8)
        assert verdict.measured == pytest.approx(0.022)

    @settings(max_examples=30)
    @given(
        times=st.lists(st.integers(1, 100), min_size=NOISY_REPEATS, max_size=NOISY_REPEATS),
        allowed=st.integers(1, 100),
    )
    def test_the_fastest_repeat_decides(self, *, times: list[int], allowed: int) -> None:
        """At one length, whatever the order."""
        points = [
            timed(samples.measured(steps=STEPS[0], repeat=repeat), milliseconds / 1000)
            for repeat, milliseconds in enumerate(times)
        ]
        verdict = only(points, step_time=f"{allowed / 1000}s")

        assert (verdict.ruling is Ruling.BROKEN) == (min(times) > allowed)

    @pytest.mark.parametrize(
        ("schedule", "ruling"),
        [(Schedule.SERIAL, Ruling.BROKEN), (Schedule.PARALLEL, Ruling.KEPT)],
    )
    def test_device_memory_is_noisy_in_the_parallel_schedule_only(
        self, schedule: Schedule, ruling: Ruling
    ) -> None:
        """In the serial one, each repeat proves what is needed."""
        points = [
            replace(m, point=replace(m.point, schedule=schedule))
            for repeat, kib in enumerate((90, 100, 110))
            for m in [samples.measured(steps=8, kib_per_step=kib, repeat=repeat)]
        ]
        table = {"schedule": schedule.value, "repeats": 3, "backprop": f"{95 * 8}KiB"}

        assert only(points, replace(CONDITIONS, schedule=schedule), **table).ruling is ruling


class TestWhatIsNotKnown:
    """It is no pass."""

    def test_too_few_lengths_give_no_slope(self) -> None:
        """It says how many a law takes."""
        verdict = only(series()[:2], slope="1GiB/step")

        assert verdict.ruling is Ruling.UNKNOWN
        assert verdict.measured is None
        assert verdict.reason == "2 of 3 lengths: measure more"

    def test_a_metric_that_was_not_measured_is_not_known(self) -> None:
        """Nothing was."""
        assert only([], peak="1GiB").ruling is Ruling.UNKNOWN

    @pytest.mark.parametrize("table", [{"backprop": "1GiB"}, {"slope": "1GiB/step"}])
    def test_a_length_without_the_value_is_no_pass(self, table: dict[str, Any]) -> None:
        """The longest may be what breaks the limit."""
        points = series()
        points[-1] = replace(points[-1], device=None)
        verdict = only(points, CONDITIONS, **table)

        assert (verdict.ruling, verdict.measured) == (Ruling.UNKNOWN, None)
        assert verdict.reason == f"it was not measured at {STEPS[-1]} steps"

    def test_a_limit_that_is_broken_anyway_is_broken(self) -> None:
        """By the lengths whose values are known."""
        points = series()
        points[-1] = replace(points[-1], device=None)
        verdict = only(points, backprop="1MiB")

        assert (verdict.ruling, verdict.steps) == (Ruling.BROKEN, STEPS[-2])

    def test_growth_without_a_clear_law_is_not_known(self) -> None:
        """Memory that jumps by orders says nothing about one step."""
        kib = (1, 9000, 2, 1)
        points = [
            samples.measured(steps=n, kib_per_step=each / n)
            for n, each in zip(STEPS, kib, strict=True)
        ]
        verdict = only(points, slope="1GiB/step")

        assert verdict.ruling is Ruling.UNKNOWN
        assert verdict.reason is not None
        assert "no clear law" in verdict.reason

    @pytest.mark.parametrize(
        ("allowed", "ruling"), [("1MiB/step", Ruling.KEPT), ("1B/step", Ruling.UNKNOWN)]
    )
    def test_growth_by_no_law_is_at_most_all_of_the_difference(
        self, allowed: str, ruling: Ruling
    ) -> None:
        """Values that differ, and are shown as one constant, may grow by that."""
        values = [6512, 6516, 6520, 6760]
        points = [
            samples.measured(steps=n, kib_per_step=each / n)
            for n, each in zip(STEPS, values, strict=True)
        ]
        verdict = only(points, slope=allowed)

        assert verdict.ruling is ruling
        most = (values[-1] - values[0]) * 1024 / (STEPS[-1] - STEPS[0])
        assert verdict.measured == (pytest.approx(most) if ruling is Ruling.KEPT else None)

    @pytest.mark.parametrize(
        ("status", "ruling"),
        [(Status.OOM_DEVICE, Ruling.BROKEN), (Status.ERROR, Ruling.UNKNOWN)],
    )
    def test_a_failed_point_comes_first(self, status: Status, ruling: Ruling) -> None:
        """Memory that ran out breaks the budget; an error says nothing of it."""
        end = Outcome(status=status, reason="why")
        points = [*series()[:3], samples.failed(series()[3], end)]
        first, second = judge(budget(peak="1GiB"), CONDITIONS, samples.run(points))

        assert (first.budgeted, first.ruling, first.steps) == (None, ruling, STEPS[3])
        assert first.reason == f"{status.value}: why"
        assert second.ruling is Ruling.KEPT


class TestSurvival:
    """A budget of nothing but a capped memory asks for points to end well."""

    CAPPED = replace(CONDITIONS, limit_bytes=64 * MIB)

    def _points(self) -> list[Measurement]:
        return [
            replace(m, point=replace(m.point, limit_bytes=self.CAPPED.limit_bytes))
            for m in series()
        ]

    def test_it_is_kept_where_all_end_well(self) -> None:
        """With a verdict of its own, so that it shows."""
        verdict = only(self._points(), self.CAPPED, limit="64MiB")

        assert (verdict.ruling, verdict.budgeted, verdict.steps) == (Ruling.KEPT, None, STEPS[-1])

    def test_it_is_broken_where_memory_ran_out(self) -> None:
        """At that length."""
        points = self._points()
        points[-1] = samples.failed(points[-1])
        verdict = only(points, self.CAPPED, limit="64MiB")

        assert (verdict.ruling, verdict.steps) == (Ruling.BROKEN, STEPS[-1])

    def test_without_points_it_is_not_known(self) -> None:
        """Nothing that was not run has survived."""
        assert only([], self.CAPPED, limit="64MiB").ruling is Ruling.UNKNOWN


def test_two_budgets_on_one_scenario_have_different_labels() -> None:
    """By the parameters that they set, in every kind of verdict."""
    point = replace(samples.measured().point, parameters={"units": 256}, steps=STEPS[0])
    good = replace(samples.measured(), point=point)
    bad = replace(samples.failed(samples.measured()), point=point)
    asked = {"parameters": {"units": 256}, "steps": [STEPS[0]]}
    conditions = replace(point, steps=0)
    labels = [
        only([good], conditions, nodes=1, **asked).scenario,
        only([bad], conditions, limit="1MiB", **asked).scenario,
        only([good], conditions, limit="1MiB", **asked).scenario,
    ]

    assert labels == ["static_rnn units=256"] * 3
    assert only(series(), nodes=1).scenario == "static_rnn"
