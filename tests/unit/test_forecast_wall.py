"""The wall of a training step of known memory is predicted where it is, from small steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from profiler.facts import Caveat, CaveatEffect, Island, PeakPrediction, WallPrediction
from profiler.forecast.demand import APART
from profiler.forecast.ladder import FixedTarget, Ladder
from profiler.forecast.learning import Learner
from profiler.forecast.recordings import Recordings, TraceSource, far_steps
from profiler.forecast.replayed import Forecasts
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import Unrolling
from profiler.frameworks.allocators.bfc import BestFitCoalescing
from profiler.frameworks.allocators.caching import CachingAllocator
from profiler.lengths import ANY, Lengths

COUNTED = False  # see counted.py

CHUNK = 256
MIB = 1 << 20
FIRST = (8, 10)  # steps that are always recorded
SHARE = 2  # of what is predicted: there a continued trace is checked
CHECKED = 16  # steps at which the first ones are checked
NEAREST = 24  # the first wall that is predicted, where the check takes no more than two thirds
LADDER = (8, 10, 16, 20, 24, 40, 104, 106, 160, 240, 320)
MAX_STEPS = 100_000
FOLDED = "__folded__"
MOST_FOLDED = 1000 * CHUNK


def step(steps: int, per_step: int, *once: tuple[str, int]) -> Trace:
    """Return a trace that holds some tensors at once, and one more for every time step."""
    labels = [label for label, _ in once] + [f"step_{t}" for t in range(steps)]
    sizes = [size for _, size in once] + [per_step] * steps
    held = range(len(labels))
    events = [*zip(held, sizes, strict=True), *((number, 0) for number in held)]
    return Trace(labels=labels, events=events)


@dataclass(kw_only=True)
class Recorded:
    """A source that remembers what was recorded: steps, and the bytes that may be folded."""

    trace: Callable[[int, int], Trace]
    most_computed: int = 0
    asked: list[tuple[int, int | None]] = field(default_factory=list)

    def record(self, steps: int, folded_bytes: int | None) -> Trace:
        """Run one training step."""
        self.asked.append((steps, folded_bytes))
        return self.trace(steps, MOST_FOLDED if folded_bytes is None else folded_bytes)

    def predict(self, limit_bytes: int, max_steps: int = MAX_STEPS) -> WallPrediction | None:
        """Predict the wall."""
        (wall,) = self.predict_all([limit_bytes], max_steps)
        return None if isinstance(wall, str) else wall

    def peak(self, steps: int) -> PeakPrediction | str:
        """Predict the peak."""
        return Forecasts(self.source()).peak(steps)

    def predict_all(self, limits: list[int], max_steps: int) -> list[WallPrediction | str]:
        """Predict the wall under each limit."""
        return Forecasts(self.source()).walls(limits, max_steps)

    def source(self) -> TraceSource:
        """Return it as predictions take it."""
        return TraceSource(
            record=self.record,
            allocator=BestFitCoalescing(),
            folded_label=FOLDED,
            most_folded_bytes=MOST_FOLDED,
            most_computed_bytes=self.most_computed,
            ahead=32,
        )


def plain(per_step: int, weights: int = CHUNK) -> Recorded:
    """Return a source without constants: weights, and so many bytes per step."""
    return Recorded(trace=lambda steps, _: step(steps, per_step, ("weights", weights)))


def folding(per_step: int, constant: int, *, unfolded: int) -> Recorded:
    """Return a source with a constant per step, which takes ``unfolded`` bytes if not folded."""

    def trace(steps: int, most: int) -> Trace:
        if constant * steps <= most:
            return step(steps, per_step, (FOLDED, constant * steps))
        return step(steps, per_step, *[("computed", constant * steps)] * (unfolded // constant))

    return Recorded(trace=trace)


chunks = st.integers(1, 400).map(lambda count: count * CHUNK)
few_examples = settings(max_examples=12, deadline=None)  # each replays a search of its own


@few_examples
@given(chunks, st.integers(1, FIRST[1]), st.integers(NEAREST, 1000), st.integers(0, 99))
def test_a_wall_is_predicted_where_it_is(
    per_step: int, weights_in_steps: int, edge: int, percent: int
) -> None:
    """The closed form says where: the limit less the weights, by the bytes per step."""
    # No larger than what follows: the allocator would hand out the rest of its memory with it.
    weights = per_step * weights_in_steps
    source = plain(per_step, weights)
    predicted = source.predict(weights + per_step * edge + per_step * percent // 100)

    assert predicted is not None
    assert predicted.steps == edge
    assert predicted.low < edge < predicted.high
    assert not predicted.is_line


@few_examples
@given(chunks, st.integers(NEAREST, 2000))
def test_only_small_steps_are_recorded(per_step: int, edge: int) -> None:
    """The first ones, and else no more than half of the prediction; each of them once."""
    source = plain(per_step)
    predicted = source.predict(CHUNK + per_step * edge)
    recorded = [steps for steps, _ in source.asked]

    assert predicted is not None
    assert recorded[:2] == list(FIRST)
    assert max(recorded) <= max(CHECKED, edge // SHARE)
    assert predicted.learned_from == sorted(recorded)
    assert len(set(source.asked)) == len(source.asked)


@few_examples
@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 3), st.integers(2, 3))
def test_a_wall_beyond_the_last_folded_constant_is_predicted(
    constant: int, times: int, copies: int, far: int
) -> None:
    """There the constant takes other bytes, as a small step shows that folds nothing."""
    per_step = times * constant * CHUNK
    last_folded = MOST_FOLDED // (constant * CHUNK)
    edge = max(last_folded * far, NEAREST)
    unfolded = copies * constant * CHUNK
    source = folding(per_step, constant * CHUNK, unfolded=unfolded)
    predicted = source.predict((per_step + unfolded) * edge)

    assert predicted is not None
    assert predicted.steps == edge
    promised = (per_step + unfolded) * edge // (per_step + constant * CHUNK)
    assert max(steps for steps, _ in source.asked) <= max(CHECKED, promised // SHARE)


def test_a_wall_before_the_last_folded_constant_is_predicted_as_if_there_were_no_end() -> None:
    """Where the constant is still folded nothing else needs to be looked at."""
    per_step, constant, edge = 40 * CHUNK, CHUNK, 400
    source = folding(per_step, constant, unfolded=3 * constant)
    predicted = source.predict((per_step + constant) * edge)

    assert edge * 1.25 < MOST_FOLDED // constant
    assert predicted is not None
    assert predicted.steps == edge
    assert {folded for _, folded in source.asked} == {None}


@few_examples
@given(st.integers(2, 20), st.integers(1, 6), st.integers(0, 99))
def test_what_fits_again_where_a_constant_is_no_longer_kept_is_an_island(
    constant: int, times: int, percent: int
) -> None:
    """The wall is the first edge; beyond the last folded constant only the steps take memory."""
    per_step, constant = times * constant * CHUNK, constant * CHUNK
    last_folded = MOST_FOLDED // constant
    least, most = per_step * (last_folded + 1), (per_step + constant) * last_folded - CHUNK
    limit = least + (most - least) * percent // 100
    predicted = folding(per_step, constant, unfolded=0).predict(limit)

    assert predicted is not None
    assert predicted.steps == limit // (per_step + constant)
    assert predicted.islands == [Island(first=last_folded + 1, last=limit // per_step)]


def test_where_nothing_fits_again_nothing_more_is_recorded() -> None:
    """Without its constant the first longer step would not fit, either."""
    source = folding(10 * CHUNK, 10 * CHUNK, unfolded=0)
    predicted = source.predict(10 * CHUNK * 90)

    assert predicted is not None
    assert predicted.islands == []
    assert {folded for _, folded in source.asked} == {None}


def test_a_wall_may_be_where_the_folding_ends() -> None:
    """If the constant takes so much more that one step beyond it finds no room."""
    per_step, constant = 10 * CHUNK, 10 * CHUNK
    last_folded = MOST_FOLDED // constant
    source = folding(per_step, constant, unfolded=4 * constant)
    limit = (per_step + constant) * (last_folded + 5)
    predicted = source.predict(limit)

    assert limit < (per_step + 4 * constant) * (last_folded + 1)
    assert predicted is not None
    assert predicted.steps == last_folded


@pytest.mark.parametrize("further", [20, 30, 40])
def test_no_law_is_followed_beyond_the_last_folded_constant(further: int) -> None:
    """Where no trace can be continued, either: what was recorded folds it, what lies beyond not."""
    per_step, constant = 10, 10  # in chunks
    last_folded = MOST_FOLDED // (constant * CHUNK)

    def others(steps: int) -> int:
        return steps * steps % 7  # so that lengths near each other have no pattern

    def trace(steps: int, most: int) -> Trace:
        folded = [(FOLDED, constant * CHUNK * steps)] if constant * CHUNK * steps <= most else []
        odd = [(f"odd_{n}", CHUNK) for n in range(others(steps))]
        return step(steps, per_step * CHUNK, *odd, *folded)

    limit = (per_step + constant) * (last_folded + further)
    fitting = [n for n in range(last_folded, limit) if per_step * n + others(n) <= limit]
    predicted = Recorded(trace=trace).predict(limit * CHUNK)

    assert predicted is None or predicted.low <= max(fitting) <= predicted.high


def changing(per_step: int, constant: int, last: int, times: int) -> Callable[[int, int], Trace]:
    """Return a trace whose constant, up to ``last`` steps, is kept; else many times as much."""

    def trace(steps: int, _: int) -> Trace:
        states = [(f"step_{t}", per_step) for t in range(steps)]
        constants = [(f"constant_{n}", constant * steps) for n in range(times)]
        held = [constants[0], *states] if steps <= last else [*states, *constants]
        labels, sizes = zip(*held, strict=True)
        made = len(states) if steps <= last else len(held)
        return Trace([*labels], [*enumerate(sizes)], last_run=made)

    return trace


@pytest.mark.parametrize("last", [12, 30, 64, 130])
@pytest.mark.parametrize("edge", [100, 160, 400, 1000])
def test_a_constant_that_is_computed_ahead_only_while_it_is_small(last: int, edge: int) -> None:
    """Its end is known from short runs: what lies beyond is recorded, or in the interval."""
    per_step, constant, times = 8 * CHUNK, 2 * CHUNK, 3
    source = Recorded(
        trace=changing(per_step, constant, last, times), most_computed=constant * last
    )
    taken = times if edge > last else 1
    predicted = source.predict((per_step + constant * taken) * edge)

    assert predicted is None or predicted.low <= edge <= predicted.high
    second = last + 3
    if edge > last and 1.25 * second + 1 <= 0.7 * edge:
        assert predicted is not None
        assert predicted.steps == edge
        assert last < min(steps for steps in predicted.learned_from if steps not in FIRST)


def test_a_law_goes_through_lengths_of_one_graph() -> None:
    """Not across the length from which on steps compute a constant."""
    constant, last = 2 * CHUNK, 12
    source = Recorded(
        trace=changing(8 * CHUNK, constant, last, 3), most_computed=constant * last
    ).source()
    recordings = Recordings(source)
    for steps in (8, 10, last, last + 1, 20, 200):
        recordings.trace(steps)
    law = Learner(recordings, ANY, FixedTarget(100)).law(lambda steps: steps * CHUNK)

    assert law is None  # two lengths make none
    assert Ladder(recordings, ANY, FixedTarget(100)).lawful == [last + 1, 20]


@pytest.mark.parametrize("last", [20, 40, 70])
@pytest.mark.parametrize("edge", [200, 400])
def test_a_graph_that_changes_on_the_way_is_continued_from_there(last: int, edge: int) -> None:
    """Nothing says where: the check at half of the wall finds it, and a basis from there holds."""
    per_step, constant, times = 8 * CHUNK, 2 * CHUNK, 3
    source = Recorded(trace=changing(per_step, constant, last, times))
    predicted = source.predict((per_step + constant * times) * edge)

    assert predicted is not None
    assert predicted.steps == edge
    assert len(predicted.learned_from) <= 6


@few_examples
@given(st.integers(46, 57), chunks)  # where the last one is none of the ladder
def test_what_is_recorded_last_can_be_reached_from_what_was(edge: int, per_step: int) -> None:
    """The first lengths are of another order: those after continue to the one near the wall."""

    def trace(steps: int, _: int) -> Trace:
        found = step(steps, per_step, ("weights", CHUNK))
        if steps > LADDER[2]:
            return found
        return Trace(found.labels[::-1], [*enumerate([per_step] * steps + [CHUNK])])

    predicted = Recorded(trace=trace).predict(CHUNK + per_step * edge)

    assert predicted is not None
    assert predicted.low <= edge <= predicted.high
    assert not predicted.is_line
    assert max(predicted.learned_from) not in LADDER


def test_nothing_that_grows_between_the_first_two_lengths_makes_no_loop() -> None:
    """A graph with one more operation for every twelve steps: the next lengths are short ones."""

    def trace(steps: int, _: int) -> Trace:
        return step(steps // 12 * 12 or 12, 4 * CHUNK)

    source = Recorded(trace=trace)
    predicted = source.predict(4 * CHUNK * 12 * 50)

    recorded = [steps for steps, _ in source.asked]
    assert recorded[2] == LADDER[2]
    assert predicted is None or predicted.low <= 611 <= predicted.high


@pytest.mark.parametrize("max_steps", [NEAREST, 79, 500])
def test_nothing_beyond_the_largest_steps_is_predicted(max_steps: int) -> None:
    """Where all of them fit, they are predicted; and nothing longer is recorded."""
    source = plain(CHUNK)
    predicted = source.predict(1 << 40, max_steps)

    assert predicted is not None
    assert predicted.steps == max_steps
    assert max(predicted.learned_from) <= max_steps


def test_fewer_steps_than_the_first_ones_are_not_predicted() -> None:
    """Nothing beyond the largest steps is recorded."""
    source = plain(CHUNK)

    assert source.predict(1 << 40, FIRST[1] - 1) is None
    assert source.asked == []


@pytest.mark.parametrize("edge", range(FIRST[0]))
def test_a_wall_before_the_first_steps_is_not_predicted(edge: int) -> None:
    """Nothing shorter than the first steps was recorded."""
    source = plain(MIB)

    assert source.predict(CHUNK + edge * MIB) is None


@few_examples
@given(chunks, chunks, st.integers(100, 2000))
def test_a_square_of_the_steps_is_continued(linear: int, square: int, edge: int) -> None:
    """As attention asks for it: one tensor that grows with the square, one with the steps."""

    def demand(steps: int) -> int:
        return square * steps * steps

    def trace(steps: int, _: int) -> Trace:
        labels = [f"step_{t}" for t in range(steps)] + ["scores"]
        sizes = [linear] * steps + [demand(steps)]
        return Trace(labels=labels, events=list(enumerate(sizes)))

    predicted = Recorded(trace=trace).predict(demand(edge) + linear * edge)

    assert predicted is not None
    assert predicted.steps == edge
    assert not predicted.is_line


@few_examples
@given(chunks, chunks, st.integers(100, 2000))
def test_a_peak_is_that_of_the_continued_trace(linear: int, square: int, steps: int) -> None:
    """Chunks of steps that wait, and one that grows with their square."""

    def trace(steps: int, _: int) -> Trace:
        labels = [f"step_{t}" for t in range(steps)] + ["scores"]
        return Trace(
            labels=labels, events=list(enumerate([linear] * steps + [square * steps * steps]))
        )

    found = Recorded(trace=trace).peak(steps)

    assert not isinstance(found, str)
    assert found.bytes == linear * steps + square * steps * steps
    assert found.low < found.bytes < found.high
    assert found.recorded["8"] == 8 * linear + 64 * square


@pytest.mark.parametrize("steps", [1, 4])
def test_a_peak_without_short_runs_is_not_told_or_right(steps: int) -> None:
    """At fewer steps than what is recorded."""
    found = plain(CHUNK).peak(steps)

    assert isinstance(found, str) or found.low <= CHUNK * (steps + 1) <= found.high


@pytest.mark.parametrize("steps", [30, 64, 200])
def test_a_peak_is_the_same_after_walls_that_are_farther_away(steps: int) -> None:
    """Their recorded steps lie beyond, in another regime: nothing is told from them."""
    per_step, constant, last, times = 8 * CHUNK, 2 * CHUNK, 250, 3
    trace = changing(per_step, constant, last, times)
    forecasts = Forecasts(Recorded(trace=trace, most_computed=constant * last).source())
    walls = forecasts.walls([(per_step + constant * times) * 2000], MAX_STEPS)
    found = forecasts.peak(steps)

    assert [wall if isinstance(wall, str) else wall.steps for wall in walls] == [2000]
    assert not isinstance(found, str)
    assert found.bytes == (per_step + constant) * steps


def test_a_peak_beyond_a_failing_run_is_not_told() -> None:
    """The scenario's own error is the reason."""

    def trace(steps: int, _: int) -> Trace:
        raise ValueError(f"{steps} is no length")

    assert Recorded(trace=trace).peak(100) == "a short run failed: 8 is no length"


