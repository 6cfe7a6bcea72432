"""Only lengths that the author allows are run; they form a lattice that can be counted."""

from __future__ import annotations

import pytest

from profiler.lengths import ANY, Lengths, counted, one_of

TWENTIES = Lengths(multiple_of=20, at_least=40)


@pytest.mark.parametrize(
    ("axis", "many", "single", "one"),
    [
        ("steps", "640 steps", "1 step", "step"),
        ("units", "640 units", "1 unit", "unit"),
        ("layers", "640 layers", "1 layer", "layer"),
        ("batch", "batch 640", "batch 1", "unit of batch"),
        ("width", "width 640", "width 1", "unit of width"),
        ("radius", "radius 640", "radius 1", "unit of radius"),
        ("axis", "axis 640", "axis 1", "unit of axis"),
        ("loss", "loss 640", "loss 1", "unit of loss"),
        ("hidden_units", "640 hidden_units", "1 hidden_unit", "hidden_unit"),
    ],
)
def test_a_number_on_an_axis_is_worded_by_its_name(
    axis: str, many: str, single: str, one: str
) -> None:
    """A plural follows its number; another name stands before it."""
    assert (counted(640, axis), counted("1", axis), one_of(axis)) == (many, single, one)
    assert Lengths(axis=axis).text("8 to 16") == counted("8 to 16", axis)


def test_what_an_author_allows_names_the_axis() -> None:
    """Where it is no multiple of anything."""
    assert str(Lengths(at_least=8)) == "8 steps or more"
    assert str(Lengths(at_least=8, axis="units")) == "8 units or more"
    assert str(Lengths(at_least=8, axis="batch")) == "batch 8 or more"


@pytest.mark.parametrize(
    ("lengths", "first"),
    [
        (ANY, 1),
        (Lengths(at_least=7), 7),
        (Lengths(multiple_of=20), 20),
        (TWENTIES, 40),
        (Lengths(multiple_of=20, at_least=41), 60),
        (Lengths(multiple_of=20, at_least=0), 20),
    ],
)
def test_the_first_is_the_smallest_that_is_allowed(lengths: Lengths, first: int) -> None:
    """Against a search from 1 on by the definition."""
    allowed = (n for n in range(1, 200) if n % lengths.multiple_of == 0 and n >= lengths.at_least)

    assert lengths.first == next(allowed) == first


@pytest.mark.parametrize("lengths", [ANY, TWENTIES, Lengths(multiple_of=7, at_least=9)])
def test_every_way_of_rounding_gives_an_allowed_length(lengths: Lengths) -> None:
    """The largest below, the smallest above, the nearer one of the two."""
    allowed = [n for n in range(1, 300) if n % lengths.multiple_of == 0 and n >= lengths.at_least]
    for steps in range(1, 200):
        below = max((n for n in allowed if n <= steps), default=0)
        above = min(n for n in allowed if n >= steps)

        assert lengths.allow(steps) == (steps in allowed)
        assert lengths.at_most(steps) == below
        assert lengths.from_(steps) == above
        assert lengths.nearest(steps) == min(
            (n for n in (below, above) if n), key=lambda n: (abs(n - steps), n)
        )


@pytest.mark.parametrize("lengths", [ANY, TWENTIES, Lengths(multiple_of=7, at_least=9)])
def test_lengths_are_numbered_from_one(lengths: Lengths) -> None:
    """The number between two is the smaller one's; before the first there is none."""
    for number in range(1, 30):
        steps = lengths.nth(number)

        assert lengths.allow(steps)
        assert lengths.number(steps) == number
        assert lengths.number(steps + lengths.multiple_of - 1) == number
    assert lengths.nth(0) == 0
    assert lengths.number(lengths.first - 1) <= 0


@pytest.mark.parametrize(
    ("lengths", "found"),
    [
        (ANY, [8, 16, 32, 64, 128]),
        (Lengths(multiple_of=20), [20, 40, 60, 80, 140]),
        (TWENTIES, [40, 60, 80, 100, 160]),
        (Lengths(at_least=1000), [1000, 1008, 1024, 1056, 1120]),
        (Lengths(multiple_of=500), [500, 1000, 1500, 2000, 2500]),
    ],
)
def test_several_stay_several(lengths: Lengths, found: list[int]) -> None:
    """As a law needs different lengths, and as far apart."""
    assert lengths.spread((8, 16, 32, 64, 128)) == found
    assert all(map(lengths.allow, found))


def test_they_are_said_in_words() -> None:
    """As messages have them."""
    assert str(TWENTIES) == "multiples of 20 from 40 on"
    assert str(Lengths(multiple_of=20)) == "multiples of 20"
    assert str(Lengths(at_least=40)) == "40 steps or more"
