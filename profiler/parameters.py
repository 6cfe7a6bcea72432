"""The parameters of a scenario: their types, their values, and how a value is written."""

from __future__ import annotations

import contextlib
import enum
import inspect
import itertools
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from profiler.errors import ScenarioError, UsageError, did_you_mean

Scalar = bool | int | float | str
# An enum's member stands as its name.
ParameterValue = Scalar | tuple[Scalar, ...] | None

_NONE = "none"
_OR_NONE = " | None"
# What a text is quoted for: it separates values, or items, or is the quote itself.
_SPECIAL = re.compile(r'[,()"]|^\s|\s$|^$')
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_INT64 = (1 << 63) - 1
_MOST_COMBINATIONS = 10_000
_ALLOWED = "int, float, bool, str, a Literal, an Enum, a tuple of them, each also with '| None'"


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One keyword-only argument of a scenario.

    ``type`` is its annotation, as ``int``, ``tuple[int, ...]`` or ``str | None``. ``choices`` are
    the only values that it takes, or that its items take; of an enum, its members' names.
    """

    name: str
    type: str
    default: ParameterValue
    choices: tuple[Scalar, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it takes any whole number, and so may be swept."""
        return self._base == "int" and not self.choices

    @property
    def few_values(self) -> tuple[ParameterValue, ...]:
        """Every value that it takes, where these are few; else none."""
        if self._items is not None:
            return ()
        values: tuple[Scalar, ...] = self.choices or ((False, True) if self._base == "bool" else ())
        return (*values, None) if values and self._takes_none else values

    def parse(self, text: str) -> ParameterValue:
        """Return the one value that ``text`` stands for.

        Raises:
            UsageError: if it is not of the parameter's type or not an allowed value.
        """
        if self._takes_none and text.lower() == _NONE and text not in map(_plain, self.choices):
            return None
        try:
            if self._items is None:
                return self._scalar(self._base, text)
            return self._tuple(text)
        except ValueError:
            raise UsageError(
                f"parameter {self.name!r}: {text!r} is not of type {self.type}{self._example}"
            ) from None

    def parse_all(self, text: str) -> list[ParameterValue]:
        """Return the values that a comma separates in ``text``, each once.

        The items of a tuple are separated by commas, too: several tuples stand in parentheses.

        Raises:
            UsageError: if one is not of the parameter's type or not an allowed value.
        """
        parts = [part.strip() for part in _parts(text)]
        one_tuple = self._items is not None and not any(part.startswith("(") for part in parts)
        if len(parts) == 1 or one_tuple or text in map(_plain, self.choices):
            return [self.parse(text)]
        return list(dict.fromkeys(map(self.parse, parts)))

    @property
    def _takes_none(self) -> bool:
        return self.type.endswith(_OR_NONE)

    @property
    def _base(self) -> str:
        return self.type.removesuffix(_OR_NONE)

    @property
    def _items(self) -> list[str] | None:
        """The types of a tuple's items, the last one ``...`` for any number; None for no tuple."""
        match = re.fullmatch(r"tuple\[(.*)\]", self._base)
        return match[1].split(", ") if match else None

    @property
    def _example(self) -> str:
        """How a tuple is written."""
        if self._items is None:
            return ""
        items = [self._items[0]] * 2 if self._items[-1] == "..." else self._items
        some = value_text(self.choices[0]) if self.choices else None
        return f": write it as {','.join(some or _EXAMPLES[item] for item in items)}"

    def _tuple(self, text: str) -> tuple[Scalar, ...]:
        inner = text.strip()
        if inner.startswith("(") and inner.endswith(")"):
            inner = inner[1:-1]
        texts = [part.strip() for part in _parts(inner)] if inner.strip() else []
        if len(texts) > 1 and not texts[-1]:  # as Python writes a tuple of one item
            texts.pop()
        items = self._items or []
        if items[-1] == "...":
            items = [items[0]] * len(texts)
        return tuple(self._scalar(*pair) for pair in zip(items, texts, strict=True))

    def _scalar(self, kind: str, text: str) -> Scalar:
        text = _unquoted(text)
        if not self.choices:
            return _PARSERS[kind](text)
        written = {_plain(choice): choice for choice in self.choices}
        for shown in (text, *_other_writings(text, kind)):
            if shown in written:
                return written[shown]
        hint = did_you_mean(text, written)
        raise UsageError(f"parameter {self.name!r}: {text!r} is not allowed{hint}")


