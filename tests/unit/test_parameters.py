"""The values that a scenario's parameters take: declared, written, read, and stored."""

from __future__ import annotations

import enum
import inspect
import math
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import ScenarioError, UsageError
from profiler.facts import Point, decode, encode, replace
from profiler.parameters import (
    Parameter,
    ParameterValue,
    arguments_of,
    combinations,
    declared,
    describe_parameters,
    value_text,
)


class Cell(enum.Enum):
    """Two cells."""

    BASIC = "a basic cell"
    LSTM = "long short-term memory"


class Level(enum.IntEnum):
    """Two levels."""

    LOW = 1
    HIGH = 2


BATCH = Parameter(name="batch", type="int", default=32)
CELL = Parameter(name="cell", type="str", default="basic", choices=("basic", "lstm", "gru"))
LAYERS = Parameter(name="layers", type="tuple[int, ...]", default=(128,))
CLIP = Parameter(name="clip", type="float | None", default=None)
POINT = Point(framework="toy", scenario="toy", family="toys", parameters={}, steps=1)

TEXTS = st.text(max_size=8)
INTS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": INTS,
    "float": FLOATS,
    "bool": st.booleans(),
    "str": TEXTS,
}


def of(hint: Any, default: Any) -> tuple[Parameter, type[enum.Enum] | None]:
    """Return what an argument of this annotation and default is declared as."""
    argument = inspect.Parameter("p", inspect.Parameter.KEYWORD_ONLY, default=default)
    return declared("here", argument, hint)


@st.composite
def parameters(draw: st.DrawFn) -> tuple[Parameter, ParameterValue]:
    """Return a parameter of some type, and one of its values."""
    kind = draw(st.sampled_from([*SCALARS]))
    one = SCALARS[kind]
    shape = draw(st.sampled_from(["one", "any", "three"]))
    value: ParameterValue
    if shape == "one":
        name, value = kind, draw(one)
    elif shape == "any":
        name, value = f"tuple[{kind}, ...]", tuple(draw(st.lists(one, max_size=4)))
    else:
        name, value = f"tuple[{kind}, int, {kind}]", (draw(one), draw(INTS), draw(one))
    if draw(st.booleans()):
        name += " | None"
        value = draw(st.sampled_from([value, None]))
        if isinstance(value, str) and value.lower() == "none":
            value = "some"
    return Parameter(name="p", type=name, default=value), value


def is_same(one: ParameterValue, other: ParameterValue) -> bool:
    """Whether two values are equal and of equal types, also of their items."""
    return one == other and repr(one) == repr(other)


class TestText:
    """A value is written so that it is read again."""

    @given(parameters())
    def test_what_is_written_is_read_as_it_was(
        self, made: tuple[Parameter, ParameterValue]
    ) -> None:
        """Of every type: parse(text(value)) == value, also as one value of a list."""
        parameter, value = made

        assert is_same(parameter.parse(value_text(value)), value)
        assert is_same(parameter.parse_all(value_text(value))[0], value)
        assert len(parameter.parse_all(value_text(value))) == 1

    @given(st.lists(parameters(), min_size=1, max_size=1), st.data())
    def test_several_values_are_read_one_by_one(
        self, made: list[tuple[Parameter, ParameterValue]], data: st.DataObject
    ) -> None:
        """Joined by commas, whatever they hold themselves; a tuple stands in parentheses."""
        ((parameter, first),) = made
        kind = parameter.type.removesuffix(" | None")
        others = [] if kind.startswith("tuple") else data.draw(st.lists(SCALARS[kind], max_size=3))
        values = [first, *(one for one in others if str(one).lower() != "none")]
        texts = ",".join(map(value_text, values))

        assert parameter.parse_all(texts) == list(dict.fromkeys(values))

    @given(parameters())
    def test_a_stored_value_is_what_it_was(self, made: tuple[Parameter, ParameterValue]) -> None:
        """A point comes back from the database with equal parameters and an equal key."""
        point = replace(POINT, parameters={"p": made[1]})
        stored = decode(Point, encode(point))

        assert is_same(stored.parameters["p"], made[1])
        assert stored.key == point.key
        assert decode(Parameter, encode(made[0])) == made[0]

    def test_parameters_are_described_as_they_are_set(self) -> None:
        """In every text, table and page."""
        values: dict[str, ParameterValue] = {"layers": (128, 64), "clip": None, "deep": True}

        assert describe_parameters(values) == "layers (128,64) · clip none · deep true"

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a,b", '"a,b"'),
            ("(a)", '"(a)"'),
            ("", '""'),
            ("a b", "a b"),
            (("a,b", "c"), '("a,b",c)'),
        ],
    )
    def test_a_text_that_could_be_misread_is_quoted(self, value: ParameterValue, text: str) -> None:
        """Commas and parentheses belong to lists and tuples."""
        assert value_text(value) == text


