"""Where short runs do not tell the wall, some near it are recorded: a search begins there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.facts import WallPrediction
from profiler.forecast.recordings import TraceSource
from profiler.forecast.replayed import Forecasts
from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.bfc import BestFitCoalescing
from profiler.lengths import ANY, Lengths

CHUNK, MIB = 256, 1 << 20
SETTLED = 0.8  # the share of the wall from which on a kernel's scratch follows a law
MAX_STEPS = 100_000
MOST_TRIED = 6


@dataclass(kw_only=True)
class Scenario:
    """Tensors that grow with the steps, and a kernel that needs a scratch beside them."""

    per_step: int
    scratch: Callable[[int], int]
    fails_from: int = MAX_STEPS
    asked: list[int] = field(default_factory=list)

    def record(self, steps: int, folded_bytes: int | None) -> Trace:
        """Hold an activation, take the scratch, and release both."""
        del folded_bytes
        self.asked.append(steps)
        if steps >= self.fails_from:
            raise ValueError("no more, please")
        activation = max(1, self.per_step * steps)
        events = [(0, activation), (1, self.scratch(steps)), (1, 0), (0, 0)]
        return Trace(["activation", "scratch"], events)

    def begin(self, limit_bytes: int, lengths: Lengths = ANY) -> WallPrediction | None:
        """Return where a search begins, after what short runs tell."""
        source = TraceSource(
            record=self.record,
            allocator=BestFitCoalescing(),
            folded_label="folded",
            most_folded_bytes=MIB,
        )
        forecasts = Forecasts(source, lengths)
        (told,) = forecasts.walls([limit_bytes], MAX_STEPS)
        self.asked.clear()
        return forecasts.near_wall(told, limit_bytes, MAX_STEPS)


def _erratic(edge: int) -> Callable[[int], int]:
    """Return a scratch without a law far from the edge, and one in proportion near it."""

    def scratch(steps: int) -> int:
        eighths = 64 if steps >= SETTLED * edge else 32 + hash((steps, 1)) % 33
        return eighths * steps * CHUNK // 8

    return scratch


@settings(max_examples=8, deadline=None)
@given(per_step=st.integers(1, 20), edge=st.integers(300, 8000))
def test_it_begins_near_the_wall(per_step: int, edge: int) -> None:
    """By a few recordings, none of them much longer than what fits."""
    scenario = Scenario(per_step=per_step * CHUNK, scratch=_erratic(edge))
    begin = scenario.begin((per_step + 8) * CHUNK * edge)

    assert len(scenario.asked) <= MOST_TRIED
    assert max(scenario.asked, default=0) <= 4 * edge
    if begin is not None:  # short runs seemed to tell the wall, or recorded ones came no nearer
        assert abs(begin.steps - edge) <= 0.02 * edge


@pytest.mark.parametrize("multiple_of", [1, 20])
def test_only_allowed_lengths_are_recorded(multiple_of: int) -> None:
    """It begins at one of them, too."""
    lengths = Lengths(multiple_of=multiple_of, at_least=2 * multiple_of)
    edge = 2000
    scenario = Scenario(per_step=CHUNK, scratch=_erratic(edge))
    begin = scenario.begin(9 * CHUNK * (edge + multiple_of // 2), lengths)

    assert begin is not None
    assert abs(begin.steps - edge) <= max(2 * multiple_of, edge / 100)
    assert all(lengths.allow(steps) for steps in scenario.asked)


@pytest.mark.parametrize("edge", [150, 240, 400])
def test_growth_that_slows_down_is_followed(edge: int) -> None:
    """Each line through what fits falls short: the last recorded length may be beyond the wall."""
    scenario = Scenario(per_step=0, scratch=lambda steps: 27 * MIB * steps // (steps + 12))
    begin = scenario.begin(scenario.scratch(edge) + CHUNK)

    assert len(scenario.asked) <= MOST_TRIED
    assert begin is None or abs(begin.steps - edge) <= 0.02 * edge
    assert begin is not None


def test_a_wall_that_short_runs_tell_is_not_looked_for() -> None:
    """Nothing else is recorded."""
    scenario = Scenario(per_step=CHUNK, scratch=lambda steps: 3 * CHUNK * steps)

    assert scenario.begin(4 * CHUNK * 5000) is None
    assert scenario.asked == []


@pytest.mark.parametrize("fails_from", [20, 4000])
def test_where_a_run_fails_the_search_goes_its_own_way(fails_from: int) -> None:
    """It may be that only this length is refused."""
    scenario = Scenario(per_step=CHUNK, scratch=_erratic(5000), fails_from=fails_from)

    assert scenario.begin(9 * CHUNK * 5000) is None


def test_under_a_large_limit_nothing_is_recorded_without_one() -> None:
    """It would take the memory of the whole machine."""
    scenario = Scenario(per_step=MIB, scratch=lambda steps: _erratic(500)(steps) << 12)

    assert scenario.begin(16 << 30) is None
    assert scenario.asked == []
