"""The wall search finds the edge of any oracle, proves both ends, and asks little."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.facts import WallPrediction
from profiler.forecast.search import Bracket, find_wall

LIMIT = 1 << 30
MAX_N = 100_000
FIRST = 8
# Doubling up and halving down, three times over, with what small numbers cost first.
MOST_PROBES = 3 * 2 * math.ceil(math.log2(MAX_N)) + 16
LEARN_SHARE = 1 / 8
# An edge so far out that the first numbers, 8 and 16, are small beside it.
FAR = 64


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an oracle says of one number."""

    passed: bool
    hopeless: bool = False
    cut_short: bool = False
    demand_bytes: int | None = None


@dataclass(kw_only=True)
class Oracle:
    """Passes where ``passes`` says so, with the demand that ``demand`` says; keeps its answers.

    A number that fails is cut short unless it is run whole, if it ``cuts``; so are those of
    which ``misjudged`` says that they are taken for failing ones.
    """

    passes: Callable[[int], bool]
    demand: Callable[[int], int | None] = lambda _: None
    cuts: bool = True
    misjudged: Callable[[int], bool] = lambda _: False
    asked: list[int] = field(default_factory=list)
    answers: dict[int, Answer] = field(default_factory=dict)

    def __call__(self, n: int, /, *, whole: bool) -> Answer:
        """Answer one probe, the first of its number or the whole one after one cut short."""
        assert n not in self.answers or (whole and self.answers[n].cut_short), f"{n} again"
        assert len(self.asked) < MOST_PROBES, "the search crawls"
        self.asked.append(n)
        self.answers[n] = self._answer(n, whole=whole)
        return self.answers[n]

    def _answer(self, n: int, *, whole: bool) -> Answer:
        if not whole and self.misjudged(n):
            return Answer(passed=False, cut_short=True)
        if self.passes(n):
            return Answer(passed=True, demand_bytes=self.demand(n))
        return Answer(passed=False, cut_short=self.cuts and not whole)

    @property
    def failures(self) -> int:
        """How many numbers failed in the end."""
        return sum(not answer.passed for answer in self.answers.values())


def _limited(demand: Callable[[int], float]) -> Oracle:
    """Return an oracle that passes as long as its demand is within the limit."""
    return Oracle(passes=lambda n: demand(n) <= LIMIT, demand=lambda n: math.floor(demand(n)))


def _power(edge: int, resident: float, exponent: float) -> Oracle:
    """Return an oracle whose demand grows by a power law, and meets the limit beyond ``edge``."""
    held, growing = resident * LIMIT, (1 - resident) * LIMIT
    return _limited(lambda n: held + growing * (n / (edge + 0.5)) ** exponent)


def _noisy(edge: int, resident: float, noise: float, seed: int) -> Oracle:
    """Return an oracle of an affine demand with normal noise, a share of the limit."""
    held, slope = resident * LIMIT, (1 - resident) * LIMIT / (edge + 0.5)
    errors = random.Random(seed)  # noqa: S311 (no secret)
    taken: dict[int, float] = {}

    def demand(n: int) -> float:
        return taken.setdefault(n, held + slope * n + errors.gauss(0, noise * LIMIT))

    oracle = _limited(demand)
    oracle.cuts = False  # as under a host limit
    return oracle


def _edge(
    last_ok: int, demand: Callable[[int], int | None] = lambda _: None, *, cuts: bool = True
) -> Oracle:
    """Return an oracle that passes up to ``last_ok``, whatever its demands are."""
    return Oracle(passes=lambda n: n <= last_ok, demand=demand, cuts=cuts)


def _search(
    oracle: Oracle, max_n: int = MAX_N, prediction: WallPrediction | None = None
) -> Bracket:
    return find_wall(oracle, limit_bytes=LIMIT, max_n=max_n, prediction=prediction)


def _prediction(steps: int, margin: int = 1) -> WallPrediction:
    return WallPrediction(
        steps=steps, low=steps - margin, high=steps + margin, learned_from=[8, 10]
    )


def _line_prediction(steps: float, slope: float, margin: float = 0.05) -> WallPrediction:
    return WallPrediction(
        steps=steps,
        low=steps * (1 - margin),
        high=steps * (1 + margin),
        learned_from=[8, 16],
        is_line=True,
        bytes_per_step=slope,
    )


def _proved(bracket: Bracket, oracle: Oracle, max_n: int = MAX_N) -> bool:
    """Whether both ends were really probed, side by side and whole, within the bounds."""
    low, high = bracket.last_ok, bracket.first_bad
    within = all(1 <= n <= max_n for n in oracle.asked)
    survived = low == 0 or oracle.answers[low].passed
    if high is None:
        return within and survived and low == max_n
    failed = oracle.answers[high]
    return within and survived and high == low + 1 and not failed.passed and not failed.cut_short