class TestDeclared:
    """Annotations become parameters, or a line that says what may be used."""

    @pytest.mark.parametrize(
        ("hint", "default", "type_name", "choices", "stored"),
        [
            (int, 32, "int", (), 32),
            (float, 1, "float", (), 1.0),
            (int | None, None, "int | None", (), None),
            (Optional[str], "a", "str | None", (), "a"),  # noqa: UP045 (as people write it)
            (tuple[int, ...], (128, 64), "tuple[int, ...]", (), (128, 64)),
            (tuple[int, ...], (), "tuple[int, ...]", (), ()),
            (tuple[int, float], (1, 2), "tuple[int, float]", (), (1, 2.0)),
            (tuple[int, int] | None, None, "tuple[int, int] | None", (), None),
            (Literal["a", "b"], "b", "str", ("a", "b"), "b"),
            (Literal["a", None], None, "str | None", ("a",), None),  # noqa: PYI061
            (Literal[False, "auto"], "auto", "bool | str", (False, "auto"), "auto"),
            (tuple[Literal["a", "b"], ...], ("a",), "tuple[str, ...]", ("a", "b"), ("a",)),
            (Cell, Cell.LSTM, "Cell", ("BASIC", "LSTM"), "LSTM"),
            (Level, Level.LOW, "Level", ("LOW", "HIGH"), "LOW"),
            (Cell | None, None, "Cell | None", ("BASIC", "LSTM"), None),
            (tuple[Cell, ...], (Cell.LSTM,), "tuple[Cell, ...]", ("BASIC", "LSTM"), ("LSTM",)),
        ],
    )
    def test_an_annotation_is_a_type(
        self, hint: Any, default: Any, type_name: str, choices: Any, stored: ParameterValue
    ) -> None:
        """An enum's members are known by their names."""
        found, _ = of(hint, default)

        assert (found.type, found.choices) == (type_name, choices)
        assert is_same(found.default, stored)

    @pytest.mark.parametrize(
        "hint",
        [
            list[int],
            dict[str, None],
            bytes,
            None,
            int | str,
            int | str | None,
            tuple,
            tuple[()],
            tuple[bytes, ...],
            tuple[int | None, ...],
            tuple[int, Literal["a"]],
            Literal[1, "1"],
            Literal[b"a"],
        ],
    )
    def test_other_annotations_are_refused(self, hint: Any) -> None:
        """The line says which ones may be used, and which one was."""
        with pytest.raises(ScenarioError) as caught:
            of(hint, 1)

        message = str(caught.value)
        assert message.startswith("here: parameter 'p' must be annotated as one of int, float")
        assert (getattr(hint, "__name__", "") or str(hint)) in message.rpartition("not ")[2]

    @pytest.mark.parametrize(
        ("hint", "default"),
        [
            (int, "thirty"),
            (int, None),
            (int, True),
            (str, None),
            (bool, 1),
            (float, math.inf),
            (float, True),
            (Literal["basic", "lstm"], "gru"),
            (tuple[int, ...], 1),
            (tuple[int, ...], ("1",)),
            (tuple[int, ...], [1]),
            (tuple[int, int], (1,)),
            (Cell, "LSTM"),
            (Cell, None),
            (str | None, "none"),
        ],
    )
    def test_a_default_is_of_its_own_annotation(self, hint: Any, default: Any) -> None:
        """What could never be set is no default."""
        with pytest.raises(ScenarioError, match=r"'p' has the default .*, which is not of type "):
            of(hint, default)

    def test_the_function_gets_members_of_its_enum(self) -> None:
        """Their names are only stored."""
        _, members = of(Cell, Cell.BASIC)
        assert members is Cell
        values: dict[str, ParameterValue] = {"a": "LSTM", "b": ("LSTM", "BASIC"), "c": None, "d": 2}
        enums: dict[str, type[enum.Enum]] = {"a": Cell, "b": Cell, "c": Cell}

        assert arguments_of(values, enums) == {
            "a": Cell.LSTM,
            "b": (Cell.LSTM, Cell.BASIC),
            "c": None,
            "d": 2,
        }

    def test_few_values_can_all_be_tried(self) -> None:
        """Those of a choice, an enum or a bool; none of what takes any number."""
        assert of(bool | None, None)[0].few_values == (False, True, None)
        assert of(Cell, Cell.LSTM)[0].few_values == ("BASIC", "LSTM")
        assert BATCH.few_values == LAYERS.few_values == CLIP.few_values == ()
        assert of(tuple[Cell, ...], ())[0].few_values == ()


