"""Where a graph's own size ends: the bytes of numbered nodes, in closed form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import report_samples as samples

from profiler.analysis.size_wall import SizeWall, digits, size_walls
from profiler.facts import Measurement, SizeLimit, replace

MOST = (1 << 31) - 1
LIMIT = SizeLimit(metric="graph_bytes", most=MOST, text="it cannot be saved")
LENGTHS = (8, 16, 32, 64, 128)


def numbered(steps: int) -> int:
    """Return the bytes of 100 names per step, each with its number, and 100 B beside them."""
    return 5_000 + 10_000 * steps + 100 * sum(len(str(number)) for number in range(steps))


def walls(size: Callable[[int], int], lengths: tuple[int, ...] = LENGTHS) -> tuple[SizeWall, ...]:
    """Return the walls of a graph of that size, measured at these lengths."""
    return size_walls([_measured(steps, size(steps)) for steps in lengths], [LIMIT])


def _measured(steps: int, size: int) -> Measurement:
    point = samples.measured(steps=steps)
    assert point.graph is not None
    return replace(point, graph=replace(point.graph, serialized_bytes=size))


def test_digits_are_counted_without_a_loop() -> None:
    """Ten numbers of one digit, ninety of two."""
    assert [digits(steps) for steps in (0, 1, 10, 11, 100, 101)] == [0, 1, 10, 12, 190, 193]


def test_names_that_grow_longer_bring_the_wall_nearer() -> None:
    """A line through the same lengths would be off by some percent at a thousand times them."""
    (wall,) = walls(numbered)

    true = next(n for n in range(200_000, 220_000) if 5_000 + 10_000 * n + 100 * digits(n) > MOST)
    assert wall.steps is not None
    assert wall.low is not None
    assert wall.high is not None
    assert abs(wall.steps - (true - 1)) <= 1
    assert wall.low <= true - 1 <= wall.high


def test_a_loop_has_no_wall() -> None:
    """Its shapes' numbers take a few bytes more, and no node is added."""
    assert walls(lambda steps: 40_000 + len(str(steps))) == ()


def test_another_kind_of_growth_is_not_continued() -> None:
    """A square is no line: a dash with the reason."""
    (wall,) = walls(lambda steps: 5_000 + steps**2)

    assert wall.steps is None
    assert wall.reason is not None


def test_too_few_lengths_say_so() -> None:
    """Three lengths fit three letters, and prove nothing."""
    (wall,) = walls(numbered, LENGTHS[:3])

    assert (wall.steps, wall.reason) == (None, "it needs 4 lengths, there are 3")


def test_lengths_of_equally_many_digits_tell_no_wall_beyond_them() -> None:
    """Names of two digits do not show what the third one takes; a near wall needs no third."""
    lengths = (20, 40, 60, 80)
    near = replace(LIMIT, most=numbered(90))
    (far,) = walls(numbered, lengths)
    (close,) = size_walls([_measured(steps, numbered(steps)) for steps in lengths], [near])

    assert far.steps is None
    assert "the same number of digits" in (far.reason or "")
    assert close.steps == 90


def test_an_explanation_brings_lengths_of_its_own() -> None:
    """The measured length, and those that were built to explain it."""
    built = {str(steps): numbered(steps) for steps in (3, 25, 38)}
    point = replace(
        _measured(50, numbered(50)), trace=replace(samples.EXPLANATION, graph_bytes=built)
    )
    (wall,) = size_walls([point], [LIMIT])

    assert wall.steps == walls(numbered, (3, 25, 38, 50))[0].steps
    assert wall.steps is not None


def test_a_wall_is_never_below_what_was_measured() -> None:
    """A graph of a million bytes per step was serialized at 2,000 steps."""
    (wall,) = walls(lambda steps: 1_000_000 * steps, (250, 500, 1_000, 2_000, 2_147))

    assert wall.steps is not None
    assert wall.low is not None
    assert wall.steps >= wall.low >= 2_147 - 1


@pytest.mark.parametrize("counters", [(2, 3), (2, 7), (5, 9)])
@pytest.mark.parametrize("lengths", [(8, 16, 24, 32, 48), (3, 24, 36, 48)])
def test_names_that_count_several_per_step_stay_within_the_interval(
    counters: tuple[int, int], lengths: tuple[int, ...]
) -> None:
    """Their numbers take one more digit at other steps than the law has it."""

    def size(steps: int) -> int:
        return 5_000 + 10_000 * steps + sum(60 * digits(each * steps) for each in counters)

    (wall,) = walls(size, lengths)
    fits, fails = 1, 10**9
    while fails - fits > 1:
        middle = (fits + fails) // 2
        fits, fails = (middle, fails) if size(middle) <= MOST else (fits, middle)

    assert wall.steps is None or (wall.low or 0) <= fits <= (wall.high or 0)