def _cost(bracket: Bracket, oracle: Oracle) -> float:
    """Return the price, where a probe costs as much as its number says."""
    return sum(oracle.asked) / (bracket.last_ok + (bracket.first_bad or 0))


few_examples = settings(max_examples=40)  # each runs a search
edges = st.integers(0, MAX_N + 10)
far_edges = st.integers(FAR, MAX_N - 1)
bounds = st.integers(1, MAX_N)
residents = st.floats(0, 0.8)
margins = st.integers(1, 200)


class TestWithoutPrediction:
    """Demands that are unknown, or say nothing."""

    @few_examples
    @given(last_ok=edges, max_n=bounds, cuts=st.booleans())
    def test_finds_any_edge(self, last_ok: int, max_n: int, *, cuts: bool) -> None:
        """All pass, all fail, everything between; with crashes, which are never cut short."""
        oracle = _edge(last_ok, cuts=cuts)
        bracket = _search(oracle, max_n)

        assert bracket.last_ok == min(last_ok, max_n)
        assert bracket.first_bad == (last_ok + 1 if last_ok < max_n else None)
        assert _proved(bracket, oracle, max_n)
        assert bracket.prediction is None

    @few_examples
    @given(edges, bounds)
    def test_costs_two_bisections(self, last_ok: int, max_n: int) -> None:
        """Doubling up to the edge, halving down to it, and one evidence made a proof."""
        oracle = _edge(last_ok)
        _search(oracle, max_n)

        assert len(oracle.asked) <= 2 * math.ceil(math.log2(max(2, min(last_ok, max_n) + 1))) + 5

    @few_examples
    @given(edges, st.integers(0, LIMIT))
    def test_flat_demands_predict_nothing(self, last_ok: int, demand: int) -> None:
        """No line, no prediction."""
        bracket = _search(_edge(last_ok, lambda _: demand))

        assert bracket.last_ok == min(last_ok, MAX_N)
        assert bracket.prediction is None

    @few_examples
    @given(st.lists(st.booleans(), min_size=1, max_size=100), st.data())
    def test_a_ragged_edge_gives_a_pass_beside_a_failure(
        self, passes: list[bool], data: st.DataObject
    ) -> None:
        """Where passing and failing mix, one true pair is returned, whatever the demands are."""
        size = len(passes)
        known = st.none() | st.integers(0, 2 * LIMIT)
        demands = data.draw(st.lists(known, min_size=size, max_size=size))
        prediction = data.draw(st.none() | st.integers(0, 2 * size).map(_prediction))
        oracle = Oracle(passes=lambda n: passes[n - 1], demand=lambda n: demands[n - 1])
        bracket = _search(oracle, size, prediction)

        assert _proved(bracket, oracle, size)

    def test_begins_where_it_is_told(self) -> None:
        """The first number is the caller's, within the bounds."""
        oracle, small = _edge(MAX_N), _edge(MAX_N)
        find_wall(oracle, limit_bytes=LIMIT, max_n=MAX_N, first=3)
        find_wall(small, limit_bytes=LIMIT, max_n=2, first=3)

        assert oracle.asked[0] == 3
        assert small.asked == [2]