@pytest.mark.parametrize("steps", [1500, 150_000])
def test_a_peak_beyond_the_last_folded_constant_is_that_of_unfolded_steps(steps: int) -> None:
    """Near, and so far away that nothing is replayed: no law of the folded ones is taken."""
    per_step, constant = 10 * CHUNK, CHUNK
    assert steps > MOST_FOLDED // constant

    found = folding(per_step, constant, unfolded=3 * constant).peak(steps)

    assert not isinstance(found, str)
    assert found.bytes == pytest.approx(steps * (per_step + 3 * constant), rel=0.002)


@pytest.mark.parametrize("in_flight", [24, 32, 64])
@pytest.mark.parametrize("edge", [200, 600, 2000])
def test_what_saturates_is_learned_beyond_its_threshold_or_not_told(
    in_flight: int, edge: int
) -> None:
    """A loop holds ten times as much per step until so many of its iterations are in flight."""
    per_step, more = CHUNK, 9 * CHUNK

    def trace(steps: int, _: int) -> Trace:
        labels = ["loop"] * steps + ["flying"] * min(steps, in_flight)
        sizes = [per_step] * steps + [more] * min(steps, in_flight)
        held = range(len(labels))
        events = [*zip(held, sizes, strict=True), *((number, 0) for number in held)]
        return Trace(labels=labels, events=events)

    predicted = Recorded(trace=trace).predict(per_step * edge + more * in_flight)

    assert predicted is None or predicted.low <= edge <= predicted.high


