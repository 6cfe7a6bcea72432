"""What a user writes: one decorated function that builds a training graph for a number of steps."""

from __future__ import annotations

import contextlib
import enum
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from profiler.errors import ScenarioError, did_you_mean
from profiler.lengths import ANY, Lengths
from profiler.parameters import Parameter, ParameterValue, arguments_of, declared

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
        fetches: tensors that each training step returns besides the loss, such as its last state.
        each_step: what the author's own loop does before each training step; it is called with
            the session.
    """

    feeds: Mapping[Any, Any]
    loss: Any
    gradients: Gradients | None = None
    optimizer: Any = None
    update: Any = None
    initialize: Sequence[Any] = ()
    fetches: Sequence[Any] = ()
    each_step: Callable[[Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A named family of training graphs, indexed by the number of steps, or by another number.

    ``returns`` is the type that its annotation names, which is one of a step kind; None for none.
    ``lengths`` are the numbers that it may be built for, and the name of their axis: that of the
    function's first argument. ``tags`` are what its author calls it, for commands that take many
    at once. ``enums``: by the name of the parameter, the enum that it takes members of.
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
    enums: Mapping[str, type[enum.Enum]] = field(default_factory=dict)

    def built(
        self, number: int, parameters: Mapping[str, ParameterValue], axis: str | None = None
    ) -> Any:
        """Return what the function returns for this number on the axis and these parameters.

        ``axis``: where it is not the first argument, the parameters say the first argument.
        """
        arguments = arguments_of(parameters, self.enums)
        if axis in {None, self.lengths.axis}:
            return self.build(number, **arguments)
        return self.build(arguments.pop(self.lengths.axis), **{**arguments, str(axis): number})


_registry: dict[str, Scenario] = {}
# Of a file that is being loaded: the message of each scenario that cannot be used, by its name.
_unusable: dict[str, str] | None = None


_FAMILY = re.compile(r"\w[\w.-]*")
_FIRST = "its first argument must be what is swept, such as 'steps: int' or 'units: int'"
F = TypeVar("F", bound=Callable[..., Any])


@overload
def scenario(function: F, /) -> F: ...


@overload
def scenario(
    *, multiple_of: int = ..., at_least: int = ..., tags: Sequence[str] = ..., family: str = ...
) -> Callable[[F], F]: ...


def scenario(function: F | None = None, /, **options: Any) -> F | Callable[[F], F]:
    """Register ``function(steps, *, parameter=default, ...)`` under its own name.

    Texts name the swept axis after its first argument.
    Its return annotation is a type that a framework knows, such as ``Training``. As
    ``@scenario(multiple_of=20, at_least=40)`` it is only run at multiples of 20 from 40 steps on.
    ``@scenario(tags=("loops", "lstm"))`` lets ``--tag loops`` choose it. The scenarios of one
    family are compared with each other; it is the file's name, or ``@scenario(family="encoder")``.

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
        raise ScenarioError(f"@scenario: {function!r} is not a function")
    name = function.__name__
    code = function.__code__
    source = f"{code.co_filename}:{code.co_firstlineno}"
    owner = f"{source}: scenario {name!r}"
    arguments = list(inspect.signature(function).parameters.values())
    first = arguments[0] if arguments else None
    if first is None or first.kind not in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD}:
        raise ScenarioError(f"{owner}: {_FIRST}")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        reason = f"its annotations cannot be read: {type(error).__name__}: {error}"
        raise ScenarioError(f"{owner}: {reason}") from error
    if hints.get(first.name, int) is not int:
        raise ScenarioError(f"{owner}: {_FIRST}")
    taken = [declared(owner, one, hints.get(one.name)) for one in arguments[1:]]
    return Scenario(
        name=name,
        family=_family(owner, options.get("family", function.__module__.rpartition(".")[2])),
        summary=(inspect.getdoc(function) or "").partition("\n")[0],
        parameters=tuple(parameter for parameter, _ in taken),
        source=source,
        returns=hints.get("return"),
        build=function,
        lengths=_lengths(owner, first.name, options),
        tags=_tags(owner, options.get("tags", ())),
        enums={parameter.name: members for parameter, members in taken if members is not None},
    )


def _lengths(owner: str, axis: str, options: Mapping[str, Any]) -> Lengths:
    allowed = ("multiple_of", "at_least")
    options_known = (*allowed, "tags", "family")
    for name in options:
        if name not in options_known:
            hint = did_you_mean(name, options_known)
            raise ScenarioError(f"{owner}: @scenario takes no {name!r}{hint}")
    given = {name: value for name, value in options.items() if name in allowed}
    for name, value in given.items():
        if type(value) is not int or value < 1:
            raise ScenarioError(
                f"{owner}: {name} must be a whole number of 1 or more, not {value!r}"
            )
    return Lengths(axis=axis, **given)


def _family(owner: str, family: Any) -> str:
    if not isinstance(family, str) or not _FAMILY.fullmatch(family):
        raise ScenarioError(f"{owner}: family must be a name, such as 'encoder', not {family!r}")
    return family


def _tags(owner: str, tags: Any) -> tuple[str, ...]:
    fits = isinstance(tags, list | tuple) and all(isinstance(tag, str) and tag for tag in tags)
    if not fits:
        raise ScenarioError(
            f"{owner}: tags must be strings, such as ('loops', 'lstm'), not {tags!r}"
        )
    return tuple(dict.fromkeys(tags))
