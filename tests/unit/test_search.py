"""The wall search finds the edge of any oracle, proves both ends, and asks little."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.search import Bracket, find_wall

LIMIT = 1 << 26
MAX_N = 100_000
FIRST = 8
MOST_PROBES = 400
EAGER_SHARE = 1 / 4  # one doubling beyond the search's own 1/8 for what is small


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an oracle says of one number."""

    passed: bool
    hopeless: bool = False
    peak_bytes: int | None = None


@dataclass(kw_only=True)
class Oracle:
    """Passes where ``passes`` says so, with the peak that ``peak`` says; remembers its probes."""

    passes: Callable[[int], bool]
    peak: Callable[[int], int | None] = lambda _: None
    asked: dict[int, bool] = field(default_factory=dict)

    def __call__(self, n: int) -> Answer:
        """Answer one probe, which must be the first of its number."""
        assert n not in self.asked, f"{n} was asked twice"
        assert len(self.asked) < MOST_PROBES, "the search crawls"
        self.asked[n] = self.passes(n)
        return Answer(passed=self.asked[n], peak_bytes=self.peak(n) if self.asked[n] else None)

    @property
    def failures(self) -> int:
        """How many probes failed."""
        return list(self.asked.values()).count(False)


def _limited(peak: Callable[[int], int]) -> Oracle:
    """Return an oracle that passes as long as its peak is within the limit."""
    return Oracle(passes=lambda n: peak(n) <= LIMIT, peak=peak)


def _affine(slope: int, resident: int = 0) -> Oracle:
    return _limited(lambda n: resident + slope * n)


def _edge(last_ok: int, peak: Callable[[int], int | None] = lambda _: None) -> Oracle:
    """Return an oracle that passes up to ``last_ok``, whatever its peaks are."""
    return Oracle(passes=lambda n: n <= last_ok, peak=peak)


def _search(oracle: Oracle, max_n: int = MAX_N) -> Bracket:
    return find_wall(oracle, limit_bytes=LIMIT, max_n=max_n)


def _proved(bracket: Bracket, oracle: Oracle, max_n: int) -> bool:
    """Whether both ends were really probed, side by side, within the bounds."""
    low, high = bracket.last_ok, bracket.first_bad
    closed = low == max_n if high is None else high == low + 1 and oracle.asked[high] is False
    within = all(1 <= n <= max_n for n in oracle.asked)
    return closed and within and (low == 0 or oracle.asked[low] is True)


def _foreseen(bracket: Bracket, oracle: Oracle) -> bool:
    """Whether the prediction was made from passing points, and from some if it was made."""
    passing = all(oracle.asked[n] for n in bracket.predicted_from)
    return passing and (bracket.predicted is None) == (not bracket.predicted_from)


edges = st.integers(0, MAX_N + 10)
bounds = st.integers(1, MAX_N)


@given(edges, bounds)
def test_an_edge_without_known_peaks_is_found(last_ok: int, max_n: int) -> None:
    """All pass, all fail and everything between; nothing is predicted from nothing."""
    oracle = _edge(last_ok)
    bracket = _search(oracle, max_n)

    assert bracket.last_ok == min(last_ok, max_n)
    assert bracket.first_bad == (last_ok + 1 if last_ok < max_n else None)
    assert _proved(bracket, oracle, max_n)
    assert bracket.predicted is None
    assert bracket.predicted_from == []


@given(edges, bounds)
def test_an_edge_without_known_peaks_costs_two_bisections(last_ok: int, max_n: int) -> None:
    """Doubling up to the edge, then halving down to it."""
    oracle = _edge(last_ok)
    _search(oracle, max_n)

    assert len(oracle.asked) <= 2 * math.ceil(math.log2(max(2, min(last_ok, max_n) + 1))) + 4


