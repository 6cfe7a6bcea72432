"""Two runs are compared point by point; what noise explains is no change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.comparison import Comparison, Mark, Row, Rule, compare, parse_rule
from profiler.errors import UsageError
from profiler.results import Measurement, Run, Schedule

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
    assert measurement.time is not None
    return replace(measurement, time=replace(measurement.time, step_s=step_s))


def row(comparison: Comparison, name: str) -> Row:
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

    @given(kib=st.integers(1, 10_000), more=st.integers(1, 10_000))
    def test_turning_a_comparison_round_turns_its_marks(self, *, kib: int, more: int) -> None:
        """Worse one way is better the other way."""
        less_run, more_run = run(series(kib=kib)), run(series(kib=kib + more))

        assert row(compare(less_run, more_run), "backprop").mark is Mark.WORSE
        assert row(compare(more_run, less_run), "backprop").mark is Mark.BETTER


class TestNoise:
    """Times and host memory differ from run to run."""

    def _compared(self, factor: float, repeats: int) -> Row:
        then = [timed(m, 0.01 + 0.0001 * m.point.repeat) for m in series(repeats=repeats)]
        now = [timed(m, factor * (0.01 + 0.0001 * m.point.repeat)) for m in series(repeats=repeats)]
        return row(compare(run(then), run(now)), "step_time")

    @pytest.mark.parametrize("repeats", [1, 2, 3])
    def test_too_few_repeats_tell_nothing(self, repeats: int) -> None:
        """Ten times slower is unclear all the same, and what it takes is said."""
        told = self._compared(10, repeats)

        assert told.mark is Mark.UNCLEAR
        assert "take --repeats 5" in (told.note or "")

    @pytest.mark.parametrize(("factor", "mark"), [(1.5, Mark.WORSE), (0.5, Mark.BETTER)])
    def test_five_that_all_lie_apart_are_a_change(self, factor: float, mark: Mark) -> None:
        """One order in 252 is likelier by chance."""
        told = self._compared(factor, 5)

        assert told.mark is mark
        assert told.change == pytest.approx(factor - 1)
        assert told.where == f"{len(STEPS)} lengths together"

    def test_five_that_overlap_are_noise(self) -> None:
        """The chance is told."""
        told = self._compared(1.001, 5)

        assert told.mark is Mark.UNCLEAR
        assert "within noise" in (told.note or "")

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

    def test_another_machine_is_said(self) -> None:
        """Its times mean nothing here."""
        other = replace(samples.ENVIRONMENT, cpu="B CPU", frameworks={"tensorflow": "9"})
        told = compare(run(series()), run(series(), environment=other))

        assert told.differences == (
            "processor: A CPU before, B CPU now",
            "frameworks: tensorflow 2.21.0 before, tensorflow 9 now",
        )

    @pytest.mark.parametrize(
        ("after", "mark"), [(90, Mark.WORSE), (100, Mark.EQUAL), (120, Mark.BETTER)]
    )
    def test_a_nearer_wall_is_worse(self, after: int, mark: Mark) -> None:
        """Of equal conditions only."""
        assert row(compare(wall_run(100), wall_run(after)), "wall").mark is mark

    def test_walls_under_other_limits_are_not_compared(self) -> None:
        """They are other walls."""
        told = compare(wall_run(100), wall_run(100, limit=128 * MIB))

        assert "wall" not in {one.name for one in told.rows}


class TestRules:
    """What may become worse, and by how much."""

    @pytest.mark.parametrize(
        ("text", "name", "share"), [("peak:5%", "peak", 0.05), (" slope : 0.5 % ", "slope", 0.005)]
    )
    def test_a_rule_is_read(self, text: str, name: str, share: float) -> None:
        """With or without spaces."""
        rule = parse_rule(text)

        assert rule.name == name
        assert rule.share == pytest.approx(share)

    @pytest.mark.parametrize("text", ["peak", "peak:5", "peak:-5%", ":5%", "peak:5%%", ""])
    def test_what_is_no_rule_is_refused(self, text: str) -> None:
        """The message shows one."""
        with pytest.raises(UsageError, match="peak:5%"):
            parse_rule(text)

    def test_an_unknown_metric_is_named(self) -> None:
        """And what was meant."""
        with pytest.raises(UsageError, match="did you mean 'peak'"):
            parse_rule("peek:5%")

    @given(share=st.floats(0, 2), grown=st.floats(0.001, 2))
    def test_a_rule_is_broken_by_more_than_it_allows(self, *, share: float, grown: float) -> None:
        """And by nothing else."""
        told = compare(run(series(kib=1000)), run(series(kib=1000 * (1 + grown))))
        found = row(told, "backprop")
        change = found.change or 0.0

        assert Rule(name="backprop", share=share).is_broken_by(found) == (change > share)
        assert Rule(name="all", share=share).is_broken_by(found) == (change > share)
        assert not Rule(name="nodes", share=0).is_broken_by(found)

    def test_better_breaks_nothing(self) -> None:
        """However much."""
        found = row(compare(run(series(kib=96)), run(series(kib=9))), "backprop")

        assert not Rule(name="backprop", share=0).is_broken_by(found)