class TestParse:
    """``--set name=text``."""

    @pytest.mark.parametrize(
        ("kind", "text", "value"),
        [
            ("int", "7", 7),
            ("int", "-7", -7),
            ("float", "1e-3", 1e-3),
            ("float", "2", 2.0),
            ("str", " as it is ", " as it is "),
            ("str", "none", "none"),
            ("bool", "true", True),
            ("bool", "YES", True),
            ("bool", "1", True),
            ("bool", "False", False),
            ("bool", "no", False),
            ("bool", "0", False),
            ("int | None", "none", None),
            ("int | None", "None", None),
            ("int | None", "3", 3),
            ("tuple[int, ...]", "128,64", (128, 64)),
            ("tuple[int, ...]", "(128, 64)", (128, 64)),
            ("tuple[int, ...]", "128", (128,)),
            ("tuple[int, ...]", "(128,)", (128,)),
            ("tuple[int, ...]", "()", ()),
            ("tuple[str, int]", '"a,b",2', ("a,b", 2)),
        ],
    )
    def test_a_text_becomes_the_parameters_type(
        self, kind: str, text: str, value: ParameterValue
    ) -> None:
        """As the scenario's annotation promises."""
        assert is_same(Parameter(name="p", type=kind, default=value).parse(text), value)

    @pytest.mark.parametrize(
        ("kind", "text"),
        [
            ("int", "7.5"),
            ("int", "none"),
            ("int", str(2**63)),
            ("float", "much"),
            ("float", "inf"),
            ("float", "nan"),
            ("bool", "2"),
            ("float | None", "nothing"),
        ],
    )
    def test_a_text_of_another_type_is_refused(self, kind: str, text: str) -> None:
        """The message names parameter, text and type."""
        with pytest.raises(UsageError) as caught:
            Parameter(name="p", type=kind, default=0).parse(text)

        assert str(caught.value) == f"parameter 'p': {text!r} is not of type {kind}"

    @pytest.mark.parametrize(
        ("kind", "text", "example"),
        [
            ("tuple[int, ...]", "128x64", "128,128"),
            ("tuple[int, int]", "128", "128,128"),
            ("tuple[int, float, str]", "1,2", "128,0.5,a"),
        ],
    )
    def test_how_a_tuple_is_written_is_told(self, kind: str, text: str, example: str) -> None:
        """Where one could not be read."""
        with pytest.raises(UsageError) as caught:
            Parameter(name="p", type=kind, default=()).parse(text)

        said = f"parameter 'p': {text!r} is not of type {kind}: write it as {example}"
        assert str(caught.value) == said

    def test_a_value_outside_the_choices_is_refused(self) -> None:
        """The nearest allowed value is offered."""
        with pytest.raises(UsageError) as caught:
            CELL.parse("lstn")

        assert str(caught.value) == "parameter 'cell': 'lstn' is not allowed (did you mean 'lstm'?)"

    def test_a_numbers_choices_are_numbers(self) -> None:
        """A Literal of integers is parsed before it is looked up."""
        layers = Parameter(name="layers", type="int", default=1, choices=(1, 2))

        assert layers.parse("2") == 2
        assert layers.parse("02") == 2
        with pytest.raises(UsageError, match=r"'3' is not allowed \(allowed: 1, 2\)"):
            layers.parse("3")

    def test_an_enums_member_is_named(self) -> None:
        """By its name, not by its value; the names are offered."""
        cell, _ = of(Cell, Cell.LSTM)

        assert cell.parse("BASIC") == "BASIC"
        with pytest.raises(UsageError, match=r"'gru' is not allowed \(allowed: BASIC, LSTM\)"):
            cell.parse("gru")


