"""Names that distinguish the series of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from profiler.facts.measurement import Measurement
from profiler.facts.point import Point
from profiler.facts.run import Run
from profiler.facts.wall import Certificate
from profiler.lengths import STEPS
from profiler.parameters import ParameterValue, value_text
from profiler.plain_text import one_line


class Labels:
    """Labels of series: the scenario, the parameters that differ within it, and its axis.

    The axis only where series have different ones.
    """

    def __init__(self, series: Iterable[Point | Certificate]) -> None:
        """Learn which parameters take more than one value for one scenario."""
        seen: dict[tuple[str, str], set[str]] = {}
        known = list(series)
        for item in known:
            for name, value in item.parameters.items():
                seen.setdefault((item.scenario, name), set()).add(value_text(value))
        self._axes = {item.axis for item in known}
        self._varied = {key for key, values in seen.items() if len(values) > 1}
        self._facets: dict[str, list[str]] = {}
        for family, scenarios in _families(known).items():
            names = [{name for one, name in self._varied if one == each} for each in scenarios]
            self._facets[family] = sorted(set.intersection(*names)) if len(names) > 1 else []

    def __call__(self, item: Point | Certificate) -> str:
        """Return the label of a point or a wall."""
        parts = [f"{name}={value_text(value)}" for name, value in self.varied(item).items()]
        axis = [f"over {item.axis}"] if len(self._axes) > 1 else []
        return one_line(" ".join([item.scenario, *parts, *axis]))

    def varied(self, item: Point | Certificate) -> dict[str, ParameterValue]:
        """Return those of its parameters that take more than one value for its scenario."""
        return {
            name: value
            for name, value in item.parameters.items()
            if (item.scenario, name) in self._varied
        }

    def facet(self, item: Point | Certificate) -> str:
        """Return what it is shown among: its family, at equal values of a grid.

        The grid is of parameters that vary for every scenario of the family; the series of one
        scenario alone are shown together.
        """
        grid = [f"{name}={value_text(item.parameters[name])}" for name in self._facets[item.family]]
        return one_line(", ".join([item.family, *grid]))


def _families(items: Iterable[Point | Certificate]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in items:
        found.setdefault(item.family, set()).add(item.scenario)
    return found


@dataclass(frozen=True)
class LabelledRun:
    """A run whose measurements and walls come with the labels of their series."""

    run: Run

    @cached_property
    def labels(self) -> Labels:
        """The labels of all that the run holds."""
        return Labels([*(m.point for m in self.run.measurements), *self.run.walls])

    @cached_property
    def axes(self) -> list[str]:
        """The names of the axes that its series are over, each once."""
        axes = [m.point.axis for m in self.run.measurements]
        axes += [wall.axis for wall in self.run.walls]
        return list(dict.fromkeys(axes)) or [STEPS]

    @cached_property
    def measurements(self) -> list[tuple[str, Measurement]]:
        """Each measurement with its label, in the order of the run."""
        return [(self.labels(m.point), m) for m in self.run.measurements]

    @cached_property
    def walls(self) -> list[tuple[str, Certificate]]:
        """Each wall with its label, in the order of the measurements.

        Searches run side by side and are stored as they end.
        """
        scenarios = dict.fromkeys(m.point.scenario for m in self.run.measurements)
        order = {scenario: place for place, scenario in enumerate(scenarios)}
        walls = sorted(self.run.walls, key=lambda wall: order.get(wall.scenario, 0))
        return [(self.labels(wall), wall) for wall in walls]

    @cached_property
    def families(self) -> dict[str, list[str]]:
        """The labels of each family, or of each facet of it, in the order of the run."""
        pairs = [(self.labels.facet(m.point), label) for label, m in self.measurements]
        pairs += [(self.labels.facet(wall), label) for label, wall in self.walls]
        found: dict[str, list[str]] = {}
        for family, label in dict.fromkeys(pairs):
            found.setdefault(family, []).append(label)
        return found