@pytest.mark.parametrize("lengths", [Lengths(multiple_of=6), ANY])
@pytest.mark.parametrize("at_once", [2, 3])
@pytest.mark.parametrize("steps", [180, 240, 600])
def test_a_loop_that_takes_several_steps_at_once_saturates_later(
    steps: int, at_once: int, lengths: Lengths
) -> None:
    """It has fewer iterations than steps: short runs would tell ten times as much per step."""
    per_iteration, more, in_flight = 4 * CHUNK, 36 * CHUNK, 64

    def trace(steps: int, _: int) -> Trace:
        times = steps // at_once
        labels = [*["body", "cond"] * times, *["flying"] * min(times, in_flight)]
        sizes = [*[per_iteration, CHUNK] * times, *[more] * min(times, in_flight)]
        held = range(len(labels))
        events = [*zip(held, sizes, strict=True), *((number, 0) for number in held)]
        return Trace(labels=labels, events=events)

    found = Forecasts(Recorded(trace=trace).source(), lengths).peak(steps)
    times = steps // at_once
    needed = (per_iteration + CHUNK) * times + more * min(times, in_flight)

    assert isinstance(found, str) or found.low <= needed <= found.high
    if lengths.multiple_of % at_once == 0 and times >= 200:
        assert not isinstance(found, str)


