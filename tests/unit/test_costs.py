"""Costs: what each build costs at one length, and which none other surely beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.crossover.costs import BuildCost, Cost, build_costs, common_length, cost_at
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.series import MetricSeries
from profiler.facts import Point, replace

LENGTHS = (8, 16, 32, 64, 128, 256)


def _series(
    label: str, metric: str, values: Mapping[int, Sequence[float]], **parameters: int
) -> MetricSeries:
    return MetricSeries(
        label=label,
        conditions=Point(
            framework="sampleflow",
            scenario=label,
            family="builds",
            parameters={**parameters},
            steps=0,
        ),
        metric=BY_NAME[metric],
        points=tuple((n, value) for n, several in values.items() for value in several),
    )


def _line(label: str, metric: str, per_step: float) -> MetricSeries:
    """Return a series of one repeat that follows a line but for a thousandth."""
    signs = dict(zip(LENGTHS, [1, -1, -1, 1, 1, -1], strict=True))
    return _series(label, metric, {n: [per_step * n * (1 + signs[n] / 1000)] for n in LENGTHS})


def _at_8(label: str, times: Sequence[float], peak: float) -> list[MetricSeries]:
    """Return a build that was measured at 8 steps only."""
    return [
        _series(label, "step_time", {8: times}),
        _series(label, "peak", {8: [peak]}),
    ]


def _verdicts(*builds: Sequence[MetricSeries]) -> dict[str, bool | None]:
    found = build_costs([series for build in builds for series in build], steps=8)
    return {one.label: one.is_optimal for one in found}


class TestCost:
    """One metric at one length."""

    def test_three_repeats_show_the_noise(self) -> None:
        """The median, between the least and the most."""
        read = cost_at(_series("a", "step_time", {8: [3.0, 1.0, 2.0]}), 8)

        assert (read.value, read.low, read.high) == (2, 1, 3)
        assert (read.measured, read.reason, read.is_predicted) == ((1, 2, 3), None, False)

    @pytest.mark.parametrize("repeats", [1, 2])
    def test_fewer_do_not(self, repeats: int) -> None:
        """The value is given, and what it takes to know its noise."""
        read = cost_at(_series("a", "step_time", {8: [2.0] * repeats}), 8)

        assert (read.value, read.low, read.high) == (2, None, None)
        assert "--repeats 3" in (read.reason or "")

    def test_a_disturbed_series_is_noisy_though_its_repeats_agree(self) -> None:
        """Ten times as slow at one length, three times: another program ran meanwhile."""
        calm = {n: [n * (1 + share / 1000) for share in (-1, 0, 1)] for n in LENGTHS}
        disturbed = {**calm, 64: [10 * value for value in calm[64]]}
        slow = cost_at(_series("a", "step_time", disturbed), 64)
        fast = cost_at(_series("b", "step_time", calm), 64)

        assert min(slow.measured) > 9 * max(fast.measured)
        assert not fast.is_below(slow)

    def test_a_clear_law_shows_the_noise_of_one_repeat(self) -> None:
        """Its interval, widened to what was measured."""
        series = _line("a", "step_time", 1.0)
        read = cost_at(series, 64)

        assert read.value == 64 * 1.001
        assert read.low is not None
        assert read.high is not None
        assert read.low < 64 * 0.999 < 64 * 1.001 <= read.high

    def test_what_does_not_vary_has_no_noise(self) -> None:
        """A peak in the serial schedule is what it is."""
        read = cost_at(_series("a", "peak", {8: [4096.0]}), 8)

        assert (read.value, read.low, read.high) == (4096, 4096, 4096)

    @pytest.mark.parametrize("steps", [100, 512])
    def test_what_was_not_measured_is_the_laws(self, steps: int) -> None:
        """Between the lengths and beyond them, and marked."""
        read = cost_at(_line("a", "step_time", 2.0), steps)

        assert read.is_predicted
        assert read.value == pytest.approx(2 * steps, rel=0.002)
        assert (read.low or 0) < (read.value or 0) < (read.high or 0)

    @pytest.mark.parametrize("steps", [100, 512])
    def test_no_law_is_a_reason(self, steps: int) -> None:
        """And no number."""
        bends = dict(zip(LENGTHS, [5, 400, 1, 900, 2, 800], strict=True))
        read = cost_at(_series("a", "peak", {n: [v] for n, v in bends.items()}), steps)

        assert (read.value, read.is_predicted) == (None, False)
        assert read.reason


class TestOptimal:
    """Step time against device peak."""

    def test_who_is_worse_in_both_is_beaten(self) -> None:
        """By more than noise."""
        assert _verdicts(_at_8("a", [1, 1.1, 1.2], 10), _at_8("b", [2, 2.1, 2.2], 20)) == {
            "a": True,
            "b": False,
        }

    def test_a_trade_is_two_choices(self) -> None:
        """Faster, or smaller."""
        assert _verdicts(_at_8("a", [1, 1.1, 1.2], 20), _at_8("b", [2, 2.1, 2.2], 10)) == {
            "a": True,
            "b": True,
        }

    def test_noise_is_no_verdict(self) -> None:
        """Larger, and perhaps faster: it may be worth choosing, or it may not."""
        assert _verdicts(_at_8("a", [1, 1.1, 1.2], 10), _at_8("b", [0.9, 1.05, 1.1], 20)) == {
            "a": True,
            "b": None,
        }

    def test_equals_are_both_worth_choosing(self) -> None:
        """Neither is better in anything."""
        same = [1.0, 1.0, 1.0]

        assert _verdicts(_at_8("a", same, 10), _at_8("b", same, 10)) == {"a": True, "b": True}

    def test_unknown_noise_is_no_verdict(self) -> None:
        """One repeat may be lucky; but who is smallest is beaten by nobody."""
        assert _verdicts(_at_8("small", [5.0], 10), _at_8("fast", [1.0], 20)) == {
            "small": True,
            "fast": None,
        }

    def test_a_build_without_a_time_is_not_judged(self) -> None:
        """Nor is it known what it beats."""
        untimed = [_series("untimed", "peak", {8: [10.0]})]

        assert _verdicts(untimed, _at_8("timed", [1, 1, 1], 20)) == {
            "untimed": True,
            "timed": None,
        }

    @given(places=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8))
    def test_without_noise_it_is_paretos(self, places: list[tuple[int, int]]) -> None:
        """Against the definition: nobody is better in one and no worse in the other."""
        builds = [_at_8(f"build{at}", [time] * 3, peak) for at, (time, peak) in enumerate(places)]
        expected = [
            not any((u <= t and v <= p) and (u, v) != (t, p) for u, v in places) for t, p in places
        ]

        assert list(_verdicts(*builds).values()) == expected

    @settings(max_examples=40)
    @given(
        builds=st.lists(
            st.tuples(
                st.lists(st.integers(1, 30), min_size=3, max_size=3),
                st.integers(1, 30),
            ),
            min_size=1,
            max_size=7,
        )
    )
    def test_noise_never_rules_out_everybody(self, builds: list[tuple[list[int], int]]) -> None:
        """Nor does it rule out who is best by the medians alone."""
        verdicts = _verdicts(*(_at_8(f"build{at}", *one) for at, one in enumerate(builds)))
        medians = [(sorted(times)[1], peak) for times, peak in builds]
        best = min(range(len(builds)), key=medians.__getitem__)

        assert verdicts[f"build{best}"] is not False


def test_costs_hold_the_walls_of_their_own_conditions() -> None:
    """A wall of other parameters is another build's."""
    mine = samples.wall("a")
    other = replace(mine, parameters={"batch": 1, "units": 128})
    series = _series("a", "peak", {8: [1.0]}, batch=32, units=128)
    (found,) = build_costs([series], [mine, other, samples.wall("b")], steps=8)

    assert isinstance(found, BuildCost)
    assert found.walls == (mine,)


def test_the_common_length_is_the_largest_of_all() -> None:
    """None where there is none."""
    one, two = _series("a", "peak", {8: [1], 16: [1]}), _series("b", "peak", {8: [1], 32: [1]})

    assert common_length([one, two]) == 8
    assert common_length([one, _series("c", "peak", {64: [1]})]) is None
    assert common_length([]) is None


def test_a_cost_without_noise_is_below_nothing() -> None:
    """What is not known proves nothing."""
    vague, sure = Cost(value=1, low=None, high=None), Cost(value=5, low=5, high=5)

    assert not vague.is_below(sure)
    assert not sure.is_below(vague)
