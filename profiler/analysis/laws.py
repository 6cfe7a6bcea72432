"""Growth laws: how one metric grows with the steps, and how sure that is; ``fitting`` fits them.

What this leaves out: a law describes what was measured. Beyond the longest length it is an
extrapolation, and one outlier at the longest length may look like a bend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Number = Fraction | float
Array = npt.NDArray[np.float64]

CONFIDENCE = 0.95
# A law whose error is larger than this says nothing about one step.
_UNCLEAR = 0.2
# Whole numbers below it are floats without rounding.
_WHOLE = 2**53


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term of a law, without its coefficient.

    Args:
        text: how it reads: T stands for the steps, J for the first length after a jump.
        at: its values at many steps, given as floats, and at J.
    """

    text: str
    at: Callable[[Array, int], Array]


@dataclass(frozen=True, kw_only=True)
class LawKind:
    """One kind of law: a sum of terms, each with a coefficient to be fitted.

    Args:
        lengths: how many distinct lengths it needs.
        significance_level: of the F test that its last term must pass to be shown as the law.
        side: how many lengths must lie on each side of J; 0 where there is no J.
        between: whether J may also lie between two lengths, on either side of one alone.
        likely: how likely it is before anything was measured, against the others. All kinds with a
            J, at all places, are one kind here.
    """

    name: str
    terms: tuple[Term, ...]
    lengths: int
    significance_level: float
    side: int = 0
    between: bool = False
    likely: float = 1.0

    @property
    def formula(self) -> str:
        """How the law reads: ``a + b·T``."""
        return " + ".join(
            f"{a}·{t.text}".strip("·") for a, t in zip("abc", self.terms, strict=False)
        )

    def jumps(self, lengths: Sequence[int]) -> Sequence[int]:
        """Return every J that these ascending lengths allow."""
        if not self.between:
            return lengths[self.side : len(lengths) - self.side + 1] if self.side else (0,)
        places = (
            round(start + (end - start) * half / 2)
            for start, end in pairwise(lengths)
            for half in (1, 2)
        )
        # Beside neighbours half the way is rounded: at an end there would be nothing on one side.
        return [*dict.fromkeys(place for place in places if lengths[0] < place < lengths[-1])]

    def columns(self, steps: Array, jump: int) -> Array:
        """Return the terms at these steps, one column for each."""
        return np.column_stack([term.at(steps, jump) for term in self.terms])


_ONE = Term(text="", at=lambda steps, _: np.ones_like(steps))
_STEPS = Term(text="T", at=lambda steps, _: steps)
_STEPS_LOG = Term(text="T·log2(T)", at=lambda steps, _: steps * np.log2(steps))
_SQUARE = Term(text="T²", at=lambda steps, _: steps * steps)
_ROOT = Term(text="√T", at=lambda steps, _: np.sqrt(steps))
_BEND = Term(text="max(0, T - J)", at=lambda steps, jump: np.maximum(0.0, steps - jump))
_JUMP = Term(text="[T ≥ J]", at=lambda steps, jump: (steps >= jump).astype(np.float64))

CONSTANT = LawKind(name="constant", terms=(_ONE,), lengths=3, significance_level=1)
LINEAR = LawKind(name="linear", terms=(_ONE, _STEPS), lengths=3, significance_level=0.05)


def _bent(name: str, *terms: Term, lengths: int = 0, **more: Any) -> LawKind:
    """Return a line with further terms; it needs one length more than coefficients and J."""
    terms = (*LINEAR.terms, *terms)
    lengths = lengths or len(terms) + ("side" in more) + 1
    return LawKind(name=name, terms=terms, lengths=lengths, significance_level=0.001, **more)


def _by_name(*kinds: LawKind) -> dict[str, LawKind]:
    return {kind.name: kind for kind in kinds}


# The simplest first. A new kind of law is one more line here.
LAW_KINDS = _by_name(
    CONSTANT,
    LINEAR,
    _bent("T log T", _STEPS_LOG),
    # As likely as all others together that are no line: pairs of steps, as in attention.
    _bent("quadratic", _SQUARE, likely=3.0),
    _bent("jump", _JUMP, lengths=6, side=3),
)
# What intervals average over. A jump may be near either end, and growth may bend; a few lengths
# cannot prove that, so it is never shown as the law.
RIVAL_KINDS = _by_name(
    *(kind for kind in LAW_KINDS.values() if not kind.side),
    _bent("square root", _ROOT),
    _bent("step", _JUMP, side=1),
    _bent("bend", _BEND, side=1, between=True),
)


@dataclass(frozen=True, kw_only=True)
class TooFewLengths:
    """There are too few distinct lengths to try this kind of law."""

    kind: str
    lengths: int
    needed: int


@dataclass(frozen=True, kw_only=True)
class FittedPoint:
    """One point and its residual: the value minus the law's, in the metric's unit.

    An outlier is further off than noise explains; an exact law explains no residual at all.
    """

    steps: int
    value: float
    residual: float
    outlier: bool


class Spread(Protocol):
    """How sure a law is, by all laws that its points may follow (``rivals.Rivals``)."""

    def spread(self, steps: Array, values: Array) -> Array:
        """Return half the width of the interval around these values, squared."""
        ...


