"""The frontier of a grid of walls: the largest length that survives, by a parameter's value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from profiler.analysis.results import RunResults
from profiler.facts import Certificate, WallStatus
from profiler.facts.labels import Labels
from profiler.parameters import ParameterValue, value_text

_PAIR = 2


@dataclass(frozen=True, kw_only=True)
class FrontierLine:
    """The walls of one scenario over the values of one parameter, the other ones fixed."""

    label: str
    walls: tuple[tuple[ParameterValue, Certificate], ...]


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """Walls under one limit over one parameter."""

    parameter: str
    kind: str
    limit_bytes: int
    axis: str
    lines: tuple[FrontierLine, ...]

    @cached_property
    def values(self) -> list[ParameterValue]:
        """The values of the parameter: numbers ascending, others as they were given."""
        found = list(dict.fromkeys(value for line in self.lines for value, _ in line.walls))
        return sorted(found, key=_number) if all(map(_is_number, found)) else found

    @property
    def is_numeric(self) -> bool:
        """Whether the values are positive numbers: others stand side by side."""
        return all(_is_number(value) and _number(value) > 0 for value in self.values)

    def place(self, value: ParameterValue) -> float:
        """Return where a value stands on the horizontal axis."""
        return _number(value) if self.is_numeric else float(self.values.index(value))


def frontiers(results: RunResults) -> list[Frontier]:
    """Return the frontiers of a run, in the order of its walls.

    Over the first parameter with several numbers, else over the first with several values; the
    other ones that vary distinguish the lines.
    """
    labels = Labels(results.run.walls)
    groups: dict[tuple[str, str, int, str], dict[str, list[tuple[ParameterValue, Certificate]]]]
    groups = {}
    for _, wall in results.walls:
        varied = labels.varied(wall)
        if not varied or marked_at(wall) is None:
            continue
        numbers = [name for name, value in varied.items() if _is_number(value)]
        name = [*numbers, *varied][0]
        others = [f"{one}={value_text(value)}" for one, value in varied.items() if one != name]
        key = (name, wall.kind, wall.limit_bytes, wall.axis)
        lines = groups.setdefault(key, {})
        lines.setdefault(" ".join([wall.scenario, *others]), []).append((varied[name], wall))
    found = [
        Frontier(
            parameter=name,
            kind=kind,
            limit_bytes=limit_bytes,
            axis=axis,
            lines=tuple(FrontierLine(label=one, walls=tuple(at)) for one, at in lines.items()),
        )
        for (name, kind, limit_bytes, axis), lines in groups.items()
    ]
    return [one for one in found if len(one.values) >= _PAIR]


def marked_at(wall: Certificate) -> int | None:
    """Return where a wall is marked: at its survivor, else at its failure; None for unproven."""
    if wall.status is WallStatus.UNPROVEN:
        return None
    return wall.last_ok if wall.last_ok is not None else wall.first_oom


def _is_number(value: ParameterValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value)