class TestByDemand:
    """Demands that grow: the search predicts for itself."""

    @few_examples
    @given(st.integers(0, MAX_N + 10), residents)
    def test_an_affine_edge_is_exact(self, edge: int, resident: float) -> None:
        """It is where the demand was made to meet the limit."""
        oracle = _power(edge, resident, 1)
        bracket = _search(oracle)

        assert bracket.last_ok == min(edge, MAX_N)
        assert _proved(bracket, oracle)

    @few_examples
    @given(far_edges, residents)
    def test_an_affine_edge_costs_little(self, edge: int, resident: float) -> None:
        """The two ends cost 1: learning and one trial half-way cost no more than 0.6."""
        oracle = _power(edge, resident, 1)
        bracket = _search(oracle)

        assert _cost(bracket, oracle) <= 1.6
        assert oracle.failures <= 2
        assert len(oracle.asked) <= 6 + math.log(edge, 4)

    @few_examples
    @given(st.integers(100, MAX_N - 1), residents, st.floats(0, 1))
    def test_a_quadratic_edge_costs_little(self, edge: int, resident: float, bent: float) -> None:
        """Three numbers show the bend."""
        held, growing = resident * LIMIT, (1 - resident) * LIMIT

        def demand(n: int) -> float:
            share = n / (edge + 0.5)
            return held + growing * ((1 - bent) * share + bent * share**2)

        oracle = _limited(demand)
        bracket = _search(oracle)

        assert bracket.last_ok == edge
        assert _proved(bracket, oracle)
        assert _cost(bracket, oracle) <= 2
        assert oracle.failures <= 2

    @few_examples
    @given(st.integers(100, MAX_N - 1), residents, st.floats(0.5, 1.5))
    def test_any_smooth_growth_is_approached_from_below(
        self, edge: int, resident: float, exponent: float
    ) -> None:
        """Each pass says better what is left."""
        oracle = _power(edge, resident, exponent)
        bracket = _search(oracle)

        assert bracket.last_ok == edge
        assert _proved(bracket, oracle)
        assert _cost(bracket, oracle) <= 8

    @few_examples
    @given(st.integers(1, 4096), st.integers(1, LIMIT // 4))
    def test_a_stepwise_edge_is_exact(self, width: int, height: int) -> None:
        """An allocator that grows by whole blocks gives equal peaks, which make no line."""
        oracle = _limited(lambda n: -(-n // width) * height)
        bracket = _search(oracle)

        assert bracket.last_ok == min(LIMIT // height * width, MAX_N)
        assert _proved(bracket, oracle)

    @few_examples
    @given(far_edges, residents, st.floats(0, 0.01), st.integers())
    def test_a_noisy_edge_is_proved(
        self, edge: int, resident: float, noise: float, seed: int
    ) -> None:
        """Wherever it is found, it is one pass beside one failure, near where it should be."""
        oracle = _noisy(edge, resident, noise, seed)
        bracket = _search(oracle)
        steps_of_noise = noise * (edge + 1) / (1 - resident)

        assert _proved(bracket, oracle)
        assert abs(bracket.last_ok - edge) <= 8 * steps_of_noise + 1

    @pytest.mark.parametrize(("noise", "most"), [(0.0002, 2.2), (0.001, 3.2), (0.003, 3.8)])
    def test_noise_costs_few_probes_more(self, noise: float, most: float) -> None:
        """A thousandth of the limit is two or three steps here: their outcome is chance."""
        costs = []
        for seed in range(100):
            oracle = _noisy(2000, 0.2, noise, seed)
            costs.append(_cost(_search(oracle), oracle))

        assert statistics.mean(costs) <= most

    @few_examples
    @given(last_ok=st.integers(1, MAX_N - 1), ratio=st.floats(0.01, 100), cuts=st.booleans())
    def test_an_edge_where_the_demand_puts_none_costs_a_logarithm(
        self, last_ok: int, ratio: float, *, cuts: bool
    ) -> None:
        """A crash far below the limit, memory that packs badly, passes far above the limit."""
        oracle = _edge(last_ok, lambda n: math.floor(LIMIT * n / (last_ok * ratio)), cuts=cuts)
        bracket = _search(oracle)

        assert bracket.last_ok == last_ok
        assert _proved(bracket, oracle)

    @few_examples
    @given(st.integers(1, MAX_N - 1), st.floats(1, 1e5))
    def test_a_demand_that_saturates_costs_a_logarithm(self, last_ok: int, scale: float) -> None:
        """What is left shrinks with every stride: the search must not crawl after it."""
        oracle = _edge(last_ok, lambda n: math.floor(LIMIT * -math.expm1(-n / scale)))
        bracket = _search(oracle)

        assert bracket.last_ok == last_ok
        assert _proved(bracket, oracle)

    def test_every_known_demand_is_kept(self) -> None:
        """The bracket holds the demand of every number that passed."""
        oracle = _power(500, 0, 1)
        bracket = _search(oracle)

        assert bracket.demands == {
            n: math.floor(LIMIT * n / 500.5)
            for n, answer in oracle.answers.items()
            if answer.passed
        }

    @few_examples
    @given(far_edges, residents)
    def test_its_prediction_is_made_from_far_below(self, edge: int, resident: float) -> None:
        """It is the line's own edge, predicted when only small numbers had been run."""
        oracle = _power(edge, resident, 1)
        prediction = _search(oracle).prediction

        assert prediction is not None
        assert prediction.is_line
        assert prediction.steps == pytest.approx(edge + 0.5, rel=1e-3)
        assert prediction.low < prediction.steps < prediction.high
        assert prediction.learned_from == oracle.asked[: len(prediction.learned_from)]
        assert max(prediction.learned_from) <= max(2 * FIRST, edge * LEARN_SHARE + 1)


class TestByPrediction:
    """A prediction that was made before the search."""

    @few_examples
    @given(edge=st.integers(1, MAX_N - 1), margin=margins, cuts=st.booleans())
    def test_an_exact_one_costs_the_two_ends(self, edge: int, margin: int, *, cuts: bool) -> None:
        """Nothing else is run, and one of them fails."""
        oracle = _edge(edge, cuts=cuts)
        prediction = _prediction(edge, margin)
        bracket = _search(oracle, prediction=prediction)

        assert oracle.asked == [edge, edge + 1]
        assert _proved(bracket, oracle)
        assert bracket.prediction == prediction

    @few_examples
    @given(st.integers(2, MAX_N - 2), margins, st.sampled_from([-1, 1]))
    def test_one_off_by_one_costs_one_more(self, edge: int, margin: int, error: int) -> None:
        """One number between, or a failing one that is run again, whole."""
        oracle = _edge(edge)
        bracket = _search(oracle, prediction=_prediction(edge + error, margin))

        assert len(oracle.asked) == 3
        assert _proved(bracket, oracle)

    @few_examples
    @given(st.integers(1, MAX_N - 1), st.floats(1 / 3, 3), margins)
    def test_a_wrong_one_costs_a_logarithm_of_its_error(
        self, edge: int, factor: float, margin: int
    ) -> None:
        """Strides grow, from a 64th of it on, whatever the demands say."""
        steps = math.floor(edge * factor)
        oracle = _edge(edge, lambda n: n)
        bracket = _search(oracle, prediction=_prediction(steps, margin))
        error = abs(min(steps, MAX_N) - edge)

        assert bracket.last_ok == edge
        assert _proved(bracket, oracle)
        least = min(steps, MAX_N) // 64
        bound = 2 * math.ceil(math.log2(max(error, least) + 2 * margin + 2)) + 5
        assert len(oracle.asked) <= bound

    @few_examples
    @given(
        st.integers(1_000, 20_000),
        st.integers(2, 20),
        st.floats(0, 0.02),
        st.floats(0, 0.1),
    )
    def test_one_that_the_demand_refutes_is_given_up(
        self, edge: int, times: int, resident: float, margin: float
    ) -> None:
        """What passes there with room to spare tells more than a prediction of a fraction of it."""
        oracle = _power(edge, resident, 1)
        early = edge // times
        bracket = _search(oracle, prediction=_prediction(early, max(1, int(margin * early))))

        assert _proved(bracket, oracle)
        # The prediction's number, doublings up to the edge, a line, and what its rounding takes.
        assert len(oracle.asked) <= 2 + math.log2(times) + 6

    @given(
        st.floats(0.3, 3),
        st.integers(100, 5_000),
        st.floats(0, 0.5),
        st.floats(1, 2),
        st.floats(0.85, 1),
    )
    def test_a_wrong_one_costs_at_most_four_times_the_proof(
        self, factor: float, edge: int, resident: float, exponent: float, usable: float
    ) -> None:
        """However narrow, where only a share of the limit can be used, and the demand may bend.

        A run takes time in proportion to its number; one that fails waits for memory ten times
        as long as a run at the edge takes, unless it is cut short.
        """
        fits = _power(edge, resident, exponent)
        oracle = Oracle(
            passes=fits.passes, demand=lambda n: int(usable * (fits.demand(n) or 0)), cuts=True
        )
        bracket = _search(oracle, prediction=_prediction(int(factor * edge)))

        assert _proved(bracket, oracle)
        runs = sum(min(1, n / edge) for n in oracle.asked)
        assert runs + 10 <= 4 * (2 + 10)

    @few_examples
    @given(edges, st.integers(0, 10 * MAX_N), bounds)
    def test_any_is_corrected(self, last_ok: int, steps: int, max_n: int) -> None:
        """However wrong it is: 0, far beyond the bound, and all between."""
        oracle = _edge(last_ok)
        bracket = _search(oracle, max_n, _prediction(steps))

        assert bracket.last_ok == min(last_ok, max_n)
        assert _proved(bracket, oracle, max_n)

    @few_examples
    @given(bounds, st.integers(0, 1000))
    def test_one_beyond_the_bound_costs_one_probe(self, max_n: int, beyond: int) -> None:
        """The bound is tried at once."""
        oracle = _edge(max_n)
        bracket = _search(oracle, max_n, _prediction(max_n + beyond))

        assert oracle.asked == [max_n]
        assert (bracket.last_ok, bracket.first_bad) == (max_n, None)

    @few_examples
    @given(margins)
    def test_nothing_that_fits_costs_one_probe(self, margin: int) -> None:
        """One step is run, and runs out of memory."""
        oracle = _edge(0)
        bracket = _search(oracle, prediction=_prediction(0, margin))

        assert oracle.asked == [1]
        assert (bracket.last_ok, bracket.first_bad) == (0, 1)

    @few_examples
    @given(st.integers(FAR, MAX_N - 1), residents, st.floats(0.96, 1.04))
    def test_a_line_is_tried_where_it_should_pass(
        self, edge: int, resident: float, factor: float
    ) -> None:
        """What passes tells where the edge is: then there are the two ends, within rounding."""
        oracle = _power(edge, resident, 1)
        slope = (1 - resident) * LIMIT / (edge + 0.5)
        prediction = _line_prediction((edge + 0.5) * factor, slope)
        bracket = _search(oracle, prediction=prediction)

        assert oracle.asked[0] == max(1, int(prediction.low))
        assert _proved(bracket, oracle)
        assert len(oracle.asked) <= 5
        assert oracle.failures <= 2

    @few_examples
    @given(
        st.integers(FAR, MAX_N - 1),
        st.floats(1 / 3, 3),
        st.floats(1 / 3, 3),
        st.floats(0, 0.01),
        st.integers(),
    )
    def test_a_wrong_line_costs_a_logarithm(
        self, edge: int, factor: float, steepness: float, noise: float, seed: int
    ) -> None:
        """Its edge and its slope may both be far off, and the demand be noisy."""
        oracle = _noisy(edge, 0.3, noise, seed)
        slope = 0.7 * LIMIT / (edge + 0.5) * steepness
        bracket = _search(oracle, prediction=_line_prediction(edge * factor, slope))

        assert _proved(bracket, oracle)

    @pytest.mark.parametrize(("noise", "most"), [(0.001, 2.5), (0.005, 3.7)])
    def test_noise_costs_few_probes_more(self, noise: float, most: float) -> None:
        """With a line that is off by some percent, as those of the host's memory are."""
        costs = []
        for seed in range(100):
            errors = random.Random(seed)  # noqa: S311 (no secret)
            slope = 0.5 * LIMIT / 1000.5 * (1 + errors.gauss(0, 0.02))
            oracle = _noisy(1000, 0.5, noise, seed)
            prediction = _line_prediction(1000 * (1 + errors.gauss(0, 0.02)), slope)
            costs.append(_cost(_search(oracle, prediction=prediction), oracle))

        assert statistics.mean(costs) <= most


class TestEvidence:
    """Probes that were cut short, and such that say nothing."""

    @few_examples
    @given(st.integers(1, 2000), st.data())
    def test_is_taken_back_where_a_whole_run_contradicts_it(
        self, edge: int, data: st.DataObject
    ) -> None:
        """Both ends are whole runs, whatever was taken for failing on the way."""
        misjudged = data.draw(st.sets(st.integers(1, edge), max_size=20))
        prediction = data.draw(st.none() | st.integers(0, 2 * edge).map(_prediction))
        oracle = _edge(edge)
        oracle.misjudged = misjudged.__contains__
        bracket = _search(oracle, MAX_N, prediction)

        assert bracket.last_ok == edge
        assert _proved(bracket, oracle)

    def test_is_no_end_of_the_bracket(self) -> None:
        """The failing end is asked for again, whole, and only that."""
        oracle = _edge(499)
        _search(oracle, prediction=_prediction(500))

        assert oracle.asked == [500, 499, 500]

    @few_examples
    @given(st.integers(1, 1000), st.none() | st.integers(0, 2000).map(_prediction))
    def test_a_hopeless_failure_ends_the_search_with_what_was_known(
        self, first_hopeless: int, prediction: WallPrediction | None
    ) -> None:
        """It is not an edge: nothing beside it was proved."""
        asked: list[int] = []

        def probe(n: int, /, *, whole: bool) -> Answer:
            assert whole in {True, False}
            asked.append(n)
            return Answer(passed=n < first_hopeless, hopeless=n >= first_hopeless)

        bracket = find_wall(probe, limit_bytes=LIMIT, max_n=MAX_N, prediction=prediction)

        assert asked[-1] >= first_hopeless
        assert asked[:-1] == sorted(bracket.passed)
        assert bracket.last_ok == max(asked[:-1], default=0)
        assert bracket.first_bad is None


def test_a_demand_that_is_the_limit_long_before_the_edge_does_not_make_it_crawl() -> None:
    """Of an allocator that takes large pieces: the limit is reserved, and more still fits."""
    oracle = Oracle(passes=lambda n: n <= 1147, demand=lambda _: LIMIT)
    bracket = _search(oracle, prediction=_prediction(1000, 12))

    assert _proved(bracket, oracle)
    assert len(oracle.asked) < 20