@dataclass(frozen=True, kw_only=True)
class Law:
    """The fitted law of one metric over steps.

    Args:
        kind: the name of its ``LawKind``.
        coefficients: in the formula's order, in the metric's unit; fractions for an exact law.
        intervals: 95 % confidence intervals of the coefficients, if the kind (and J) is right.
        exact: whether all points from ``first`` on lie on it, in rational arithmetic; the
            points before are outliers. Which steps that proves, ``proves`` says.
        error: the root mean square of the residuals over that of the values, no unit.
        points: all of them, by steps and value, with their residuals.
        first: the smallest length that the law was fitted to.
        last: the largest one.
        every: how far the lengths that it was fitted to lie apart: all of their distances are
            multiples of it. What repeats after so many steps does not show in them.
        jump: the last length before the jump and the first one after it, J; the jump may be
            anywhere between. None where the kind has no jump.
        rivals: the laws that the interval averages over, this one's kind among them; None for an
            exact law, and for one that was made to be checked by further lengths.
    """

    kind: str
    coefficients: tuple[Number, ...]
    intervals: tuple[tuple[Number, Number], ...]
    exact: bool
    error: float
    points: tuple[FittedPoint, ...]
    first: int
    last: int
    every: int
    jump: tuple[int, int] | None
    rivals: Spread | None = field(default=None, compare=False, repr=False)

    @property
    def formula(self) -> str:
        """How the law reads; the letters a, b and c are the coefficients."""
        return LAW_KINDS[self.kind].formula

    @property
    def outliers(self) -> tuple[FittedPoint, ...]:
        """The points that do not follow it."""
        return tuple(point for point in self.points if point.outlier)

    @property
    def is_clear(self) -> bool:
        """Whether its error is small enough, a fifth at most, to say something about one step."""
        return self.exact or self.error <= _UNCLEAR

    @cached_property
    def per_step(self) -> float | None:
        """What the last measured step added by the law, in the metric's unit.

        None where values that differ are shown as one constant: whether they grow is not known.
        """
        differs = len({point.value for point in self.points}) > 1
        if len(self.coefficients) == 1 and differs and not self.exact:
            return None
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

    def proves(self, steps: int) -> bool:
        """Whether the value there is certain, as long as growth does not change further on.

        A law is so certain only where it is exact, whole numbers come out at every step, the
        steps lie as far apart as the measured lengths do, and there is no jump: another one
        may follow.
        """
        on_grid = steps >= self.first and (steps - self.first) % self.every == 0
        near = range(self.first, self.first + len(self.coefficients))
        whole = all(_value(self, n).denominator == 1 for n in near)
        return self.exact and self.jump is None and on_grid and whole

    def around(self, steps: Sequence[int] | Array) -> tuple[Array, Array]:
        """Return the nearest steps before and after that lie as far apart as the lengths do."""
        exactly = np.asarray(steps, np.float64)
        beyond = (exactly - self.first) % self.every
        before = np.maximum(exactly - beyond, 1)
        return before, np.where(beyond, exactly - beyond + self.every, exactly)

    def bounds(self, steps: Sequence[int] | Array) -> tuple[Array, Array]:
        """Return the ends of the 95 % prediction interval of a single measurement.

        It lies around the value, and is averaged over the rivals. Both ends of an exact law are
        the value; beyond the lengths, one with a jump allows for further ones.
        """
        values = self.values(steps)
        if self.rivals is None:
            more = self._further_jumps(np.asarray(steps, np.float64))
            return values + np.minimum(more, 0), values + np.maximum(more, 0)
        half = np.sqrt(self.rivals.spread(np.asarray(steps, np.float64), values))
        return values - half, values + half

    def _further_jumps(self, steps: Array) -> Array:
        """Return what jumps may add that come as soon as the lengths allow after the known one."""
        if self.jump is None:
            return np.zeros_like(steps)
        seldom = max(1, self.last - self.jump[1])
        count: Array = np.maximum(0.0, np.ceil((steps - self.last) / seldom))
        return count * float(self.coefficients[-1])

    def interval_at(self, steps: int) -> tuple[float, float]:
        """Return the bounds at one number of steps."""
        low, high = self.bounds([steps])
        return float(low[0]), float(high[0])


def _terms(law: Law, steps: Sequence[int] | Array) -> Array:
    jump = law.jump[1] if law.jump else 0
    return LAW_KINDS[law.kind].columns(np.asarray(steps, np.float64), jump)


def _value(law: Law, steps: int) -> Fraction:
    """Return the law's value without any rounding of its sum."""
    return dot(law.coefficients, _terms(law, [steps])[0])


def dot(coefficients: Sequence[Number], terms: Array) -> Fraction:
    """Return the sum of the terms times their coefficients, without rounding."""
    pairs = zip(coefficients, terms.tolist(), strict=True)
    return sum((Fraction(c) * Fraction(term) for c, term in pairs), Fraction())


@cache
def student(level: float, free: int) -> float:
    """Return the two-sided critical value of Student's t.

    Args:
        level: how likely its absolute value is to be larger.
        free: the degrees of freedom.
    """
    # Late, as most commands fit nothing.
    from scipy.special import stdtrit

    return -float(stdtrit(free, level / 2))
