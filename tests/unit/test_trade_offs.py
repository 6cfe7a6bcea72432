"""How far each build goes and at what cost, against the first of its family."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.crossover.costs import BuildCost, Cost
from profiler.analysis.crossover.trade_offs import Ratio, searched, trade_offs
from profiler.facts import Certificate, WallStatus
from profiler.units import MIB

LIMIT = 64 * MIB
UNKNOWN = Cost(value=None, low=None, high=None)


def exactly(value: float) -> Cost:
    """Return a cost without noise."""
    return Cost(value=value, low=value, high=value, measured=(value,))


def noisily(value: float) -> Cost:
    """Return a cost whose noise is not known."""
    return Cost(value=value, low=None, high=None, measured=(value,))


def build(name: str, step: Cost, *walls: Certificate) -> BuildCost:
    """Return a build of this step time and these walls."""
    point = samples.measured(name).point
    return BuildCost(label=name, conditions=point, costs={"step_time": step}, walls=walls)


def found(*builds: BuildCost) -> dict[str, bool | None]:
    """Return which of the builds are best, the furthest first."""
    rows = trade_offs(builds, kind="device", limit_bytes=LIMIT)
    return {one.build.label: one.is_best for one in rows}


def test_the_furthest_comes_first_and_is_compared_with_the_first_build() -> None:
    """Twice as far for half more time, and half as far in a third of the time."""
    plain = build("plain", exactly(3.0), samples.wall("plain", 400))
    lean = build("lean", exactly(4.5), samples.wall("lean", 800))
    quick = build("quick", exactly(1.0), samples.wall("quick", 200))

    rows = trade_offs([plain, lean, quick], kind="device", limit_bytes=LIMIT)

    told = [(one.build.label, one.further, one.slower and one.slower.value) for one in rows]
    assert told == [("lean", 2.0, 1.5), ("plain", 1.0, 1.0), ("quick", 0.5, 1 / 3)]


def test_the_best_are_those_that_no_other_beats() -> None:
    """One that goes no further than another in more time is none."""
    plain = build("plain", exactly(1.0), samples.wall("plain", 400))
    lean = build("lean", exactly(1.5), samples.wall("lean", 800))
    vain = build("vain", exactly(2.0), samples.wall("vain", 700))

    assert found(plain, lean, vain) == {"lean": True, "vain": False, "plain": True}


def test_equal_builds_are_both_best() -> None:
    """Neither beats the other."""
    both = [build(name, exactly(1.0), samples.wall(name, 400)) for name in ("one", "two")]

    assert found(*both) == {"one": True, "two": True}


def test_what_noise_hides_is_unknown() -> None:
    """The one that goes further is best all the same: nothing goes as far."""
    plain = build("plain", noisily(1.0), samples.wall("plain", 400))
    lean = build("lean", noisily(1.5), samples.wall("lean", 800))

    assert found(plain, lean) == {"lean": True, "plain": None}


@pytest.mark.parametrize(
    ("wall", "best"),
    [
        # It may go further than 800.
        (samples.wall("plain", 400, status=WallStatus.AT_LEAST), None),
        (samples.wall("plain", 900, status=WallStatus.AT_LEAST), True),
        (samples.wall("plain", None, status=WallStatus.AT_MOST), False),
        (samples.replayed(samples.wall("plain", 900)), True),
        (samples.replayed(samples.wall("plain", 400)), None),
        (samples.band(400, 500), False),
        (samples.band(700, 900), None),
    ],
)
def test_a_wall_counts_for_what_it_proves(wall: Certificate, best: bool | None) -> None:  # noqa: FBT001
    """Beside a build of 800 steps in less time; only exact walls are divided."""
    lean = build("lean", exactly(1.0), samples.wall("lean", 800))
    plain = build("plain", exactly(2.0), wall)

    rows = trade_offs([lean, plain], kind="device", limit_bytes=LIMIT)

    (row,) = (one for one in rows if one.build is plain)
    assert (row.is_best, row.further) == (best, None)


def test_a_build_without_a_wall_comes_last() -> None:
    """Whether it beats another is not known; its time is told."""
    plain = build("plain", exactly(2.0), samples.wall("plain", 400))
    other = build("other", exactly(1.0))

    rows = trade_offs([other, plain], kind="device", limit_bytes=LIMIT)

    assert [one.build.label for one in rows] == ["plain", "other"]
    assert [one.slower and one.slower.value for one in rows] == [2.0, 1.0]
    assert [one.is_best for one in rows] == [None, None]


def test_a_missing_time_is_no_ratio() -> None:
    """Nor is one over it."""
    plain = build("plain", UNKNOWN, samples.wall("plain", 400))
    lean = build("lean", exactly(1.5), samples.wall("lean", 800))

    rows = trade_offs([plain, lean], kind="device", limit_bytes=LIMIT)

    assert [one.slower for one in rows] == [None, None]


def test_a_ratio_has_the_ends_that_both_noises_allow() -> None:
    """From 2 over 5 to 4 over 3; the first build is once itself; unknown noise has no ends."""
    plain = build("plain", Cost(value=4, low=3, high=5))
    lean = build("lean", Cost(value=3, low=2, high=4))
    rough = build("rough", noisily(8))

    vague = build("vague", Cost(value=2, low=-1, high=5))

    rows = trade_offs([plain, lean, rough, vague], kind="device", limit_bytes=LIMIT)
    base, one, other, last = rows

    assert base.slower == Ratio(value=1, low=1, high=1)
    assert one.slower == Ratio(value=3 / 4, low=2 / 5, high=4 / 3)
    assert other.slower == Ratio(value=2, low=None, high=None)
    assert last.slower == Ratio(value=1 / 2, low=None, high=None)


def test_limits_count_that_two_builds_were_searched_under() -> None:
    """A wall alone compares nothing."""
    plain = build("plain", exactly(1), samples.wall("plain"), samples.wall("plain", kind="host"))
    lean = build("lean", exactly(1), samples.wall("lean"))

    assert searched([plain, lean]) == [("device", LIMIT)]
    assert searched([plain]) == []
