"""A law is extrapolated where its hold-out error is small; else there is a reason."""

from __future__ import annotations

import dataclasses

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.prediction import (
    ScenarioPrediction,
    predicted_value,
    predicted_values,
    short_lengths,
    wall_by_law,
)
from profiler.analysis.series import MetricSeries
from profiler.facts import Point, replace

LENGTHS = (8, 16, 32, 64, 128, 256)
SETTLED = (64, 96, 128, 192, 256)
FAR = 2048
KIB = 1024
CONDITIONS = replace(samples.measured().point, steps=0)


def series(
    metric: str, numbers: tuple[float, ...], lengths: tuple[int, ...] = LENGTHS
) -> MetricSeries:
    """Return a series of these values."""
    points = tuple(zip(lengths, numbers, strict=True))
    return MetricSeries(
        label="a",
        conditions=CONDITIONS,
        metric=BY_NAME[metric],
        points=points,
        caveats=tuple(one for one in samples.FRAMEWORK.caveats if one.metric == metric),
    )


def line(metric: str, start: float, slope: float) -> MetricSeries:
    """Return a series that is a line."""
    return series(metric, tuple(start + slope * steps for steps in LENGTHS))


few_examples = settings(max_examples=20)  # each fits several laws


class TestAValue:
    """One metric at a length that was not run."""

    @few_examples
    @given(start=st.integers(0, 1000), slope=st.integers(0, 1000))
    def test_nodes_are_exact(self, *, start: int, slope: int) -> None:
        """Whole numbers that follow a law follow it further on."""
        predicted = predicted_value(line("nodes", start, slope), FAR)

        assert predicted.value == predicted.low == predicted.high == start + slope * FAR
        assert predicted.reason is None

    @few_examples
    @given(start=st.floats(1e3, 1e6), slope=st.floats(1e3, 1e6))
    def test_memory_has_an_interval_that_is_never_narrower_than_it_can_be(
        self, *, start: float, slope: float
    ) -> None:
        """A perfect line over a few lengths is no proof to the byte."""
        predicted = predicted_value(line("peak", start, slope), FAR, from_short_runs=True)
        expected = start + slope * FAR

        assert predicted.value == pytest.approx(expected)
        assert predicted.low is not None
        assert predicted.high is not None
        assert predicted.low <= expected * 0.9981
        assert predicted.high >= expected * 1.0019

    @pytest.mark.parametrize("metric", ["backprop", "peak", "host"])
    def test_memory_is_extrapolated_from_short_runs_only(self, metric: str) -> None:
        """Short graphs hold constants that long ones do not; within the lengths all is well."""
        memory = line(metric, 0, 100)
        beyond, within = (predicted_value(memory, steps) for steps in (257, 200))

        assert beyond.value is None
        assert "stepwall predict" in (beyond.reason or "")
        assert within.value == pytest.approx(200 * 100)
        assert predicted_value(memory, 257, from_short_runs=True).value == pytest.approx(257 * 100)

    def test_within_its_lengths_a_law_need_only_be_clear(self) -> None:
        """First steps, memory, and too few lengths for a hold-out error: all lie between points."""
        lengths = LENGTHS[:4]
        predicted = [
            predicted_value(series(metric, tuple(2.0 * n for n in lengths), lengths), 50)
            for metric in ("first_step_time", "host", "step_time")
        ]

        assert [one.value for one in predicted] == [pytest.approx(100)] * 3
        assert all(one.holdout_error is None for one in predicted)

    def test_a_law_with_a_late_jump_is_not_extrapolated(self) -> None:
        """The longer half lies at twice what the shorter one says: a wrong number is worse."""
        numbers = (8.0, 16.0, 32.0, 128.0, 256.0, 512.0)
        predicted = predicted_value(series("host", numbers), FAR, from_short_runs=True)

        assert (predicted.holdout_error or 0) > 0.3
        assert predicted.value is None
        assert "its interval" in (predicted.reason or "")

    @few_examples
    @given(
        start=st.floats(0, 10),
        slope=st.floats(1e-4, 1),
        bend=st.floats(0, 1e-3),
        disturbed=st.sampled_from(LENGTHS),
    )
    def test_a_time_without_a_law_is_told_as_at_least(
        self, *, start: float, slope: float, bend: float, disturbed: int
    ) -> None:
        """Never more than a curve that bends upwards, even where one length was disturbed."""

        def seconds(steps: int) -> float:
            return start + slope * steps + bend * steps**2

        values = tuple(seconds(n) * (5 if n == disturbed else 1) for n in LENGTHS)
        predicted = predicted_value(series("first_step_time", values), FAR)

        assert predicted.value is None
        assert predicted.at_least is not None
        assert seconds(LENGTHS[-2]) * 0.999 <= predicted.at_least <= seconds(FAR) * 1.001

    def test_what_is_told_needs_no_least(self) -> None:
        """Nor do other metrics, measured lengths, and two lengths alone."""
        least = [
            predicted_value(series("first_step_time", (1.0, 2.0), (8, 16)), FAR).at_least,
            predicted_value(line("step_time", 0.0, 1.0), FAR).at_least,
            predicted_value(line("first_step_time", 0.0, 1.0), LENGTHS[-1]).at_least,
            predicted_value(line("peak", 0.0, 1.0), FAR).at_least,
        ]

        assert least == [None] * 4

    @pytest.mark.parametrize("bend", [0.1, 1.0, 10.0])
    def test_a_curve_that_the_points_prove_is_extrapolated(self, bend: float) -> None:
        """Its shorter half shows no curve, so its hold-out error is large; all lengths do."""
        noise = (1, -1, -1, 1, 1, -1)
        numbers = tuple(
            (n + bend * n * n / 256) * (1 + sign / 10_000)
            for n, sign in zip(LENGTHS, noise, strict=True)
        )
        predicted = predicted_value(series("step_time", numbers), FAR)
        real = FAR + bend * FAR * FAR / 256

        assert predicted.law is not None
        assert predicted.law.kind == "quadratic"
        assert predicted.low is not None
        assert predicted.high is not None
        assert predicted.low <= real <= predicted.high
        assert predicted.high - predicted.low < 0.2 * real

    def test_too_few_lengths_say_what_to_add(self) -> None:
        """Two have no law; four have one that cannot be checked."""
        two = predicted_value(series("peak", (1.0, 2.0), (8, 16)), FAR)
        four = predicted_value(series("peak", (1.0, 2.0, 4.0, 8.0), (8, 16, 32, 64)), FAR)

        assert (two.value, two.law, two.reason) == (
            None,
            None,
            "2 of 3 lengths: profile it with more --steps",
        )
        assert four.value is None
        assert four.reason == "4 of 5 lengths: profile it with more --steps"

    def test_noise_without_a_law_is_not_extrapolated(self) -> None:
        """A constant that is off by its own size says nothing."""
        predicted = predicted_value(series("step_time", (1.0, 9.0, 1.0, 9.0, 1.0, 9.0)), FAR)

        assert predicted.value is None
        assert "--repeats" in (predicted.reason or "")

    def test_what_noise_may_hide_counts_for_more_further_on(self) -> None:
        """The longest value is a hundredth below the line: a jump, or the start of a bend."""
        numbers = (64.0, 96.0, 128.0, 192.0, 256.0 / 1.01)
        slope = (256 / 1.01 - 192) / (256 - 192)
        predicted = predicted_value(series("step_time", numbers, SETTLED), FAR)

        assert predicted.low is not None
        assert predicted.high is not None
        assert predicted.low <= 192 + slope * (FAR - 192)
        assert predicted.high >= FAR - 256 * (1 - 1 / 1.01)

    def test_a_constant_that_may_hide_a_slope_is_not_extrapolated(self) -> None:
        """A tenth of noise over these lengths may be a slope that eight times further is all."""
        numbers = (100.0, 108.0, 96.0, 104.0, 110.0)
        hidden = predicted_value(series("build_time", numbers, SETTLED), FAR)
        flat = predicted_value(series("build_time", (100.0,) * 5, SETTLED), FAR)

        assert hidden.law is not None
        assert hidden.law.kind == "constant"
        assert hidden.value is None
        assert "interval" in (hidden.reason or "")
        assert flat.value == pytest.approx(100)

    def test_a_constant_count_over_four_lengths_is_a_law(self) -> None:
        """Four lengths prove one number: nothing is too few."""
        predicted = predicted_value(series("nodes", (135.0,) * 4, LENGTHS[:4]), FAR)

        assert (predicted.value, predicted.is_exact, predicted.reason) == (135, True, None)

    @pytest.mark.parametrize("block", [2, 4, 8])
    def test_a_count_in_blocks_is_exact_at_whole_blocks_only(self, block: int) -> None:
        """All lengths are multiples of 8, where blocks of steps look like a line."""

        def nodes(steps: int) -> float:
            return 40 + 3 * steps + 20 * block * (steps // block)

        counts = series("nodes", tuple(nodes(n) for n in LENGTHS))
        between = predicted_value(counts, FAR + 3)

        assert predicted_value(counts, FAR).is_exact
        assert predicted_value(counts, FAR).value == nodes(FAR)
        assert not between.is_exact
        assert (between.low or 0) <= nodes(FAR + 3) <= (between.high or 0)

    def test_a_count_that_jumped_may_jump_again(self) -> None:
        """100 nodes more from 50 on, and so every 50: one jump lies within the lengths."""
        lengths = tuple(range(10, 100, 10))
        counts = series("nodes", tuple(10.0 * n + 100 * (n // 50) for n in lengths), lengths)
        predicted = predicted_value(counts, 180)

        assert predicted.law is not None
        assert (predicted.law.kind, predicted.law.exact) == ("jump", True)
        assert not predicted.is_exact
        assert (predicted.high or 0) >= 10 * 180 + 100 * 3

    def test_repeats_that_must_be_equal_prove_nothing(self) -> None:
        """Peaks of the serial schedule: measured five times they say what one says."""
        numbers = tuple(
            100.0 * n + bend for n, bend in zip(LENGTHS, (3, -2, 1, 4, -3, 2), strict=True)
        )
        once = series("peak", numbers)
        often = dataclasses.replace(
            once, points=tuple(point for point in once.points for _ in range(5))
        )
        one, other = (predicted_value(found, FAR, from_short_runs=True) for found in (once, often))

        assert one.value is not None
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)

    def test_first_steps_are_never_predicted(self) -> None:
        """Graph optimizers take more time per step, the longer the graph."""
        predicted = predicted_value(line("first_step_time", 1.0, 1.0), FAR)

        assert predicted.value is None
        assert "SampleFlow's optimizer" in (predicted.reason or "")

    def test_a_curve_that_turns_round_is_not_extrapolated(self) -> None:
        """It rises up to the longest length and falls beyond: growth that levels off looks so."""
        times = series("step_time", tuple(512.0 * n - n * n for n in LENGTHS))
        beyond, within = (predicted_value(times, steps) for steps in (400, 200))

        assert beyond.value is None
        assert "turns around" in (beyond.reason or "")
        assert within.value == pytest.approx(512 * 200 - 200 * 200)

    def test_a_law_that_falls_below_zero_is_not_extrapolated(self) -> None:
        """No memory is negative."""
        predicted = predicted_value(series("step_time", tuple(1000.0 - n for n in LENGTHS)), FAR)

        assert predicted.value is None
        assert "below zero" in (predicted.reason or "")


def test_short_runs_come_first() -> None:
    """The other metrics are extrapolated from the measured points."""
    ordinary = [line("nodes", 46, 17), line("peak", 0, 100)]
    nodes, peak = predicted_values(ordinary, [line("peak", 0, 90)], FAR)

    assert (nodes.from_short_runs, peak.from_short_runs) == (False, True)
    assert nodes.value == 46 + 17 * FAR
    assert peak.value == pytest.approx(90 * FAR)


class TestShortLengths:
    """The lengths of short runs."""

    @given(steps=st.integers(1, 10**9))
    def test_they_are_small(self, *, steps: int) -> None:
        """Never longer than half of what is asked, nor than 256; ascending, each once."""
        lengths = short_lengths(steps)

        assert lengths == sorted(set(lengths))
        assert lengths[0] >= 1
        assert lengths[-1] <= max(1, min(256, steps // 2))

    @pytest.mark.parametrize(("steps", "longest"), [(2048, 256), (10**6, 256), (800, 128)])
    def test_they_are_five_where_there_is_room(self, steps: int, longest: int) -> None:
        """A quarter of the longest at least, so that loops have settled."""
        assert short_lengths(steps) == [longest * share // 8 for share in (2, 3, 4, 6, 8)]


class TestAWallByLaw:
    """The fallback where allocations show no pattern."""

    @few_examples
    @given(slope=st.integers(1, 1000), edge=st.integers(1, 10**6))
    def test_it_is_where_the_line_meets_the_limit(self, *, slope: int, edge: int) -> None:
        """The closed form: the limit over the slope, within a hair's breadth of floats."""
        peak = line("peak", 0, slope * KIB)
        limit = slope * KIB * edge + slope * KIB // 2
        wall = wall_by_law(peak, limit_bytes=limit, max_steps=10**9)

        assert wall is not None
        assert wall.steps == edge
        assert wall.low < edge < wall.high
        assert wall.is_line
        assert wall.learned_from == list(LENGTHS)

    def test_it_ends_at_the_largest_steps_allowed(self) -> None:
        """Nothing beyond is looked at."""
        wall = wall_by_law(line("peak", 0, 1), limit_bytes=10**9, max_steps=500)

        assert wall is not None
        assert wall.steps == 500

    @pytest.mark.parametrize(
        "peak",
        [
            line("peak", 1000, 0),
            line("peak", 10**6, 1),
            series("peak", (1.0, 9.0, 1.0, 9.0, 1.0, 9.0)),
            series("peak", (8.2, 15.7, 32.5, 63.1, 129.0, 254.0)),
            series("peak", (1.0, 2.0), (8, 16)),
        ],
        ids=["constant", "over at once", "noise", "not sure so far", "too few"],
    )
    def test_without_a_growing_law_there_is_no_wall(self, peak: MetricSeries) -> None:
        """No growth, no room, no law."""
        assert wall_by_law(peak, limit_bytes=5000, max_steps=10**9) is None


@pytest.mark.parametrize(("steps", "was"), [(256, True), (257, False), (None, False)])
def test_a_length_that_was_measured_is_known_to_be(steps: int | None, was: bool) -> None:  # noqa: FBT001
    """Then the run has the real numbers."""
    predicted = ScenarioPrediction(
        conditions=Point(framework="sampleflow", scenario="a", family="f", parameters={}, steps=0),
        run="r",
        measured_to=256,
        limit_bytes=None,
        wall=None,
        steps=steps,
        values=tuple(predicted_values([line("nodes", 1, 1)], [], steps)) if steps else (),
        cards=(),
    )

    assert predicted.was_measured is was
