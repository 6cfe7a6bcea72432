"""How a series grows, as one number for each step."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from profiler.analysis.laws import Law
from profiler.analysis.series import MetricSeries
from profiler.lengths import STEPS, counted
from reports.texts.numbers import count_text

__all__ = ["Slope", "slope"]

_STRAIGHT = {"constant", "linear"}
# Two lengths always lie on one line.
_ENOUGH = 3


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How a series grows: by its law where that is a line, else between its two ends.

    ``exact`` means three or more lengths that all lie on one straight line.
    """

    label: str
    first_steps: int
    last_steps: int
    first: Fraction
    last: Fraction
    per_step: Fraction
    exact: bool
    axis: str = STEPS

    @property
    def is_constant(self) -> bool:
        """Whether every point has the same value."""
        return self.exact and self.first == self.last

    @property
    def span(self) -> str:
        """The measured steps, as ``8 to 256 steps``."""
        ends = f"{count_text(self.first_steps)} to {count_text(self.last_steps)}"
        return counted(ends, self.axis)


def slope(series: MetricSeries) -> Slope | None:
    """Return how a series grows; None where it has fewer than two lengths."""
    lengths = sorted({steps for steps, _ in series.points})
    if len(lengths) < 2:  # noqa: PLR2004 - a slope needs two lengths
        return None
    first, last = (Fraction(median(series.values_at(lengths[end]))) for end in (0, -1))
    law = series.clear_law
    straight = law is not None and law.kind in _STRAIGHT
    between = (last - first) / (lengths[-1] - lengths[0])
    is_level = len(lengths) >= _ENOUGH and len({value for _, value in series.points}) == 1
    return Slope(
        label=series.label,
        first_steps=lengths[0],
        last_steps=lengths[-1],
        first=first,
        last=last,
        per_step=_law_slope(law) if law is not None and straight else between,
        exact=is_level or (law is not None and straight and law.exact and not law.outliers),
        axis=series.conditions.axis,
    )


def _law_slope(law: Law) -> Fraction:
    return Fraction(law.coefficients[1]) if len(law.coefficients) > 1 else Fraction()