@given(st.integers(1, LIMIT * 2), st.integers(0, LIMIT // 16))
def test_an_affine_edge_is_exact(slope: int, resident: int) -> None:
    """The closed form says where it is."""
    oracle = _affine(slope, resident)
    bracket = _search(oracle)
    edge = (LIMIT - resident) // slope

    assert bracket.last_ok == min(edge, MAX_N)
    assert bracket.first_bad == (edge + 1 if edge < MAX_N else None)
    assert _proved(bracket, oracle, MAX_N)
    assert _foreseen(bracket, oracle)


@given(st.integers(LIMIT // MAX_N + 1, LIMIT // 128), st.integers(0, LIMIT // 32))
def test_an_affine_edge_is_predicted_from_far_below_it(slope: int, resident: int) -> None:
    """The prediction is the line's own edge, made when no probe had come near the limit."""
    oracle = _affine(slope, resident)
    bracket = _search(oracle)
    before = list(oracle.asked)[: len(bracket.predicted_from)]

    assert bracket.predicted == pytest.approx((LIMIT - resident) / slope)
    assert bracket.predicted_from == before
    assert all(resident + slope * n < LIMIT * EAGER_SHARE for n in before)


@given(st.integers(1000, MAX_N), st.integers(LIMIT // 8, LIMIT // 2))
def test_an_edge_is_predicted_beside_large_weights_too(edge: int, resident: int) -> None:
    """What is resident may fill half of the limit: the first points are still far from the edge."""
    slope = (LIMIT - resident) / edge
    oracle = _limited(lambda n: resident + math.floor(slope * n))
    bracket = _search(oracle)

    assert bracket.predicted is not None
    assert max(bracket.predicted_from) < edge / 8
    assert oracle.failures <= 1 + math.ceil(math.log(edge * 0.1) / math.log(5 / 2))


@given(st.integers(LIMIT // MAX_N + 1, LIMIT), st.integers(0, LIMIT // 32))
def test_an_affine_edge_costs_few_failures(slope: int, resident: int) -> None:
    """A failing probe is the expensive one: no more than halving from the first number on."""
    oracle = _affine(slope, resident)
    bracket = _search(oracle)

    assert oracle.failures <= 1 + math.ceil(math.log2(max(FIRST, bracket.last_ok + 1)))


@given(st.integers(200, MAX_N - 1), st.floats(0.93, 1))
def test_a_predicted_edge_costs_about_two_failures_and_a_small_bracket(
    edge: int, packing: float
) -> None:
    """The wall lies up to 7 % before the line's edge: only the last 8 % are searched."""
    slope = LIMIT / edge
    real = math.floor(edge * packing)
    oracle = _edge(real, lambda n: math.floor(slope * n))
    bracket = _search(oracle)
    searched = math.ceil(edge * 0.08) + 2

    assert bracket.last_ok == real
    assert oracle.failures <= 1 + math.ceil(math.log(searched) / math.log(5 / 2))


@given(st.integers(1, LIMIT // 4))
def test_a_quadratic_edge_is_exact(factor: int) -> None:
    """A line predicts it badly, and the search does not believe the line."""
    oracle = _limited(lambda n: factor * n * n)
    bracket = _search(oracle)

    assert bracket.last_ok == min(math.isqrt(LIMIT // factor), MAX_N)
    assert _proved(bracket, oracle, MAX_N)
    assert _foreseen(bracket, oracle)


@given(st.integers(1, 4096), st.integers(1, LIMIT // 4))
def test_a_stepwise_edge_is_exact(width: int, height: int) -> None:
    """An allocator that grows by whole blocks gives equal peaks, which make no line."""
    oracle = _limited(lambda n: -(-n // width) * height)
    bracket = _search(oracle)

    assert bracket.last_ok == min(LIMIT // height * width, MAX_N)
    assert _proved(bracket, oracle, MAX_N)
    assert _foreseen(bracket, oracle)


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.data())
def test_a_ragged_edge_gives_a_pass_beside_a_failure(
    passes: list[bool], data: st.DataObject
) -> None:
    """Where passing and failing mix, one true pair is returned, whatever the peaks are."""
    size = len(passes)
    peaks = data.draw(st.lists(st.none() | st.integers(0, LIMIT), min_size=size, max_size=size))
    oracle = Oracle(passes=lambda n: passes[n - 1], peak=lambda n: peaks[n - 1])
    bracket = _search(oracle, size)

    assert _proved(bracket, oracle, size)
    assert _foreseen(bracket, oracle)


@given(edges, st.integers(0, LIMIT))
def test_flat_peaks_predict_nothing(last_ok: int, peak: int) -> None:
    """No line, no prediction, and no points that it would have been made from."""
    oracle = _edge(last_ok, lambda _: peak)
    bracket = _search(oracle)

    assert bracket.last_ok == min(last_ok, MAX_N)
    assert bracket.predicted is None
    assert bracket.predicted_from == []


@given(st.integers(1, 200))
def test_a_failure_far_below_the_limit_is_an_edge_like_any_other(last_ok: int) -> None:
    """A crash is just no pass: the peaks said that there was room."""
    oracle = _edge(last_ok, lambda n: n)
    bracket = _search(oracle)

    assert (bracket.last_ok, bracket.first_bad) == (last_ok, last_ok + 1)
    assert _proved(bracket, oracle, MAX_N)


@pytest.mark.parametrize("overrun", [2, 10, 100])
def test_an_edge_far_beyond_the_prediction_costs_a_logarithm(overrun: int) -> None:
    """Where points pass whose peaks exceed the limit, the search must not crawl by ones."""
    predicted = 500
    slope = LIMIT // predicted
    oracle = _edge(predicted * overrun, lambda n: slope * n)
    bracket = _search(oracle)

    assert bracket.last_ok == predicted * overrun
    assert len(oracle.asked) <= 4 * math.ceil(math.log2(MAX_N))


def test_the_search_begins_where_it_is_told() -> None:
    """The first number is the caller's, within the bounds."""
    oracle = _edge(MAX_N)
    find_wall(oracle, limit_bytes=LIMIT, max_n=MAX_N, first=3)
    small = _edge(MAX_N)
    find_wall(small, limit_bytes=LIMIT, max_n=2, first=3)

    assert next(iter(oracle.asked)) == 3
    assert list(small.asked) == [2]


def test_every_known_peak_is_kept() -> None:
    """The bracket holds the peak of every number that passed."""
    oracle = _affine(LIMIT // 500)
    bracket = _search(oracle)

    assert bracket.peaks == {n: LIMIT // 500 * n for n, passed in oracle.asked.items() if passed}


def test_a_hopeless_failure_ends_the_search_with_what_was_known() -> None:
    """It is not an edge: nothing beside it was proved."""
    asked: list[int] = []

    def probe(n: int) -> Answer:
        asked.append(n)
        return Answer(passed=n < 4 * FIRST, hopeless=n >= 4 * FIRST)

    bracket = find_wall(probe, limit_bytes=LIMIT, max_n=MAX_N)

    assert asked == [FIRST, 2 * FIRST, 4 * FIRST]
    assert (bracket.last_ok, bracket.first_bad) == (2 * FIRST, None)
