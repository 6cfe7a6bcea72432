"""Zones: who is least from which length on, as algebra says, and only where noise allows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.crossover.zones import Zone, reach, zones
from profiler.analysis.fitting import fit
from profiler.analysis.laws import Law

LENGTHS = (8, 16, 32, 64, 128, 256)
Line = tuple[int, int]
lines = st.tuples(st.integers(0, 500), st.integers(0, 20))
# One part in a thousand, up and down in turn.
WIGGLE = 0.001


def _line(line: Line, lengths: Sequence[int] = LENGTHS) -> Law:
    """Return the exact law ``a + b·T``."""
    law = fit([(n, line[0] + line[1] * n) for n in lengths], whole=True)
    assert isinstance(law, Law)
    return law


def _noisy(a: float, b: float, *, unit: float = 1, share: float = WIGGLE) -> Law:
    """Return the law of a line whose points lie a little off, now above, now below."""
    signs = [1, -1, -1, 1, 1, -1]
    points = [
        (n, unit * (a + b * n) * (1 + s * share)) for n, s in zip(LENGTHS, signs, strict=True)
    ]
    law = fit(points)
    assert isinstance(law, Law)
    return law


def _least(found: Sequence[Zone], steps: int) -> tuple[str, ...]:
    return next(zone.least for zone in found if zone.first <= steps <= zone.last)


class TestZones:
    """Of laws alone."""

    @settings(max_examples=40)
    @given(one=lines, two=lines, until=st.integers(1, 400))
    def test_exact_lines_are_compared_as_whole_numbers(
        self, one: Line, two: Line, until: int
    ) -> None:
        """At every number of steps, against integers, ties included."""
        found = zones({"one": _line(one), "two": _line(two)}, until=until)

        for steps in range(1, until + 1):
            values = {"one": one[0] + one[1] * steps, "two": two[0] + two[1] * steps}
            least = min(values.values())
            assert _least(found, steps) == tuple(n for n, v in values.items() if v == least)

    @settings(max_examples=40)
    @given(three=st.tuples(lines, lines, lines), until=st.integers(1, 3000))
    def test_zones_are_a_partition(self, three: tuple[Line, Line, Line], until: int) -> None:
        """From 1 to the end, without a gap; neighbours differ, and none is half measured."""
        laws = dict(zip("abc", map(_line, three), strict=True))
        found = zones(laws, until=until)

        assert (found[0].first, found[-1].last) == (1, until)
        assert all(a.last + 1 == b.first for a, b in pairwise(found))
        assert all((a.least, a.predicted) != (b.least, b.predicted) for a, b in pairwise(found))
        assert all(z.predicted == (z.last < 8 or z.first > 256) for z in found)
        assert all(z.predicted or (z.first >= 8 and z.last <= 256) for z in found)

    @settings(max_examples=15)
    @given(
        a=st.integers(0, 50),
        more=st.integers(100, 4000),
        slope=st.integers(1, 30),
        unit=st.sampled_from([1e-9, 1e-3, 1.0, 2.0**20]),
    )
    def test_no_unit_matters(self, a: int, more: int, slope: int, unit: float) -> None:
        """Noisy lines that cross somewhere do so in nanoseconds and in MiB."""

        def told(unit: float) -> list[Zone]:
            flat, steep = _noisy(a + more, 1, unit=unit), _noisy(a, 1 + slope, unit=unit)
            return zones({"flat": flat, "steep": steep}, until=2048)

        here, there = told(1), told(unit)

        # Rounding may move an edge by a step.
        assert [z.least for z in there] == [z.least for z in here]
        assert all(abs(x.last - y.last) <= 1 for x, y in zip(here, there, strict=True))

    @settings(max_examples=30)
    @given(four=st.tuples(lines, lines, lines, lines), order=st.permutations("abcd"))
    def test_order_does_not_matter(
        self, four: tuple[Line, Line, Line, Line], order: list[str]
    ) -> None:
        """Whoever is named first wins nothing by it."""
        laws = dict(zip("abcd", map(_line, four), strict=True))
        found = zones(laws, until=500)
        again = zones({name: laws[name] for name in order}, until=500)

        assert [(z.first, z.last, set(z.least)) for z in found] == [
            (z.first, z.last, set(z.least)) for z in again
        ]

    @settings(max_examples=20)
    @given(cross=st.integers(20, 200), slope=st.integers(20, 60))
    def test_noise_is_no_winner_where_lines_cross(self, cross: int, slope: int) -> None:
        """1,000 + slope·T and a constant meet at ``cross``: unknown there, known far off."""
        laws = {"steep": _noisy(1000, slope), "flat": _noisy(1000 + slope * cross, 0)}
        found = zones(laws, until=10_000)

        assert _least(found, cross) == ()
        assert _least(found, cross // 2) == ("steep",)
        assert _least(found, 2 * cross) == ("flat",)

    def test_equal_laws_are_a_tie_and_not_unknown(self) -> None:
        """Twice the same noisy law, both below a third."""
        law, higher = _noisy(10, 5), _noisy(1000, 50)

        assert zones({"a": law, "b": law, "c": higher}, until=4) == [
            Zone(first=1, last=4, least=("a", "b"), predicted=True)
        ]

    def test_nothing_is_said_beyond_eight_times_what_was_measured_of_all(self) -> None:
        """8 to 256 and 16 to 128: from 16 to 128 is measured, up to 1,024 is predicted."""
        found = zones({"a": _line((1, 1)), "b": _line((9, 9), (16, 32, 64, 128))})

        assert [(z.first, z.last, z.predicted) for z in found] == [
            (1, 15, True),
            (16, 128, False),
            (129, 1024, True),
        ]

    @pytest.mark.parametrize("at_once", [2, 7, 14, 1_000])
    def test_zones_do_not_depend_on_how_many_steps_are_looked_at_together(
        self, at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A change may lie where one part ends and the next begins."""
        laws = {"one": _line((100, 2)), "two": _line((0, 9)), "three": _line((3, 9))}
        noisy = {"one": _noisy(100, 2), "two": _noisy(1, 9)}
        whole = [zones(laws, until=60), zones(noisy, until=60)]
        monkeypatch.setattr("profiler.analysis.crossover.zones._AT_ONCE", at_once)

        assert [zones(laws, until=60), zones(noisy, until=60)] == whole
        assert len(whole[0]) > 2

    @pytest.mark.parametrize(("last", "until"), [(1, 8), (200_000, 1_000_000), (3 * 10**6,) * 2])
    def test_the_reach_has_an_end(self, last: int, until: int) -> None:
        """A million steps, or what was really measured."""
        assert reach(last) == until

    def test_a_million_steps_are_compared_exactly(self) -> None:
        """46 + 17 T meets the constant 16,999,995 between 999,996 and 999,998 steps."""
        flat = _line((46 + 17 * 999_997, 0))
        found = zones({"static": _line((46, 17)), "flat": flat}, until=1_000_000)

        assert [(z.first, z.least) for z in found if z.first > 256] == [
            (257, ("static",)),
            (999_997, ("static", "flat")),
            (999_998, ("flat",)),
        ]

    def test_a_law_below_zero_is_ignored(self) -> None:
        """T - 20 is no number of nodes before 20 steps, and equals 4 at 24."""
        falling = _line((-20, 1), (30, 40, 50))
        found = zones({"falling": falling, "flat": _line((4, 0), (30, 40, 50))}, until=30)

        assert [(z.first, z.last, z.least) for z in found if z.predicted] == [
            (1, 19, ()),
            (20, 23, ("falling",)),
            (24, 24, ("falling", "flat")),
            (25, 29, ("flat",)),
        ]

    @pytest.mark.parametrize("count", [0, 1])
    def test_one_alone_beats_nobody(self, count: int) -> None:
        """Two laws are the fewest."""
        with pytest.raises(ValueError, match=f"{count} laws"):
            zones({str(k): _line((1, 1)) for k in range(count)})