def declared(
    owner: str, argument: inspect.Parameter, hint: Any
) -> tuple[Parameter, type[enum.Enum] | None]:
    """Return a keyword-only argument as a parameter, and the enum that it takes members of.

    Args:
        owner: the scenario and its place, for messages.
        argument: as its signature has it.
        hint: its annotation.

    Raises:
        ScenarioError: if its annotation or its default cannot be used.
    """
    if argument.kind is not argument.KEYWORD_ONLY or argument.default is argument.empty:
        raise ScenarioError(
            f"{owner}: argument {argument.name!r} must be keyword-only and have a default"
        )
    try:
        type_name, choices, members = _annotation(hint)
    except TypeError:
        shown = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else hint
        raise ScenarioError(
            f"{owner}: parameter {argument.name!r} must be annotated as one of "
            f"{_ALLOWED}, not {shown}"
        ) from None
    parameter = Parameter(name=argument.name, type=type_name, default=None, choices=choices)
    default = _named(argument.default, members)
    try:
        value = parameter.parse(value_text(default))
        fits = value == default
    except UsageError:
        fits = False
    # Equal alone is not enough: True == 1. An int is a float, too.
    if not fits or not (_types(value) == _types(default) or "float" in type_name):
        raise ScenarioError(
            f"{owner}: parameter {argument.name!r} has the default {argument.default!r}, "
            f"which is not of type {type_name}, or not one of its choices"
        )
    return msgspec.structs.replace(parameter, default=value), members


def combinations(
    scenario_name: str, parameters: Sequence[Parameter], overrides: Mapping[str, str]
) -> list[dict[str, ParameterValue]]:
    """Return every combination of the parameters' values, the defaults overridden by texts.

    Raises:
        UsageError: for a parameter that the scenario lacks, or a value it does not take.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in overrides:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"scenario {scenario_name!r} has no parameter {name!r}{hint}")
    values = [
        parameter.parse_all(overrides[name]) if name in overrides else [parameter.default]
        for name, parameter in known.items()
    ]
    count = math.prod(map(len, values))
    if count > _MOST_COMBINATIONS:
        raise UsageError(
            f"scenario {scenario_name!r}: these values make {count} combinations; "
            f"{_MOST_COMBINATIONS} are allowed"
        )
    return [dict(zip(known, chosen, strict=True)) for chosen in itertools.product(*values)]


def arguments_of(
    values: Mapping[str, ParameterValue], enums: Mapping[str, type[enum.Enum]]
) -> dict[str, Any]:
    """Return the values as the scenario's function takes them: members in place of their names."""
    return {
        name: _members(value, enums[name]) if name in enums else value
        for name, value in values.items()
    }


def value_text(value: ParameterValue) -> str:
    """Return a value as ``--set`` takes it: ``32``, ``true``, ``none``, ``(128,64)``."""
    if isinstance(value, tuple):
        return f"({','.join(map(value_text, value))})"
    text = _plain(value)
    return json.dumps(text, ensure_ascii=False) if _SPECIAL.search(text) else text


def describe_parameters(parameters: Mapping[str, ParameterValue]) -> str:
    """Return ``batch 32 · layers (128,64)`` for a set of parameters."""
    return " · ".join(f"{name} {value_text(value)}" for name, value in parameters.items())


def _plain(value: Scalar | None) -> str:
    """Return a value without quotes."""
    if value is None:
        return _NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _other_writings(text: str, kind: str) -> Iterator[str]:
    """Yield how the value that a text stands for is written: ``1`` as a bool is ``true``."""
    for name in kind.split(" | "):
        with contextlib.suppress(ValueError, KeyError):  # an enum has no parser
            yield _plain(_PARSERS[name](text))


