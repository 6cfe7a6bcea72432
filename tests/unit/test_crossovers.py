"""Crossovers: which build needs least of one metric, by clear laws, else as measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import report_samples as samples

from profiler.analysis.crossover.crossovers import crossover
from profiler.analysis.crossover.zones import Zone
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.series import MetricSeries
from profiler.facts import Point, Schedule

LENGTHS = (8, 16, 32, 64, 128, 256)


def _least(found: Sequence[Zone], steps: int) -> tuple[str, ...]:
    return next(zone.least for zone in found if zone.first <= steps <= zone.last)


def _series(
    label: str,
    value: Callable[[int], float],
    *,
    metric: str = "nodes",
    lengths: Sequence[int] = LENGTHS,
    schedule: Schedule = Schedule.SERIAL,
) -> MetricSeries:
    return MetricSeries(
        label=label,
        conditions=Point(
            framework="sampleflow",
            scenario=label,
            family="builds",
            parameters={},
            steps=0,
            schedule=schedule,
        ),
        metric=BY_NAME[metric],
        points=tuple((n, value(n)) for n in lengths),
        caveats=tuple(one for one in samples.FRAMEWORK.caveats if one.metric == metric),
    )


def _wiggling(
    label: str, a: float, b: float, *, share: float, metric: str = "step_time"
) -> MetricSeries:
    signs = dict(zip(LENGTHS, [1, -1, -1, 1, 1, -1], strict=True))
    return _series(label, lambda n: (a + b * n) * (1 + signs[n] * share), metric=metric)


class TestCrossover:
    """By laws where they are clear, else as measured; with what is missing."""

    def test_counts_are_predicted_below_and_beyond(self) -> None:
        """46 + 17 T meets 135 after 5 steps, long before the shortest length."""
        found = crossover(
            [_series("static", lambda n: 46 + 17 * n), _series("loop", lambda _: 135)]
        )

        assert found.measured == (8, 256)
        assert (found.missing_laws, found.not_predicted, found.is_known) == ((), None, True)
        assert [(z.first, z.last, *z.least) for z in found.zones] == [
            (1, 5, "static"),
            (6, 7, "loop"),
            (8, 256, "loop"),
            (257, 8 * 256, "loop"),
        ]

    def test_times_cross_within_noise(self) -> None:
        """10 + T and 110 + T/5 meet at 125 steps; both sides of it are known."""
        found = crossover(
            [
                _wiggling("unrolled", 10, 1, share=0.003),
                _wiggling("loop", 110, 0.2, share=0.003),
            ]
        )
        told = [z.least for z in found.zones if not z.predicted]

        assert told == [("unrolled",), (), ("loop",)]
        assert _least(found.zones, 125) == ()

    def test_the_first_step_is_never_continued(self) -> None:
        """It is known where it was measured; outside there is a reason instead."""
        found = crossover(
            [
                _wiggling("one", 10, 1, share=0.001, metric="first_step_time"),
                _wiggling("two", 100, 9, share=0.001, metric="first_step_time"),
            ]
        )

        assert found.not_predicted is not None
        assert [z.least for z in found.zones if z.predicted] == [(), ()]
        assert _least(found.zones, 100) == ("one",)

    def test_who_cannot_be_continued_is_named_alone(self) -> None:
        """A late jump, of which one length is seen before and two after, is not continued."""
        bent = _series("bent", lambda n: n + (10_000 if n > 50 else 0))
        found = crossover([_series("straight", lambda n: 9 * n), bent])

        assert (found.not_predicted or "").startswith("bent: ")
        assert "straight" not in (found.not_predicted or "")

    def test_one_reason_of_several_builds_is_given_once(self) -> None:
        """With their number: each by its name would be too long."""
        bent = [_series(name, lambda n: n + (10_000 if n > 50 else 0)) for name in ("one", "two")]
        straight = _series("straight", lambda n: 9 * n)
        told = crossover([*bent, straight]).not_predicted or ""

        assert told.startswith("2 builds: its interval is as wide as")
        assert told.count("its interval") == 1

    def test_without_laws_measured_values_are_compared(self) -> None:
        """A noise-free metric needs no law at the lengths that were measured."""
        bends = [5, 400, 1, 900, 2, 800]
        wild = _series("wild", lambda n: bends[LENGTHS.index(n)] * 1e6, metric="peak")
        found = crossover([wild, _series("calm", lambda _: 3e6, metric="peak")])

        assert found.zones == ()
        assert [(missing.label, missing.options) for missing in found.missing_laws] == [
            ("wild", "--steps")
        ]
        assert found.by_length == tuple(
            Zone(first=n, last=n, least=("wild",) if bend < 3 else ("calm",))
            for n, bend in zip(LENGTHS, bends, strict=True)
        )

    @pytest.mark.parametrize("schedule", Schedule)
    def test_what_is_noise_depends_on_the_schedule(self, schedule: Schedule) -> None:
        """Peaks repeat in the serial schedule: more lengths help, and repeats do not."""
        bends = [5, 400, 1, 900, 2, 800]
        found = crossover(
            [
                _series(
                    name, lambda n: bends[LENGTHS.index(n)] * 1e6, metric="peak", schedule=schedule
                )
                for name in ("a", "b")
            ]
        )
        is_noisy = schedule is Schedule.PARALLEL

        assert found.is_noisy is is_noisy
        assert {missing.options for missing in found.missing_laws} == {
            "--repeats 3" if is_noisy else "--steps"
        }

    def test_what_was_measured_is_never_contradicted(self) -> None:
        """One of 20 peaks lies below the other build's, and its law 200 above: no law is taken."""
        lengths = range(10, 210, 10)
        low = _series("low", lambda n: 1000 + 10 * n, metric="peak", lengths=lengths)
        odd = _series(
            "odd",
            lambda n: 1000 + 10 * n + (200 if n != 100 else -1),
            metric="peak",
            lengths=lengths,
        )
        found = crossover([low, odd])

        assert found.zones == ()
        assert {missing.reason for missing in found.missing_laws} == {
            "measured values contradict it"
        }
        assert [zone.first for zone in found.by_length if zone.least == ("odd",)] == [100]

    def test_a_curve_that_all_lengths_prove_wins_further_on(self) -> None:
        """The shorter half alone shows no curve: it is off by more than what the other costs."""
        curve = _series("curve", lambda n: n + n * n / 1500)
        higher = _series("higher", lambda n: (n + n * n / 1500) * 1.1)
        found = crossover([curve, higher])

        assert (curve.holdout_error or 0) > 0.1
        assert found.not_predicted is None
        assert _least(found.zones, 256) == _least(found.zones, 2048) == ("curve",)

    def test_repeats_that_were_not_enough_are_doubled(self) -> None:
        """Three repeats of pure noise ask for six."""
        noise = [1.0, 50.0, 3.0]
        points = tuple((n, noise[k]) for n in LENGTHS for k in range(3))
        calm = _wiggling("calm", 1, 1, share=0.001)
        noisy = MetricSeries(
            label="noisy", conditions=calm.conditions, metric=calm.metric, points=points
        )

        assert [missing.options for missing in crossover([calm, noisy]).missing_laws] == [
            "--repeats 6"
        ]

    def test_where_laws_are_too_close_measured_values_are_compared(self) -> None:
        """Peaks in a zigzag of 10 %, one 1 % above the other: close laws, sure numbers."""
        found = crossover(
            [
                _wiggling("low", 1000, 10, share=0.1, metric="peak"),
                _wiggling("high", 1010, 10.1, share=0.1, metric="peak"),
            ]
        )

        assert (found.missing_laws, found.is_by_law, found.is_known) == ((), False, True)
        assert {zone.least for zone in found.by_length} == {("low",)}

    def test_too_few_lengths_say_how_many(self) -> None:
        """Two of three; measured values are compared all the same."""
        found = crossover([_series(name, float, lengths=(8, 16)) for name in ("a", "b")])

        assert {missing.reason for missing in found.missing_laws} == {"2 of 3 lengths"}
        assert [zone.least for zone in found.by_length] == [("a", "b")] * 2

    def test_no_common_length_is_no_crossover(self) -> None:
        """Who was never measured beside the others is not compared by laws alone."""
        found = crossover(
            [_series("a", float), _series("b", float, lengths=(300, 400, 500, 600, 700))]
        )

        assert (found.measured, found.zones, found.is_known) == (None, (), False)
