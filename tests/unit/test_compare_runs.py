"""Two runs are compared point by point; what noise explains is no change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.compare.comparison import ComparedNumber, Comparison, Mark, parse_rule
from profiler.analysis.compare.runs import compare
from profiler.errors import UsageError
from profiler.facts import Measurement, Outcome, Run, Schedule, Status, StepTime, replace

STEPS = (8, 16, 32, 64)
MIB = samples.MIB


def run(measurements: Sequence[Measurement], name: str = "a", **fields: Any) -> Run:
    """Return a run of these points."""
    return replace(samples.run(measurements), name=name, **fields)


def series(
    *, kib: float = 96, nodes: int = 17, scenario: str = "static_rnn", repeats: int = 1
) -> list[Measurement]:
    """Return a scenario with so many KiB and nodes per step."""
    return [
        samples.measured(scenario, n, kib_per_step=kib, per_step=nodes, repeat=repeat)
        for n in STEPS
        for repeat in range(repeats)
    ]


def timed(measurement: Measurement, step_s: float) -> Measurement:
    """Return the point with another steady step."""
    return replace(measurement, step=StepTime(median_s=step_s, steps=5))


def row(comparison: Comparison, name: str) -> ComparedNumber:
    """Return the only row of a metric."""
    (found,) = [row for row in comparison.rows if row.name == name]
    return found


def wall_run(last_ok: int, limit: int = 64 * MIB) -> Run:
    """Return a run with one wall."""
    wall = replace(samples.wall(last_ok=last_ok), limit_bytes=limit)
    return run([samples.measured()], walls=[wall])


class TestExactMetrics:
    """Counts and device memory repeat, so any difference is a change."""

    def test_equal_runs_have_nothing_but_equal_and_unclear_rows(self) -> None:
        """Times were measured once."""
        told = compare(run(series()), run(series(), "b"))

        assert {one.mark for one in told.rows} == {Mark.EQUAL, Mark.UNCLEAR}
        assert (told.before, told.after) == ("a", "b")

    def test_more_memory_per_step_is_worse_by_its_share(self) -> None:
        """A half more of it, at every length and in the law."""
        told = compare(run(series(kib=96)), run(series(kib=144)))

        assert row(told, "backprop").mark is Mark.WORSE
        assert row(told, "backprop").change == pytest.approx(0.5)
        assert row(told, "slope").change == pytest.approx(0.5)
        assert row(told, "slope").before == pytest.approx(96 * 1024)

    def test_fewer_nodes_are_better(self) -> None:
        """Seventeen a step became thirteen."""
        told = row(compare(run(series(nodes=17)), run(series(nodes=13))), "nodes_per_step")

        assert (told.before, told.after, told.mark) == (17, 13, Mark.BETTER)

    def test_the_length_that_changed_most_is_shown(self) -> None:
        """Here the only one that did."""
        now = series()
        now[1] = samples.measured(steps=STEPS[1], kib_per_step=200)
        told = row(compare(run(series()), run(now)), "backprop")

        assert told.where == f"{STEPS[1]} steps"
        assert told.mark is Mark.WORSE

    def test_a_larger_gain_elsewhere_hides_no_loss(self) -> None:
        """A third more at one length breaks its rule, beside a half less at another."""
        now = series()
        now[1] = samples.measured(steps=STEPS[1], kib_per_step=96 * 4 / 3)
        now[2] = samples.measured(steps=STEPS[2], kib_per_step=96 / 2)
        told = compare(run(series()), run(now))
        found = row(told, "backprop")

        assert (found.where, found.mark) == (f"{STEPS[1]} steps", Mark.WORSE)
        assert found.change == pytest.approx(1 / 3)
        assert [broken for broken, _ in told.breaches([parse_rule("backprop:5%")])] == [found]

    def test_one_byte_more_is_a_change(self) -> None:
        """Of 100 GiB, where the floats of a law are too coarse."""
        point = samples.measured()
        peaks = (100 * 1024 * MIB, 100 * 1024 * MIB + 1)
        assert point.device is not None
        runs = [run([replace(point, device=replace(point.device, peak_bytes=p))]) for p in peaks]

        assert row(compare(*runs), "peak").mark is Mark.WORSE
        assert row(compare(runs[0], runs[0]), "peak").mark is Mark.EQUAL

    @settings(max_examples=10)
    @given(kib=st.integers(1, 10_000), more=st.integers(1, 10_000))
    def test_turning_a_comparison_round_turns_its_marks(self, *, kib: int, more: int) -> None:
        """Worse one way is better the other way."""
        less_run, more_run = run(series(kib=kib)), run(series(kib=kib + more))

        assert row(compare(less_run, more_run), "backprop").mark is Mark.WORSE
        assert row(compare(more_run, less_run), "backprop").mark is Mark.BETTER


class TestNoise:
    """Times and host memory differ from run to run."""

    SCENARIOS = ("a", "b", "c", "d", "e", "f")

    def _compared(
        self, *, repeats: int = 3, machine: float = 1.0, **factors: float
    ) -> dict[str, ComparedNumber]:
        """Return the steady steps of six scenarios: all slower by one factor, some by another."""
        sides = []
        for number, side in enumerate((dict.fromkeys(self.SCENARIOS, 1.0), factors)):
            draw = np.random.default_rng(number)
            points = [m for name in self.SCENARIOS for m in series(scenario=name, repeats=repeats)]
            slower = (1.0, machine)[number]
            sides.append(
                run(
                    [
                        timed(
                            m,
                            0.01
                            * slower
                            * side.get(m.point.scenario, 1.0)
                            * math.exp(draw.normal(0, 0.01)),
                        )
                        for m in points
                    ]
                )
            )
        rows = compare(*sides).rows
        return {one.label: one for one in rows if one.name == "step_time"}

    @pytest.mark.parametrize(("factor", "mark"), [(1.5, Mark.WORSE), (0.5, Mark.BETTER)])
    @pytest.mark.parametrize("machine", [0.8, 1.0, 1.4])
    def test_one_that_moved_beside_the_others_changed(
        self, factor: float, mark: Mark, machine: float
    ) -> None:
        """However busy the machine was in the second run."""
        told = self._compared(machine=machine, b=factor)

        assert told["b"].mark is mark
        assert told["b"].own_change == pytest.approx(factor - 1, abs=0.05)
        assert told["b"].drift == pytest.approx(machine - 1, abs=0.02)
        assert "relative to the other scenarios" in (told["b"].note or "")
        assert {told[name].mark for name in "acdef"} == {Mark.UNCLEAR}
        assert told["b"].where == f"{len(STEPS)} lengths together"

    def test_a_busier_machine_is_no_change(self) -> None:
        """All are slower by the same share, and a rule on it is not broken."""
        told = self._compared(machine=1.5)

        assert {one.mark for one in told.values()} == {Mark.UNCLEAR}
        assert told["a"].change == pytest.approx(0.5, abs=0.05)
        assert "within noise, shows from ±" in (told["a"].note or "")

    def test_a_rule_counts_what_moved_beside_the_others(self) -> None:
        """Half slower on a machine that is a fifth slower: by a quarter of itself."""
        told = self._compared(machine=1.2, b=1.25)["b"]

        assert told.change == pytest.approx(0.5, abs=0.05)
        assert parse_rule("step_time:15%").is_broken_by(told)
        assert not parse_rule("step_time:35%").is_broken_by(told)

    def test_too_few_repeats_say_how_many_it_takes(self) -> None:
        """One at each of four lengths can be dealt in 16 ways only."""
        told = self._compared(repeats=1, b=9.0)["b"]

        assert told.mark is Mark.UNCLEAR
        assert "use --repeats 2 in both runs" in (told.note or "")

    def test_one_scenario_alone_cannot_be_told_from_the_machine(self) -> None:
        """Ten times slower may be the machine."""
        then = [timed(m, 0.01) for m in series(repeats=5)]
        now = [timed(m, 0.1) for m in series(repeats=5)]
        told = row(compare(run(then), run(now)), "step_time")

        assert told.mark is Mark.UNCLEAR
        assert "use 3 or more scenarios" in (told.note or "")

    def test_device_memory_is_noisy_in_the_parallel_schedule(self) -> None:
        """There equal points differ."""

        def parallel(points: list[Measurement]) -> list[Measurement]:
            return [replace(m, point=replace(m.point, schedule=Schedule.PARALLEL)) for m in points]

        told = compare(run(parallel(series())), run(parallel(series(kib=500))))

        assert row(told, "peak").mark is Mark.UNCLEAR


class TestWhatIsCompared:
    """Equal points only, and nothing is dropped in silence."""

    def test_nothing_in_common_is_refused(self) -> None:
        """Other steps are other points."""
        with pytest.raises(UsageError, match="no point in common"):
            compare(run([samples.measured(steps=8)]), run([samples.measured(steps=9)]))

    def test_what_one_run_alone_has_is_named(self) -> None:
        """By its label and its steps."""
        more = [*series(), samples.measured("dynamic_rnn", 8)]
        told = compare(run(series()), run(more))

        assert told.only_before == ()
        assert told.only_after == ("dynamic_rnn at 8 steps",)

    def test_a_scenario_may_move_to_another_file(self) -> None:
        """Its family is where it stands, not what it is."""
        moved = [samples.measured(steps=n, family="moved") for n in STEPS]

        assert row(compare(run(series()), run(moved)), "nodes").mark is Mark.EQUAL

    def test_points_whose_outcome_changed_are_rows(self) -> None:
        """With how they ended."""
        points = series()
        broken = [*points[:-1], samples.failed(points[-1])]
        fails = row(compare(run(points), run(broken)), "outcome")
        works = row(compare(run(broken), run(points)), "outcome")

        assert (fails.mark, works.mark) == (Mark.FAILS, Mark.WORKS)
        assert fails.where == f"{STEPS[-1]} steps"
        assert fails.note is not None
        assert fails.change is None

    @pytest.mark.parametrize("flaky", [True, False])
    def test_a_point_fails_now_if_any_repeat_of_it_does(self, *, flaky: bool) -> None:
        """One row a point; where a repeat failed before, too, nothing has changed."""
        points = series(repeats=3)
        broken = [*points[:-2], *map(samples.failed, points[-2:])]
        told = compare(run(broken if flaky else points), run(broken))
        marks = [one.mark for one in told.rows if one.name == "outcome"]

        assert marks == ([] if flaky else [Mark.FAILS])

    def test_a_point_that_was_skipped_was_not_measured(self) -> None:
        """It did not fail, and it is named as one that the other run alone has."""
        points = series()
        end = Outcome(status=Status.SKIPPED, reason="memory ran out before")
        skipped = Measurement(point=points[-1].point, outcome=end, seconds=0)
        told = compare(run(points), run([*points[:-1], skipped]))

        assert "outcome" not in {one.name for one in told.rows}
        assert told.only_before == (f"static_rnn at {STEPS[-1]} steps",)

    def test_another_machine_is_said(self) -> None:
        """Its times mean nothing here."""
        newer = replace(samples.FRAMEWORK, versions={"sampleflow": "9"})
        other = replace(samples.ENVIRONMENT, cpu="B CPU", frameworks={newer.name: newer})
        told = compare(run(series()), run(series(), environment=other))

        assert told.differences == (
            "processor: A CPU before, B CPU now",
            "sampleflow: sampleflow 2.21.0 before, sampleflow 9 now",
        )

    def test_walls_are_compared_under_equal_conditions_and_else_named(self) -> None:
        """A nearer one is worse; one under another limit is another one."""
        nearer = compare(wall_run(100), wall_run(90))
        other = compare(wall_run(100), wall_run(100, limit=128 * MIB))

        assert row(nearer, "wall").mark is Mark.WORSE
        assert "wall" not in {one.name for one in other.rows}
        assert other.only_before == other.only_after == ("device wall of static_rnn",)

    def test_runs_of_nothing_but_one_wall_have_it_in_common(self) -> None:
        """As ``stepwall wall`` leaves them."""
        walls = [samples.wall(last_ok=100)]
        told = compare(run([], walls=walls), run([], walls=walls))

        assert [(one.name, one.mark) for one in told.rows] == [("wall", Mark.EQUAL)]

    def test_a_metric_that_one_run_alone_has_is_named(self) -> None:
        """Not dropped because the other run could not measure it."""
        blind = [
            replace(m, phases=[replace(phase, host_peak_bytes=None) for phase in m.phases])
            for m in series()
        ]
        told = compare(run(series()), run(blind))

        assert told.only_before == ("host memory of static_rnn",)
        assert "host" not in {one.name for one in told.rows}
