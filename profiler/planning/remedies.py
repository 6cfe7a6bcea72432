"""What may lower a training step's peak: changes that can be tried without its author."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from profiler.facts import Measurement, Point, Record, replace
from profiler.parameters import Parameter, ParameterValue, value_text

__all__ = ["Trial", "batch_dimension", "half_batches", "of_framework", "other_values"]

_HALF = "feeds half as much data"
# By how much graphs, and what is fed, may miss the same size and the proportion.
_NEARLY = 0.1
_AUTHORS = "another setting of the scenario"


class Trial(Record, frozen=True, kw_only=True):
    """One change of a point, to be measured.

    ``variant``: how the framework is to build the step, as ``Mode.variant``. ``changes``: what
    else than memory it changes. ``halves``: the value of a parameter and its half, where it has
    to be seen first that the batch follows the parameter.
    """

    name: str
    point: Point
    variant: str | None = None
    changes: str | None = None
    halves: tuple[int, int] | None = None


def half_batches(parameters: Iterable[Parameter], measured: Measurement) -> list[Trial]:
    """Return a trial for each parameter that may be the batch: it is a dimension of what is fed.

    Whether one is the batch shows when it is halved; see ``batch_dimension``.
    """
    outer = {size for shape in measured.fed_shapes for size in shape[:2]}
    numbers = [
        (parameter.name, value)
        for parameter in parameters
        if not parameter.choices
        and type(value := measured.point.parameters.get(parameter.name)) is int
        and value > 1
    ]
    # A multiple only where nothing is equal: many small numbers divide some dimension.
    likely = [(name, value) for name, value in numbers if value in outer]
    likely = likely or [(n, value) for n, value in numbers if any(x % value == 0 for x in outer)]
    return [
        replace(
            _with(measured.point, name, value // 2),
            changes=_HALF if value % 2 == 0 else f"feeds {value // 2} instead of {value}",
            halves=(value, value // 2),
        )
        for name, value in likely
    ]


def batch_dimension(trial: Trial, before: Measurement, after: Measurement) -> int | None:
    """Return which dimension of the fed arrays follows the halved parameter, if it is the batch.

    The leading one, or the second one of arrays that lead with the steps; no other dimension of
    any array follows it, nearly all that is fed does, and the weights and, nearly, the graph stay.
    None: it is no batch.
    """
    if trial.halves is None or not _same_network(before, after):
        return None
    value, half = trial.halves
    followed: set[int] = set()
    for old, new in zip(before.fed_shapes, after.fed_shapes, strict=True):
        changed = [at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b]
        if len(old) != len(new) or len(changed) > 1:
            return None
        for at in changed:
            leads = at == 0 or (at == 1 and old[0] == before.point.steps)
            if not leads or old[at] * half != new[at] * value:
                return None
            followed.add(at)
    was, became = (sum(map(prod, one.fed_shapes)) for one in (before, after))
    follows = became * value <= (1 + _NEARLY) * was * half
    return followed.pop() if len(followed) == 1 and follows else None


def other_values(parameters: Iterable[Parameter], point: Point) -> list[Trial]:
    """Return a trial for each other value of the parameters that take only a few."""
    found = []
    for parameter in parameters:
        now = point.parameters.get(parameter.name)
        found += [
            replace(_with(point, parameter.name, value), changes=_AUTHORS)
            for value in parameter.few_values
            if value != now
        ]
    return found


def of_framework(variants: Iterable[str], point: Point) -> list[Trial]:
    """Return a trial for each way in which the framework itself can build the step otherwise."""
    return [Trial(name=variant, point=point, variant=variant) for variant in variants]


def _with(point: Point, name: str, value: ParameterValue) -> Trial:
    changed = replace(point, parameters={**point.parameters, name: value})
    return Trial(name=f"{name}={value_text(value)}", point=changed)


def _same_network(before: Measurement, after: Measurement) -> bool:
    """Whether both have the same weights and fed arrays, and graphs of about the same size.

    Other sizes may take a constant or two more or less; fewer steps take far fewer nodes.
    """
    if before.device is None or after.device is None:
        return False
    sizes = [stage.nodes for one in (before, after) if one.graph for stage in one.graph.stages[:1]]
    return (
        before.device.weights_bytes == after.device.weights_bytes
        and len(before.fed_shapes) == len(after.fed_shapes)
        and (not sizes or max(sizes) - min(sizes) <= _NEARLY * max(sizes))
    )
