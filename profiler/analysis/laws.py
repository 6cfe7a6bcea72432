"""Growth laws: how one metric grows with the steps, with its uncertainty; ``law_fits`` fits them.

What this leaves out: a law describes what was measured, and beyond the last length it is an
extrapolation; and one wild point at the longest length may pass for a bend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Number = Fraction | float
Array = npt.NDArray[np.float64]
Term = Callable[[Array, int], Array]

CONFIDENCE = 0.95
# A law that is further off than this on average says nothing of a step.
_UNCLEAR = 0.2
# Whole numbers below it are floats without rounding.
_WHOLE = 2**53


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of law: a sum of terms, each with a coefficient to be fitted.

    Args:
        formula: how it reads: T stands for the steps, J for the first length after a jump.
        terms: functions of steps, as floats, and of J.
        lengths: how many distinct lengths it needs.
        level: how often its last term may be taken for real where there is only noise.
        side: how many lengths must lie on each side of J; 0 where there is no J.
    """

    name: str
    formula: str
    terms: tuple[Term, ...]
    lengths: int
    level: float
    side: int = 0

    def jumps(self, lengths: Sequence[int]) -> Sequence[int]:
        """Return every J that these ascending lengths allow."""
        return lengths[self.side : len(lengths) - self.side + 1] if self.side else (0,)

    def columns(self, steps: Array, jump: int) -> Array:
        """Return the terms at these steps, one column for each."""
        return np.column_stack([term(steps, jump) for term in self.terms])


def _one(steps: Array, _: int) -> Array:
    return np.ones_like(steps)


def _steps(steps: Array, _: int) -> Array:
    return steps


def _steps_log(steps: Array, _: int) -> Array:
    return steps * np.log2(steps)


def _square(steps: Array, _: int) -> Array:
    return steps * steps


def _beyond(steps: Array, jump: int) -> Array:
    return (steps >= jump).astype(np.float64)


# The simplest first; a line of the table is all that a law is.
_LINE = (_one, _steps)
ALL_KINDS = (
    Kind(name="constant", formula="a", terms=(_one,), lengths=3, level=1),
    Kind(name="linear", formula="a + b·T", terms=_LINE, lengths=3, level=0.05),
    Kind(
        name="T log T",
        formula="a + b·T + c·T·log2(T)",
        terms=(*_LINE, _steps_log),
        lengths=4,
        level=0.001,
    ),
    Kind(
        name="quadratic",
        formula="a + b·T + c·T²",
        terms=(*_LINE, _square),
        lengths=4,
        level=0.001,
    ),
    Kind(
        name="jump",
        formula="a + b·T + c·[T ≥ J]",
        terms=(*_LINE, _beyond),
        lengths=6,
        level=0.001,
        side=3,
    ),
)
KINDS = {kind.name: kind for kind in ALL_KINDS}


@dataclass(frozen=True, kw_only=True)
class TooFew:
    """A kind of law that was not tried, as there are too few distinct lengths for it."""

    kind: str
    lengths: int
    needed: int

    @property
    def more(self) -> int:
        """How many more distinct lengths would do."""
        return self.needed - self.lengths


@dataclass(frozen=True, kw_only=True)
class Residual:
    """One point beside its law: ``residual`` is the value minus the law's, in its unit.

    An outlier is further off than chance allows: for exact laws, at all.
    """

    steps: int
    value: float
    residual: float
    outlier: bool