class TestCombinations:
    """Several values for a parameter make a grid."""

    def test_they_are_the_defaults_and_what_was_overridden(self) -> None:
        """Every parameter has its value, in the scenario's order."""
        (values,) = combinations("toy", [BATCH, CELL], {"cell": "gru"})

        assert list(values.items()) == [("batch", 32), ("cell", "gru")]

    def test_several_values_are_multiplied(self) -> None:
        """The last parameter changes fastest; each value counts once."""
        grid = combinations("toy", [BATCH, CELL], {"cell": "gru,basic", "batch": "16,32,16"})

        assert grid == [
            {"batch": 16, "cell": "gru"},
            {"batch": 16, "cell": "basic"},
            {"batch": 32, "cell": "gru"},
            {"batch": 32, "cell": "basic"},
        ]

    def test_a_comma_separates_a_tuples_items_or_tuples_in_parentheses(self) -> None:
        """A tuple alone needs no parentheses."""
        optional = Parameter(name="o", type="tuple[int, ...] | None", default=None)

        assert LAYERS.parse_all("128,64") == [(128, 64)]
        assert LAYERS.parse_all("(128,64),(256)") == [(128, 64), (256,)]
        assert optional.parse_all("none,(128,64)") == [None, (128, 64)]
        assert CLIP.parse_all("none,0.5") == [None, 0.5]

    def test_a_choice_that_holds_a_comma_is_one_value(self) -> None:
        """Where the whole text is a choice."""
        odd = Parameter(name="odd", type="str", default="a,b", choices=("a,b", "c"))

        assert odd.parse_all("a,b") == ["a,b"]
        assert odd.parse_all('"a,b",c') == ["a,b", "c"]

    def test_half_a_character_is_no_text(self) -> None:
        """JSON writes it, and neither a file nor a database holds it."""
        with pytest.raises(UsageError, match="is not of type str"):
            Parameter(name="name", type="str", default="a").parse(r'"\ud800"')

    def test_more_combinations_than_could_be_run_are_refused(self) -> None:
        """Before they are made: a few values each make far too many."""
        sizes = [Parameter(name=name, type="int", default=1) for name in "abcdef"]
        values = ",".join(map(str, range(100)))
        with pytest.raises(UsageError, match="1000000000000 combinations; 10000 are allowed"):
            combinations("toy", sizes, dict.fromkeys("abcdef", values))

    def test_an_unknown_parameter_is_refused_with_the_nearest(self) -> None:
        """Nothing is set silently."""
        with pytest.raises(UsageError) as caught:
            combinations("toy", [BATCH, CELL], {"batsh": "1"})

        assert str(caught.value) == (
            "scenario 'toy' has no parameter 'batsh' (did you mean 'batch'?)"
        )

    def test_a_scenario_without_parameters_takes_none(self) -> None:
        """The message does not offer an empty list."""
        with pytest.raises(UsageError) as caught:
            combinations("bare", [], {"batch": "1"})

        assert str(caught.value) == "scenario 'bare' has no parameter 'batch'"
