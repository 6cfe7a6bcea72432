"""A large run made out of a small real one: its records again and again, varied.

Each copy has another value of a parameter, or another name, and needs some percent more bytes and
seconds. So numbers differ as those of a grid do, and every record is as large as a real one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from profiler.facts import Certificate, Measurement, Point, Run, convert, replace, to_json

# The parameter that a grid varies; the scenarios of the small run need not have it.
VARIED = "width"
# Of two copies that follow each other, the second one needs so much more.
_MORE = 0.013
_SCALED = ("bytes", "_s", "seconds", "by_role")
Kept = TypeVar("Kept", Measurement, Certificate)
Named = TypeVar("Named", Point, Certificate)


def grown(run: Run, *, points: int, walls: int, as_grid: bool = True) -> Run:
    """Return a run of so many points and walls, from a run that has some of each.

    Args:
        run: the small run.
        points: how many measurements the large one has.
        walls: how many walls.
        as_grid: whether copies differ in a parameter; else each is a scenario of its own.
    """
    found = [
        replace(record, point=_another(record.point, number, as_grid=as_grid))
        for record, number in _copies(run.measurements, points)
    ]
    searched = [
        _another(record, number, as_grid=as_grid) for record, number in _copies(run.walls, walls)
    ]
    return replace(run, measurements=found, walls=searched)


def _copies(records: Sequence[Kept], count: int) -> Iterator[tuple[Kept, int]]:
    for index in range(count):
        number, which = divmod(index, len(records))
        record = records[which]
        scaled = {
            name: _scaled(value, name, 1 + _MORE * number)
            for name, value in to_json(record).items()
            if name != "limit_bytes"
        }
        larger = convert(type(record), {**to_json(record), **scaled})
        yield larger, number


def _another(item: Named, number: int, *, as_grid: bool) -> Named:
    if as_grid:
        return replace(item, parameters={**item.parameters, VARIED: number + 1})
    return replace(item, scenario=f"{item.scenario}_{number}")


def _scaled(value: Any, name: str, factor: float) -> Any:
    """Return a JSON value with its bytes and seconds scaled, which the names tell."""
    if isinstance(value, dict):
        is_measure = name.endswith(_SCALED)
        return {
            key: _scaled(item, name if is_measure else key, factor) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_scaled(item, name, factor) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and name.endswith(_SCALED):
        return type(value)(value * factor)
    return value