def _parts(text: str) -> Iterator[str]:
    """Yield what the commas outside of quotes and parentheses separate."""
    unquoted = _QUOTED.sub(lambda match: "_" * len(match[0]), text)
    depth, start = 0, 0
    for at, sign in enumerate(unquoted):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _unquoted(text: str) -> str:
    """Return a text without its quotes.

    Raises:
        ValueError: if it is badly quoted.
    """
    return str(json.loads(text)) if _QUOTED.fullmatch(text) else text


def _annotation(hint: Any) -> tuple[str, tuple[Scalar, ...], type[enum.Enum] | None]:
    """Return the type's name, its choices, and the enum whose members it takes.

    Raises:
        TypeError: for an annotation that no parameter may have.
    """
    inner, takes_none = _without_none(hint)
    if typing.get_origin(inner) is tuple:
        name, choices, members = _tuple_annotation(typing.get_args(inner))
    else:
        name, choices, members = _scalar_annotation(inner)
    return name + _OR_NONE * takes_none, choices, members


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return an annotation without its ``| None``, and whether it had one."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    rest = tuple(one for one in args if one not in {types.NoneType, None})
    if len(rest) == len(args) or origin not in {typing.Literal, typing.Union, types.UnionType}:
        return hint, False
    if origin is typing.Literal:
        return typing.Literal[rest], True
    if len(rest) != 1:
        raise TypeError(hint)
    return rest[0], True


def _tuple_annotation(
    args: tuple[Any, ...],
) -> tuple[str, tuple[Scalar, ...], type[enum.Enum] | None]:
    kinds = [_scalar_annotation(one) for one in args if one is not ...]
    if len({kind[1:] for kind in kinds}) != 1:
        raise TypeError(args)
    names = [kind[0] for kind in kinds] + ["..."] * (... in args)
    return f"tuple[{', '.join(names)}]", *kinds[0][1:]


def _scalar_annotation(hint: Any) -> tuple[str, tuple[Scalar, ...], type[enum.Enum] | None]:
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        names = tuple(member.name for member in hint)
        if not names:
            raise TypeError(hint)
        return hint.__name__, names, hint
    if typing.get_origin(hint) is typing.Literal:
        choices = typing.get_args(hint)
        names = tuple(dict.fromkeys(type(one).__name__ for one in choices))
        distinct = {_plain(one) for one in choices}
        if not set(names) <= set(_PARSERS) or len(distinct) < len(choices):
            raise TypeError(hint)
        return " | ".join(names), choices, None
    if not isinstance(hint, type) or hint.__name__ not in _PARSERS or typing.get_args(hint):
        raise TypeError(hint)
    return hint.__name__, (), None


def _types(value: Any) -> list[type]:
    return [type(one) for one in (value if isinstance(value, tuple) else [value])]


def _named(value: Any, members: type[enum.Enum] | None) -> Any:
    """Return a default with the names of an enum's members in their place."""
    if members is None or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_named(one, members) for one in value)
    return value.name if isinstance(value, members) else ...


def _members(value: ParameterValue, members: type[enum.Enum]) -> Any:
    if isinstance(value, tuple):
        return tuple(members[str(one)] for one in value)
    return None if value is None else members[str(value)]


def _parse_int(text: str) -> int:
    value = int(text)
    if abs(value) > _INT64:
        raise ValueError(text)
    return value


def _parse_bool(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # JSON has no number for it
        raise ValueError(text)
    return value


def _parse_str(text: str) -> str:
    text.encode()  # JSON can write half a character that nothing else can hold
    return text


_EXAMPLES = {"int": "128", "float": "0.5", "bool": "true", "str": "a"}
_PARSERS: dict[str, Callable[[str], Scalar]] = {
    "int": _parse_int,
    "float": _parse_float,
    "bool": _parse_bool,
    "str": _parse_str,
}