@pytest.mark.parametrize("edge", [600, 900, 3000])
def test_a_loop_that_saturates_where_nothing_is_folded_any_more_is_learned_beyond_it(
    edge: int,
) -> None:
    """Short runs without the folded constant would hold ten times as much per step."""
    per_step, more, in_flight, constant = 4 * CHUNK, 36 * CHUNK, 32, 2 * CHUNK
    assert edge > MOST_FOLDED // constant

    def trace(steps: int, most: int) -> Trace:
        folded = constant * steps <= most
        labels = [FOLDED if folded else "computed", *["body", "cond"] * steps]
        sizes = [constant * steps, *[per_step, CHUNK] * steps]
        if not folded:
            labels += ["flying"] * min(steps, in_flight)
            sizes += [more] * min(steps, in_flight)
        held = range(len(labels))
        events = [*zip(held, sizes, strict=True), *((number, 0) for number in held)]
        return Trace(labels=labels, events=events)

    per_edge = per_step + CHUNK + constant
    predicted = Recorded(trace=trace).predict(per_edge * edge + more * in_flight)

    assert predicted is not None
    assert predicted.low <= edge <= predicted.high
    assert predicted.high - predicted.low <= 0.03 * edge


@given(st.randoms(use_true_random=False), st.integers(150, 900))
@few_examples
def test_an_order_that_varies_is_within_the_margin(random: Random, edge: int) -> None:
    """Each length releases a few tensors earlier or later: all allocations are foretold."""
    per_step, late = 20 * CHUNK, 60 * CHUNK
    at_once = random.choices([True, False], k=MAX_STEPS // 64)

    def trace(steps: int, _: int) -> Trace:
        body = step(steps, per_step)
        first = [(steps, late), (steps, 0)] if at_once[steps % len(at_once)] else [(steps, late)]
        rest = [] if at_once[steps % len(at_once)] else [(steps, 0)]
        held = body.events[:steps]
        return Trace([*body.labels, "late"], [*first, *held, *body.events[steps:], *rest])

    limit = per_step * edge + late
    (predicted,) = Recorded(trace=trace).predict_all([limit], MAX_STEPS)

    if not isinstance(predicted, str):
        assert predicted.low <= edge + late // per_step
        assert predicted.high >= edge


@pytest.mark.parametrize("period", [2, 3, 4, 5, 8, 10])
@pytest.mark.parametrize("edge", [300, 703])
def test_growth_in_segments_is_predicted_within_one_of_them(period: int, edge: int) -> None:
    """Every so many steps there is a tensor more."""
    per_step, segment = 4 * CHUNK, 7 * CHUNK

    def trace(steps: int, _: int) -> Trace:
        return step(steps, per_step, *[("segment", segment)] * (steps // period))

    predicted = Recorded(trace=trace).predict(per_step * edge + segment * (edge // period))

    assert predicted is not None
    assert predicted.low <= edge <= predicted.high
    assert predicted.high - predicted.low <= 0.15 * edge


def test_what_short_runs_do_not_foretell_is_not_told() -> None:
    """A demand without a law: the reason is given in place of a number."""
    wild = [3, 9, 4, 12, 5, 30, 8, 70, 20, 10, 90]
    sizes = {n: MIB * size for n, size in zip(LADDER, wild, strict=True)}
    source = Recorded(
        trace=lambda steps, _: step(1, CHUNK, *[("wild", sizes.get(steps, MIB))] * (steps % 7 + 1))
    )
    (reason,) = source.predict_all([1 << 40], MAX_STEPS)

    assert isinstance(reason, str)
    assert "law" in reason or "do not show how memory grows" in reason


def test_a_short_run_that_fails_is_the_reason() -> None:
    """In the scenario's own words, where what ran before it tells too little."""

    def trace(steps: int, _: int) -> Trace:
        if steps > FIRST[1]:
            raise ValueError("only up to 10 steps, please")
        return step(steps, CHUNK)

    assert Recorded(trace=trace).predict_all([MIB], MAX_STEPS) == [
        "a short run failed: only up to 10 steps, please"
    ]


@settings(max_examples=4, deadline=None)  # each replays three searches of up to 1,600 steps
@given(chunks, st.integers(20_000, 10_000_000))
def test_a_far_wall_lies_on_the_line_through_nearer_ones(per_step: int, edge: int) -> None:
    """Its steps are too many to be replayed; the closed form says where it is all the same."""
    source = plain(per_step)
    predicted = source.predict(CHUNK + per_step * edge + per_step // 2, 10**9)

    assert predicted is not None
    assert predicted.steps == pytest.approx(edge, rel=1e-6, abs=1)
    assert predicted.low < edge < predicted.high
    assert max(steps for steps, _ in source.asked) <= 1024


@settings(max_examples=8, deadline=None)
@given(tensors=st.integers(10, 100), first=st.integers(8, 104))
@example(tensors=100, first=104)
def test_far_walls_are_extrapolated_from_three_lengths(tensors: int, first: int) -> None:
    """Also where the shortest trace has most of the events that they usually have."""
    shorter, longer = (step(steps * tensors, CHUNK) for steps in (first, first + 2))
    lengths = far_steps(Unrolling(shorter, longer, (first, first + 2)))
    apart = [lengths[-1]]
    for steps in reversed(lengths):
        if steps * APART <= apart[-1]:
            apart.append(steps)

    assert len(apart) > 2


def test_a_far_wall_is_predicted_where_no_constant_is_folded_any_more() -> None:
    """Nearer walls of the same kind of steps, not of those with a folded constant."""
    per_step, constant, edge = 10 * CHUNK, CHUNK, 50_000
    source = folding(per_step, constant, unfolded=3 * constant)
    predicted = source.predict((per_step + 3 * constant) * edge, 10**9)

    assert edge > MOST_FOLDED // constant
    assert predicted is not None
    assert predicted.steps == pytest.approx(edge, rel=1e-6)


def test_one_set_of_recorded_steps_serves_every_limit() -> None:
    """Each prediction is what it is alone; nothing is recorded twice."""
    per_step = 40 * CHUNK
    limits = [CHUNK + per_step * edge for edge in (60, 600, 60_000)]
    shared = plain(per_step)
    together = shared.predict_all(limits, 10**9)
    alone = [plain(per_step).predict(limit, 10**9) for limit in limits]

    walls = [one.steps for one in together if not isinstance(one, str)]
    assert walls == [one and one.steps for one in alone]
    assert len(set(shared.asked)) == len(shared.asked)
    assert shared.predict_all(limits, 1) == ["needs runs of up to 10 steps"] * 3


def test_walls_on_cards_are_foretold_however_far_away() -> None:
    """Where the optimizer may save memory, they are lower bounds; each other caveat is none."""
    caveats = [
        Caveat(metric=metric, effect=CaveatEffect.UPPER_BOUND, text="less", from_steps=steps)
        for metric, steps in (("peak", 10_000), ("host", 1))
    ]
    limits = [1 << 20, 1 << 34]
    near, far = Forecasts(plain(CHUNK * 4).source()).cards(limits, caveats)

    assert near.prediction is not None
    assert far.prediction is not None
    assert (near.is_least, far.is_least) == (False, True)
    assert far.prediction.steps == pytest.approx((1 << 34) / (CHUNK * 4), rel=0.01)


def _stacked(steps: int) -> Trace:
    """Return a trace of a state per step, all of them stacked, and three gradients as large."""
    states = [(f"state_{t}", 16 << 10) for t in range(steps)]
    stacked = [(f"stack_{number}", steps * (16 << 10)) for number in range(4)]
    return step(0, 0, *states, *stacked)


def test_beyond_what_can_be_replayed_a_wall_lies_where_what_is_in_use_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an allocator whose large requests leave shared segments: what it held before is no law.

    The stacks do so at 640 steps, beyond the lengths that a law is made of.
    """
    monkeypatch.setattr("profiler.forecast.recordings._FAR_EVENTS", 1200)
    monkeypatch.setattr("profiler.forecast.replayed._MOST_REPLAYED", 4200)
    model = CachingAllocator()
    source = TraceSource(
        record=lambda steps, _: _stacked(steps),
        allocator=model,
        folded_label=FOLDED,
        most_folded_bytes=0,
    )
    real = 4000
    (wall,) = Forecasts(source).walls([model.highest_address(_stacked(real))], MAX_STEPS)

    assert isinstance(wall, WallPrediction), wall
    assert wall.low <= real <= wall.high
    assert wall.high - wall.low < 0.12 * real


def test_what_libraries_keep_of_a_card_is_left_to_them() -> None:
    """The wall of a card is that of the limit without it, however large the card is."""
    keeps = {1 << 20: 1 << 18, 1 << 30: 1 << 28}
    source = replace(plain(CHUNK * 4).source(), kept_on_card=lambda _, card: keeps[card])
    cards = Forecasts(source).cards([*keeps], [])
    less = Forecasts(plain(CHUNK * 4).source()).cards(
        [one - kept for one, kept in keeps.items()], []
    )

    assert [card.kept_bytes for card in cards] == [*keeps.values()]
    assert [card.limit_bytes for card in cards] == [*keeps]
    assert [card.prediction for card in cards] == [card.prediction for card in less]


def test_without_a_law_a_card_has_the_reason() -> None:
    """As the wall has."""
    (card,) = Forecasts(plain(CHUNK * 4, weights=1 << 30).source()).cards([1 << 20], [])

    assert card.prediction is None
    assert card.reason == "8 steps already needs more than the limit"


def test_checks_of_unfolded_steps_are_no_checks_of_folded_ones() -> None:
    """They lie where nothing is folded any more: what is folded is not recorded there."""
    per_step, constant = 20 * CHUNK, 10 * CHUNK
    edges = (2_000, 8_000)
    limits = [(per_step + constant) * edge for edge in edges]
    source = folding(per_step, constant, unfolded=constant)
    found = source.predict_all(limits, MAX_STEPS)

    longest = max(steps for steps, folded in source.asked if folded is None)
    assert longest <= MOST_FOLDED // constant

    assert [one if isinstance(one, str) else one.is_line for one in found] == [False, False]
    for one, edge in zip(found, edges, strict=True):
        assert not isinstance(one, str)
        assert one.low <= edge <= one.high


def test_lengths_that_are_not_allowed_are_neither_recorded_nor_predicted() -> None:
    """A step of so many chunks meets the limit at the last multiple that fits."""
    lengths = Lengths(multiple_of=20, at_least=40)
    limit = 1000 * 4 * CHUNK + CHUNK  # of which steps take four chunks each

    def record(steps: int, folded_bytes: int | None) -> Trace:
        del folded_bytes
        assert lengths.allow(steps)
        return step(steps, 4 * CHUNK)

    source = TraceSource(
        record=record,
        allocator=BestFitCoalescing(),
        folded_label=FOLDED,
        most_folded_bytes=MOST_FOLDED,
    )
    (wall,) = Forecasts(source, lengths).walls([limit], MAX_STEPS)

    assert not isinstance(wall, str)
    assert lengths.allow(int(wall.steps))
    assert wall.low <= 1000 <= wall.high
    assert max(wall.learned_from) <= lengths.from_(1000 / SHARE)
