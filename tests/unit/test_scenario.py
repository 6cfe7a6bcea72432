"""A decorated function becomes a scenario, or a message that says what to change."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Literal

import pytest

from profiler.errors import ScenarioError
from profiler.lengths import Lengths
from profiler.parameters import Parameter
from profiler.scenario import (
    Training,
    forget_all,
    registered,
    scenario,
    unusable_collected,
)


class Cell(enum.Enum):
    """Two cells."""

    BASIC = "basic"
    LSTM = "lstm"


def toy(
    steps: int,
    *,
    batch: int = 32,
    rate: float = 0.5,
    deep: bool = False,
    cell: Literal["basic", "lstm"] = "basic",
) -> Training:
    """Return nothing worth training.

    A second paragraph that no listing shows.
    """
    return Training(feeds={}, loss=(steps, batch, rate, deep, cell))


def test_a_decorated_function_is_listed_under_its_name() -> None:
    """Name, family, first line, source and parameters all come from the function itself."""
    scenario(toy)
    found = registered()["toy"]

    assert found.family == "test_scenario"
    assert found.summary == "Return nothing worth training."
    assert found.source == f"{__file__}:{toy.__code__.co_firstlineno}"
    assert found.parameters == (
        Parameter(name="batch", type="int", default=32),
        Parameter(name="rate", type="float", default=0.5),
        Parameter(name="deep", type="bool", default=False),
        Parameter(name="cell", type="str", default="basic", choices=("basic", "lstm")),
    )


def test_the_decorated_function_stays_what_it_was() -> None:
    """The decorator registers and hands the function back."""
    assert scenario(toy) is toy
    assert registered()["toy"].build is toy


def test_an_author_rules_out_lengths() -> None:
    """In the decorator; without a word every length may be run."""

    def blocks(steps: int) -> Training:
        return Training(feeds={}, loss=steps)

    scenario(toy)
    scenario(multiple_of=20, at_least=40)(blocks)

    assert registered()["toy"].lengths == Lengths(multiple_of=1, at_least=1)
    assert registered()["blocks"].lengths == Lengths(multiple_of=20, at_least=40)
    assert registered()["blocks"].build is blocks


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"multiple_of": 0}, "multiple_of must be a whole number of 1 or more, not 0"),
        ({"at_least": 2.5}, "at_least must be a whole number of 1 or more, not 2.5"),
        ({"family": "two words"}, "family must be a name, such as 'encoder', not 'two words'"),
        ({"family": 3}, "family must be a name, such as 'encoder', not 3"),
        ({"multiple_off": 2}, "@scenario takes no 'multiple_off' (did you mean 'multiple_of'?)"),
        ({"tag": ("a",)}, "@scenario takes no 'tag' (did you mean 'tags'?)"),
        ({"tags": "seed"}, "tags must be strings, such as ('loops', 'lstm'), not 'seed'"),
        ({"tags": ("seed", 3)}, "tags must be strings, such as ('loops', 'lstm'), not ('seed', 3)"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(options: dict[str, Any], reason: str) -> None:
    """As any other mistake in a signature."""
    with pytest.raises(ScenarioError) as caught:
        scenario(**options)(toy)

    place = f"{__file__}:{toy.__code__.co_firstlineno}"
    assert str(caught.value) == f"{place}: scenario 'toy': {reason}"


def test_tags_are_kept_once_and_in_their_order() -> None:
    """Beside any other option; without them there are none."""

    def tagged(steps: int) -> Training:
        return Training(feeds={}, loss=steps)

    scenario(toy)
    scenario(tags=["loops", "lstm", "loops"], multiple_of=2)(tagged)

    assert registered()["toy"].tags == ()
    assert registered()["tagged"].tags == ("loops", "lstm")
    assert registered()["tagged"].lengths == Lengths(multiple_of=2)


def test_a_family_is_the_files_name_unless_its_author_names_one() -> None:
    """So scenarios of one file need not be compared, and those of two files can be."""

    def encoder(steps: int) -> Training:
        raise NotImplementedError

    def decoder(steps: int) -> Training:
        raise NotImplementedError

    scenario(encoder)
    scenario(family="decoders-2.0")(decoder)

    families = {name: one.family for name, one in registered().items()}
    assert families == {"encoder": __name__.rpartition(".")[2], "decoder": "decoders-2.0"}


def test_while_a_file_is_loaded_a_mistake_ends_nothing() -> None:
    """The others of the file stay, and the broken one is kept with its reason."""
    with unusable_collected() as broken:
        scenario(_wrong_first)
        scenario(toy)

    assert list(registered()) == ["toy"]
    assert list(broken) == ["_wrong_first"]
    assert "must be what is swept" in broken["_wrong_first"]


def test_a_name_is_taken_once() -> None:
    """The message names both places."""
    scenario(toy)
    with pytest.raises(ScenarioError) as caught:
        scenario(toy)

    place = f"{__file__}:{toy.__code__.co_firstlineno}"
    assert str(caught.value) == f"{place}: scenario 'toy' is defined twice: {place}, {place}"


def test_the_registry_hands_out_copies() -> None:
    """Who empties what it was given empties nothing else."""
    scenario(toy)
    registered().clear()

    assert list(registered()) == ["toy"]


def test_forgetting_empties_the_registry() -> None:
    """A fresh discovery begins with nothing."""
    scenario(toy)
    forget_all()

    assert registered() == {}


def test_a_scenario_without_docstring_or_parameters_is_one() -> None:
    """Both are offers, not duties."""

    def bare(steps: int) -> Training:
        return Training(feeds={}, loss=steps)

    scenario(bare)

    assert registered()["bare"].summary == ""
    assert registered()["bare"].parameters == ()


def _no_argument() -> Training:
    return Training(feeds={}, loss=0)


def _wrong_first(length: float) -> Training:
    return Training(feeds={}, loss=length)


def _steps_by_keyword(*, steps: int = 8) -> Training:
    return Training(feeds={}, loss=steps)


def _any_number(*steps: int) -> Training:
    return Training(feeds={}, loss=steps)


@pytest.mark.parametrize("function", [_no_argument, _wrong_first, _steps_by_keyword, _any_number])
def test_the_first_argument_is_the_axis(function: Callable[..., Training]) -> None:
    """A whole number, passed by position: a keyword-only one is refused too."""
    with pytest.raises(ScenarioError) as caught:
        scenario(function)

    assert str(caught.value).endswith(
        f"'{function.__name__}': its first argument must be what is swept, "
        "such as 'steps: int' or 'units: int'"
    )


def test_the_first_argument_names_the_axis() -> None:
    """Whatever it is called, and annotated or not."""

    def wide(units: int, *, batch: int = 32) -> Training:
        return Training(feeds={}, loss=(units, batch))

    def plain(vocabulary) -> Training:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return Training(feeds={}, loss=vocabulary)

    for function in (toy, plain):
        scenario(function)
    scenario(at_least=8)(wide)

    assert registered()["toy"].lengths.axis == "steps"
    assert registered()["plain"].lengths.axis == "vocabulary"
    assert registered()["wide"].lengths == Lengths(axis="units", at_least=8)


def test_a_scenario_is_built_with_members_of_its_enums() -> None:
    """Points hold their names."""

    def cells(layers: int, *, cell: Cell = Cell.LSTM, clip: float | None = None) -> Training:
        return Training(feeds={}, loss=(layers, cell, clip))

    scenario(cells)
    found = registered()["cells"]

    assert [one.default for one in found.parameters] == ["LSTM", None]
    assert found.built(3, {"cell": "BASIC", "clip": 0.5}).loss == (3, Cell.BASIC, 0.5)


def test_another_parameter_takes_the_place_of_the_first_argument() -> None:
    """Then the parameters say what the first argument is."""

    def cells(steps: int, /, *, batch: int = 32, cell: Cell = Cell.LSTM) -> Training:
        return Training(feeds={}, loss=(steps, batch, cell))

    scenario(cells)
    found = registered()["cells"]

    assert found.built(8, {"batch": 2, "cell": "BASIC"}, "steps").loss == (8, 2, Cell.BASIC)
    assert found.built(8, {"steps": 2, "cell": "BASIC"}, "batch").loss == (2, 8, Cell.BASIC)


def _positional(steps: int, batch: int = 32) -> Training:
    return Training(feeds={}, loss=(steps, batch))


def _without_default(steps: int, *, batch: int) -> Training:
    return Training(feeds={}, loss=(steps, batch))


def _any_keyword(steps: int, **batch: int) -> Training:
    return Training(feeds={}, loss=(steps, batch))


@pytest.mark.parametrize("function", [_positional, _without_default, _any_keyword])
def test_a_parameter_is_keyword_only_with_a_default(function: Callable[..., Training]) -> None:
    """The message names the scenario, its place and the argument."""
    with pytest.raises(ScenarioError) as caught:
        scenario(function)

    line = function.__code__.co_firstlineno
    assert str(caught.value) == (
        f"{__file__}:{line}: scenario '{function.__name__}': "
        "argument 'batch' must be keyword-only and have a default"
    )