@dataclass(frozen=True, kw_only=True)
class Law:
    """The fitted law of one metric over steps, with the metric's unit per term of its formula.

    Args:
        coefficients: in the formula's order; fractions where the law is exact.
        intervals: of the coefficients, at 95 %, given that the kind (and J) is right.
        exact: whether whole numbers follow it without any residual, in rational arithmetic,
            from ``first`` on; the points before are outliers.
        error: the root mean square of the residuals over that of the values, no unit.
        residuals: one for each point, by steps and value, outliers told.
        first: the smallest length that the law was fitted to.
        last: the largest one.
        count: how many points, repeats included, it was fitted to.
        jump: the last length before a jump and the first one after it, J; it may be anywhere
            between. None where the kind has no jump.
        relative: whether the noise seemed to grow with the metric.
        noise: its standard deviation: a share of the metric if relative, else in its unit.
        covariance: of the coefficients.
        not_tried: the kinds that need more lengths.
    """

    kind: str
    coefficients: tuple[Number, ...]
    intervals: tuple[tuple[Number, Number], ...]
    exact: bool
    error: float
    residuals: tuple[Residual, ...]
    first: int
    last: int
    count: int
    jump: tuple[int, int] | None
    relative: bool
    noise: float
    covariance: tuple[tuple[float, ...], ...]
    not_tried: tuple[TooFew, ...]

    @property
    def formula(self) -> str:
        """How the law reads; its letters are the coefficients."""
        return KINDS[self.kind].formula

    @property
    def outliers(self) -> tuple[Residual, ...]:
        """The points that do not follow it."""
        return tuple(point for point in self.residuals if point.outlier)

    @property
    def is_clear(self) -> bool:
        """Whether it says something of a step: it is not off by a fifth on average."""
        return self.exact or self.error <= _UNCLEAR

    @property
    def per_step(self) -> float:
        """What the last measured step added, in the metric's unit."""
        return float(_value(self, self.last) - _value(self, self.last - 1))

    def values(self, steps: Sequence[int] | Array) -> Array:
        """Return the law's values at many steps, in the metric's unit, as floats.

        Those of an exact law are the nearest floats, as long as no value times the common
        denominator of the coefficients reaches 2**53.
        """
        scale = self._denominator if self.exact else 1
        # A sum of whole numbers is exact, and one division rounds correctly.
        coefficients = np.array([float(c * scale) for c in self.coefficients])
        values: Array = _terms(self, steps) @ coefficients / scale
        return values

    @property
    def _denominator(self) -> int:
        """The coefficients' common denominator; 1 where it is too large for floats."""
        common = math.lcm(*(Fraction(c).denominator for c in self.coefficients))
        return common if common < _WHOLE else 1

    def at(self, steps: int) -> float:
        """Return the law's value, in the metric's unit."""
        return float(_value(self, steps))

    def bounds(self, steps: Sequence[int] | Array) -> tuple[Array, Array]:
        """Return between which values 95 % of single measurements would lie, if the law is right.

        Student's t, from the noise and what it left unknown of the coefficients. Both are the
        value where the law is exact.
        """
        values = self.values(steps)
        if self.exact:
            return values, values
        terms = _terms(self, steps)
        noise = self.noise * (np.abs(values) if self.relative else 1)
        spread = ((terms @ np.array(self.covariance)) * terms).sum(axis=1) + noise**2
        free = self.count - len(self.coefficients)
        half = student(1 - CONFIDENCE, free) * np.sqrt(np.maximum(spread, 0.0))
        return values - half, values + half

    def interval_at(self, steps: int) -> tuple[float, float]:
        """Return the bounds at one number of steps."""
        low, high = self.bounds([steps])
        return float(low[0]), float(high[0])


def _terms(law: Law, steps: Sequence[int] | Array) -> Array:
    jump = law.jump[1] if law.jump else 0
    return KINDS[law.kind].columns(np.asarray(steps, np.float64), jump)


def _value(law: Law, steps: int) -> Fraction:
    """Return the law's value without any rounding of its sum."""
    return dot(law.coefficients, _terms(law, [steps])[0])


def dot(coefficients: Sequence[Number], terms: Array) -> Fraction:
    """Return the sum of the terms times their coefficients, without rounding."""
    pairs = zip(coefficients, terms.tolist(), strict=True)
    return sum((Fraction(c) * Fraction(term) for c, term in pairs), Fraction())


def student(level: float, free: int) -> float:
    """Return what Student's t exceeds, on either side, with this probability."""
    # Late, as most commands fit nothing.
    from scipy.special import stdtrit

    return -float(stdtrit(free, level / 2))
