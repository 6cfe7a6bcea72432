"""What a user writes: one decorated function that builds a training graph for a number of steps."""

from __future__ import annotations

import contextlib
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import msgspec

from profiler.errors import ScenarioError, UsageError, did_you_mean
from profiler.lengths import ANY, Lengths

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
        optimizer: what updates the variables, by ``apply_gradients(pairs)``; None for plain
            gradient descent.
        update: the author's own train operation, with its gradients, clipping and schedules; it
            takes the place of ``gradients`` and ``optimizer``.
        initialize: operations to run once, in this order, after the variables have their first
            values: tables, local variables, iterators.
        fetches: tensors that each training step returns beside the loss, as its last state.
    """

    feeds: Mapping[Any, Any]
    loss: Any
    gradients: Gradients | None = None
    optimizer: Any = None
    update: Any = None
    initialize: Sequence[Any] = ()
    fetches: Sequence[Any] = ()


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
    ``lengths`` are the numbers of steps that it may be built for. ``tags`` are what its author
    calls it, for commands that take many at once.
    """

    name: str
    family: str
    summary: str
    parameters: tuple[Parameter, ...]
    source: str
    returns: object
    build: Callable[..., Any]
    lengths: Lengths = ANY
    tags: tuple[str, ...] = ()


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
# Of a file that is being loaded: the message of each scenario that cannot be used, by its name.
_unusable: dict[str, str] | None = None


F = TypeVar("F", bound=Callable[..., Any])


@overload
def scenario(function: F, /) -> F: ...


@overload
def scenario(
    *, multiple_of: int = ..., at_least: int = ..., tags: Sequence[str] = ...
) -> Callable[[F], F]: ...


def scenario(function: F | None = None, /, **options: Any) -> F | Callable[[F], F]:
    """Register ``function(steps, *, parameter=default, ...)`` under its own name.

    Its return annotation is a type that a framework knows, as ``Training``. As
    ``@scenario(multiple_of=20, at_least=40)`` it is only run at multiples of 20 from 40 steps on.
    ``@scenario(tags=("loops", "lstm"))`` lets ``--tag loops`` choose it.

    Raises:
        ScenarioError: if its name is taken, or its signature or an option cannot be used.
    """

    def register(function: F) -> F:
        try:
            _register(_describe(function, options))
        except ScenarioError as error:
            if _unusable is None:
                raise
            _unusable[getattr(function, "__name__", str(function))] = str(error)
        return function

    return register if function is None else register(function)


def _register(new: Scenario) -> None:
    old = _registry.get(new.name)
    if old is not None:
        places = f"{old.source}, {new.source}"
        raise ScenarioError(f"{new.source}: scenario {new.name!r} is defined twice: {places}")
    _registry[new.name] = new


@contextlib.contextmanager
def unusable_collected() -> Iterator[dict[str, str]]:
    """Begin with an empty registry, and let scenarios that cannot be used not end the import.

    Yields:
        the message of each such scenario, by its name.
    """
    global _unusable  # noqa: PLW0603 (the decorator has no other way to its loader)
    forget_all()
    _unusable = {}
    try:
        yield _unusable
    finally:
        _unusable = None


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


def _describe(function: Callable[..., Any], options: Mapping[str, Any]) -> Scenario:
    if not inspect.isfunction(function):
        raise ScenarioError(f"@scenario: {function!r} is no function")
    name = function.__name__
    code = function.__code__
    source = f"{code.co_filename}:{code.co_firstlineno}"
    owner = f"{source}: scenario {name!r}"
    arguments = list(inspect.signature(function).parameters.values())
    first = arguments[0] if arguments else None
    if first is None or first.name != "steps" or first.kind is first.KEYWORD_ONLY:
        raise ScenarioError(f"{owner}: its first argument must be 'steps'")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        reason = f"its annotations cannot be read: {type(error).__name__}: {error}"
        raise ScenarioError(f"{owner}: {reason}") from error
    return Scenario(
        name=name,
        family=function.__module__.rpartition(".")[2],
        summary=(inspect.getdoc(function) or "").partition("\n")[0],
        parameters=tuple(
            _parameter(owner, argument, hints.get(argument.name)) for argument in arguments[1:]
        ),
        source=source,
        returns=hints.get("return"),
        build=function,
        lengths=_lengths(owner, options),
        tags=_tags(owner, options.get("tags", ())),
    )


def _lengths(owner: str, options: Mapping[str, Any]) -> Lengths:
    allowed = Lengths.__struct_fields__
    for name in options:
        if name not in (*allowed, "tags"):
            hint = did_you_mean(name, (*allowed, "tags"))
            raise ScenarioError(f"{owner}: @scenario takes no {name!r}{hint}")
    given = {name: value for name, value in options.items() if name in allowed}
    for name, value in given.items():
        if type(value) is not int or value < 1:
            raise ScenarioError(f"{owner}: {name} must be a whole number from 1 on, not {value!r}")
    return Lengths(**given)


def _tags(owner: str, tags: Any) -> tuple[str, ...]:
    fits = isinstance(tags, list | tuple) and all(isinstance(tag, str) and tag for tag in tags)
    if not fits:
        raise ScenarioError(f"{owner}: tags must be texts, as ('loops', 'lstm'), not {tags!r}")
    return tuple(dict.fromkeys(tags))


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
