"""Names that tell the series of a run apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from profiler.scenario import ParameterValue


class Named(Protocol):
    """What has a scenario and its parameters: a point, or a wall."""

    @property
    def scenario(self) -> str:
        """The scenario's name."""

    @property
    def parameters(self) -> Mapping[str, ParameterValue]:
        """Its parameters."""


class Labels:
    """Labels of series: the scenario, and the parameters that differ within it."""

    def __init__(self, series: Iterable[Named]) -> None:
        """Learn which parameters take more than one value for one scenario."""
        seen: dict[tuple[str, str], set[str]] = {}
        for item in series:
            for name, value in item.parameters.items():
                seen.setdefault((item.scenario, name), set()).add(str(value))
        self._varied = {key for key, values in seen.items() if len(values) > 1}

    def __call__(self, item: Named) -> str:
        """Return the label of a point or a wall."""
        parts = [
            f"{name}={value}"
            for name, value in item.parameters.items()
            if (item.scenario, name) in self._varied
        ]
        return " ".join([item.scenario, *parts])
