"""A decorated function becomes a scenario, or a message that says what to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import pytest

from profiler.errors import ScenarioError, UsageError
from profiler.lengths import Lengths
from profiler.scenario import (
    Parameter,
    ParameterValue,
    Training,
    forget_all,
    registered,
    scenario,
    settings,
    unusable_collected,
)

BATCH = Parameter(name="batch", type="int", default=32)
CELL = Parameter(name="cell", type="str", default="basic", choices=("basic", "lstm", "gru"))


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
        ({"multiple_of": 0}, "multiple_of must be a whole number from 1 on, not 0"),
        ({"at_least": 2.5}, "at_least must be a whole number from 1 on, not 2.5"),
        ({"multiple_off": 2}, "@scenario takes no 'multiple_off' (did you mean 'multiple_of'?)"),
        ({"tag": ("a",)}, "@scenario takes no 'tag' (did you mean 'tags'?)"),
        ({"tags": "seed"}, "tags must be texts, as ('loops', 'lstm'), not 'seed'"),
        ({"tags": ("seed", 3)}, "tags must be texts, as ('loops', 'lstm'), not ('seed', 3)"),
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


def test_while_a_file_is_loaded_a_mistake_ends_nothing() -> None:
    """The others of the file stay, and the broken one is kept with its reason."""
    with unusable_collected() as broken:
        scenario(_wrong_first)
        scenario(toy)

    assert list(registered()) == ["toy"]
    assert list(broken) == ["_wrong_first"]
    assert "must be 'steps'" in broken["_wrong_first"]


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


def _wrong_first(length: int) -> Training:
    return Training(feeds={}, loss=length)


def _steps_by_keyword(*, steps: int = 8) -> Training:
    return Training(feeds={}, loss=steps)


@pytest.mark.parametrize("function", [_no_argument, _wrong_first, _steps_by_keyword])
def test_the_first_argument_is_steps(function: Callable[..., Training]) -> None:
    """It is passed by position, so a keyword-only one is refused too."""
    with pytest.raises(ScenarioError, match=f"'{function.__name__}': .* must be 'steps'"):
        scenario(function)


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


def _of_list(steps: int, *, batch: list[int] = []) -> Training:  # noqa: B006 (never called)
    return Training(feeds={}, loss=(steps, batch))


def _of_optional(steps: int, *, batch: int | None = None) -> Training:
    return Training(feeds={}, loss=(steps, batch))


def _of_bytes(steps: int, *, batch: bytes = b"") -> Training:
    return Training(feeds={}, loss=(steps, batch))


def _of_nothing(steps: int, *, batch=32) -> Training:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return Training(feeds={}, loss=(steps, batch))


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (_of_list, "list"),
        (_of_optional, "int | None"),
        (_of_bytes, "bytes"),
        (_of_nothing, "None"),
    ],
)
def test_a_parameter_is_a_plain_value(function: Callable[..., Training], named: str) -> None:
    """The message lists the types that may be used and the one that was."""
    with pytest.raises(ScenarioError) as caught:
        scenario(function)

    assert "annotated as one of int, float, bool, str or a Literal of them" in str(caught.value)
    assert named in str(caught.value).rpartition("not ")[2]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "7", 7),
        ("int", "-7", -7),
        ("float", "1e-3", 1e-3),
        ("float", "2", 2.0),
        ("str", " as it is ", " as it is "),
        ("bool", "true", True),
        ("bool", "YES", True),
        ("bool", "1", True),
        ("bool", "False", False),
        ("bool", "no", False),
        ("bool", "0", False),
    ],
)
def test_a_text_becomes_the_parameters_type(kind: str, text: str, value: ParameterValue) -> None:
    """``--set name=text`` gives what the scenario's annotation promises."""
    parsed = Parameter(name="p", type=kind, default=value).parse(text)

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("int", "7.5"), ("float", "much"), ("float", "inf"), ("float", "nan"), ("bool", "2")],
)
def test_a_text_of_another_type_is_refused(kind: str, text: str) -> None:
    """The message names parameter, text and type."""
    with pytest.raises(UsageError, match=f"parameter 'p': '{text}' is no {kind}"):
        Parameter(name="p", type=kind, default=0).parse(text)


def test_a_value_outside_the_choices_is_refused() -> None:
    """The nearest allowed value is offered."""
    with pytest.raises(UsageError) as caught:
        CELL.parse("lstn")

    assert str(caught.value) == "parameter 'cell': 'lstn' is not allowed (did you mean 'lstm'?)"


def test_a_numbers_choices_are_numbers() -> None:
    """A Literal of integers is parsed before it is looked up."""
    layers = Parameter(name="layers", type="int", default=1, choices=(1, 2))

    assert layers.parse("2") == 2
    with pytest.raises(UsageError, match=r"'3' is not allowed \(allowed: 1, 2\)"):
        layers.parse("3")


def test_settings_are_the_defaults_and_what_was_overridden() -> None:
    """Every parameter has its value, in the scenario's order."""
    values = settings("toy", [BATCH, CELL], {"cell": "gru"})

    assert list(values.items()) == [("batch", 32), ("cell", "gru")]


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    """Nothing is set silently."""
    with pytest.raises(UsageError) as caught:
        settings("toy", [BATCH, CELL], {"batsh": "1"})

    assert str(caught.value) == "scenario 'toy' has no parameter 'batsh' (did you mean 'batch'?)"


def test_a_scenario_without_parameters_takes_none() -> None:
    """The message does not offer an empty list."""
    with pytest.raises(UsageError) as caught:
        settings("bare", [], {"batch": "1"})

    assert str(caught.value) == "scenario 'bare' has no parameter 'batch'"


@pytest.mark.parametrize(
    ("hint", "default"),
    [(int, "thirty"), (int, None), (float, math.inf), (Literal["basic", "lstm"], "gru")],
)
def test_a_default_is_of_its_own_annotation(hint: Any, default: Any) -> None:
    """What could never be set is no default."""

    def odd(steps: int, *, batch: Any = default) -> Training:
        return Training(feeds={}, loss=(steps, batch))

    odd.__annotations__["batch"] = hint

    with pytest.raises(ScenarioError, match="batch"):
        scenario(odd)
