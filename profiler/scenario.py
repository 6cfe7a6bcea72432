"""What a user writes: one decorated function that builds a training graph for a number of steps."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from profiler.errors import ScenarioError, UsageError, did_you_mean

ParameterValue = bool | int | float | str
Gradients = Callable[[Any, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training graph, as a scenario returns it.

    Attributes:
        feeds: input tensor -> array to feed, for every input of the graph.
        loss: scalar tensor to minimise.
        gradients: ``(loss, variables) -> gradients``, one per variable in their
            order; None for the framework's own plain backprop.
    """

    feeds: Mapping[Any, Any]
    loss: Any
    gradients: Gradients | None = None


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One keyword-only argument of a scenario: its type's name, default and allowed values."""

    name: str
    type: str
    default: ParameterValue
    choices: tuple[ParameterValue, ...] = ()

    def parse(self, text: str) -> ParameterValue:
        """Return the value that ``text`` stands for.

        Raises:
            UsageError: if it is not of the parameter's type or not an allowed value.
        """
        try:
            value = _PARSERS[self.type](text)
        except ValueError:
            raise UsageError(f"parameter {self.name!r}: {text!r} is no {self.type}") from None
        if self.choices and value not in self.choices:
            hint = did_you_mean(str(value), map(str, self.choices))
            raise UsageError(f"parameter {self.name!r}: {text!r} is not allowed{hint}")
        return value


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A named family of training graphs, indexed by the number of steps.

    ``returns`` is the type that its annotation names, which is one of a step kind; None for none.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    source: str
    returns: object
    build: Callable[..., Any]


def settings(
    scenario_name: str, parameters: Sequence[Parameter], overrides: Mapping[str, str]
) -> dict[str, ParameterValue]:
    """Return every parameter's value, the defaults overridden by ``name -> text``.

    Raises:
        UsageError: for a parameter that the scenario lacks, or a value it does not take.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in overrides:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"scenario {scenario_name!r} has no parameter {name!r}{hint}")
    return {
        name: parameter.parse(overrides[name]) if name in overrides else parameter.default
        for name, parameter in known.items()
    }


def describe_parameters(parameters: Mapping[str, ParameterValue]) -> str:
    """Return ``batch 32 · units 128`` for a set of parameters."""
    return " · ".join(f"{name} {value}" for name, value in parameters.items())


_registry: dict[str, Scenario] = {}


F = TypeVar("F", bound=Callable[..., Any])


def scenario(function: F) -> F:
    """Register ``function(steps, *, parameter=default, ...)`` under its own name.

    Its return annotation is a type that a framework knows, as ``Training``.

    Raises:
        ScenarioError: if its name is taken or its signature cannot be used.
    """
    new = _describe(function)
    old = _registry.get(new.name)
    if old is not None:
        raise ScenarioError(f"scenario {new.name!r} is defined twice: {old.source}, {new.source}")
    _registry[new.name] = new
    return function


def registered() -> dict[str, Scenario]:
    """Return a copy of what has been registered so far, by name."""
    return dict(_registry)


def restore(known: Mapping[str, Scenario]) -> None:
    """Make the registry hold just these again, as ``registered`` gave them."""
    _registry.clear()
    _registry.update(known)


def forget_all() -> None:
    """Empty the registry (for tests, and before a fresh discovery)."""
    restore({})


def _describe(function: Callable[..., Any]) -> Scenario:
    name = function.__name__
    code = function.__code__
    source = f"{code.co_filename}:{code.co_firstlineno}"
    arguments = list(inspect.signature(function).parameters.values())
    first = arguments[0] if arguments else None
    if first is None or first.name != "steps" or first.kind is first.KEYWORD_ONLY:
        raise ScenarioError(f"scenario {name!r} ({source}): its first argument must be 'steps'")
    hints = typing.get_type_hints(function)
    return Scenario(
        name=name,
        family=function.__module__.rpartition(".")[2],
        summary=(inspect.getdoc(function) or "").partition("\n")[0],
        parameters=tuple(
            _parameter(f"scenario {name!r} ({source})", argument, hints.get(argument.name))
            for argument in arguments[1:]
        ),
        source=source,
        returns=hints.get("return"),
        build=function,
    )


def _parameter(owner: str, argument: inspect.Parameter, hint: Any) -> Parameter:
    if argument.kind is not argument.KEYWORD_ONLY or argument.default is argument.empty:
        raise ScenarioError(
            f"{owner}: argument {argument.name!r} must be keyword-only and have a default"
        )
    choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
    kind = type(choices[0]) if choices else hint
    type_name = kind.__name__ if isinstance(kind, type) else str(kind)
    if type_name not in _PARSERS or isinstance(kind, types.GenericAlias):
        raise ScenarioError(
            f"{owner}: parameter {argument.name!r} must be annotated as one of "
            f"{', '.join(_PARSERS)} or a Literal of them, not {type_name}"
        )
    default = argument.default
    fits = default in choices if choices else type(default).__name__ == type_name
    fits = fits and (not isinstance(default, float) or math.isfinite(default))
    if not fits and not (type_name == "float" and type(default) is int):
        raise ScenarioError(
            f"{owner}: parameter {argument.name!r} has the default {default!r}, "
            f"which is no {type_name} or not one of its choices"
        )
    return Parameter(name=argument.name, type=type_name, default=default, choices=choices)


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


_PARSERS: dict[str, Callable[[str], ParameterValue]] = {
    "int": int,
    "float": _parse_float,
    "bool": _parse_bool,
    "str": str,
}
