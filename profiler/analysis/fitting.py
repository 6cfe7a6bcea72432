"""Fitting growth laws: which kind of law the points follow, exactly or within noise.

The criterion is the penalised likelihood ``n·log(RSS) + penalty``, for n points whose squared
residuals add up to RSS. Its minimum depends on no unit: units enter by a logarithm alone, and
every law but the constant contains a line. AIC's penalty of 2 per parameter takes one line in
six for a curve, and its correction for small samples, AICc (Hurvich & Tsai, Biometrika 76, 1989;
Burnham & Anderson, Model Selection and Multimodel Inference, 2002, ch. 2 and 7), cannot judge
four points. So each further parameter costs just what the partial F test demands
(Draper & Smith, Applied Regression Analysis, 1998, ch. 6): ``n·log(1 + t²/(n - p))``, with
Student's t at the significance level of the kind. A jump may be at many lengths, which share
the level (Bonferroni).

Noise is assumed to be independent and normal, with either the same deviation everywhere or one
in proportion to the metric. Both assumptions are tried and the simpler law is taken: under the
wrong one, noise at the longest lengths looks like a bend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from statistics import median

import numpy as np
import numpy.typing as npt

from profiler.analysis.laws import (
    CONFIDENCE,
    CONSTANT,
    LAW_KINDS,
    LINEAR,
    Array,
    FittedPoint,
    Law,
    LawKind,
    TooFewLengths,
    dot,
    student,
)
from profiler.analysis.least_squares import ROUNDING, Designs, Tried
from profiler.analysis.rivals import rivals

# How likely points without an outlier are to have one reported.
_OUTLIER_LEVEL = 0.01


def fit(points: Sequence[tuple[int, float]], *, whole: bool = False) -> Law | TooFewLengths:
    """Return the law that the points follow, or how many lengths a law needs.

    Order does not matter. A length may occur several times: its repeats measure the noise.

    Args:
        points: steps, at least 1, and the metric, finite, in any unit.
        whole: whether the metric is a count that may follow a law exactly. Then the simplest
            exact law is tried first, if necessary without the shortest lengths. More lengths must
            lie on it than it has parameters: its coefficients, a jump, and each length that is
            left out. If there is none, the numbers are taken as noisy.

    Raises:
        ValueError: for steps below 1, or a value that is not finite.
    """
    data = _data(points)
    few = _too_few(data, CONSTANT)
    if few is not None:
        return few
    exact = _exact_law(data) if whole else None
    if exact is not None:
        return exact
    found = rivals(data.steps, data.values, _weightings(data))
    return replace(_noisy_law(data), rivals=found)


def validate(points: Sequence[tuple[int, float]], *, whole: bool = False) -> float | None:
    """Return the hold-out error: how far the law of the shorter lengths is off in the longer half.

    It is the largest relative error of a point there, the point's own noise included, without
    unit; None for too few lengths. Of an odd number of lengths the middle one is a shorter one.
    """
    lengths = sorted({steps for steps, _ in points})
    middle = (len(lengths) + 1) // 2
    short = set(lengths[:middle])
    data = _data([point for point in points if point[0] in short])
    if _too_few(data, CONSTANT) or not lengths[middle:]:
        return None
    law = (_exact_law(data) if whole else None) or _noisy_law(data)
    return max(_relative(law.at(n), value) for n, value in points if n not in short)


def _relative(expected: float, value: float) -> float:
    if expected == value:
        return 0.0
    return abs(expected - value) / abs(value) if value else math.inf


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The points by steps and value, and their distinct lengths."""

    steps: Array
    values: Array
    lengths: list[int]

    def since(self, first: int) -> _Data:
        kept = self.steps >= first
        return _Data(
            steps=self.steps[kept],
            values=self.values[kept],
            lengths=[length for length in self.lengths if length >= first],
        )


def _data(points: Sequence[tuple[int, float]]) -> _Data:
    for steps, value in points:
        if steps < 1 or not math.isfinite(value):
            raise ValueError(
                f"point {(steps, value)}: steps from 1 on and a finite value are needed"
            )
    ordered = np.array(sorted(points), np.float64).reshape(-1, 2)
    lengths = sorted({steps for steps, _ in points})
    return _Data(steps=ordered[:, 0], values=ordered[:, 1], lengths=lengths)


def _tried(lengths: Sequence[int]) -> Iterator[Tried]:
    """Yield each kind that has enough lengths, with every J it may have."""
    for kind in LAW_KINDS.values():
        if len(lengths) >= kind.lengths:
            yield from ((kind, jump) for jump in kind.jumps(lengths))


@lru_cache(maxsize=8)  # the series of a run have the same lengths
def _designs(steps: tuple[float, ...]) -> Designs:
    return Designs(list(_tried(sorted({int(n) for n in steps}))), steps)


def _exact_law(data: _Data) -> Law | None:
    """Return the exact law without the fewest of the shortest lengths, then the simplest."""
    for dropped, first in enumerate(data.lengths):
        kept = data.since(first)
        for kind, jump in _tried(kept.lengths):
            parameters = len(kind.terms) + bool(jump) + dropped
            proven = len(kept.lengths) > parameters
            if proven and (coefficients := _through(kept, kind, jump)):
                return _exactly(data, kept, kind, jump, coefficients)
    return None


def _through(data: _Data, kind: LawKind, jump: int) -> tuple[Fraction, ...] | None:
    """Return the coefficients of the law through every point, or None."""
    columns = kind.columns(data.steps, jump)
    order = len(kind.terms)
    lengths = [*data.lengths[: order - 1], data.lengths[-1]]
    rows = np.searchsorted(data.steps, lengths)
    coefficients = _solve(columns[rows], data.values[rows])
    pairs = zip(columns, data.values.tolist(), strict=True)
    if coefficients and all(dot(coefficients, terms) == value for terms, value in pairs):
        return coefficients
    return None


def _solve(columns: Array, values: Array) -> tuple[Fraction, ...] | None:
    """Return the solution of a square system in rational arithmetic (Gauss and Jordan)."""
    rows = [
        [Fraction(number) for number in row] for row in np.column_stack([columns, values]).tolist()
    ]
    for i in range(len(rows)):
        pivot = next((j for j in range(i, len(rows)) if rows[j][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [number / rows[i][i] for number in rows[i]]
        for j, row in enumerate(rows):
            if j != i:
                rows[j] = [a - row[i] * b for a, b in zip(row, rows[i], strict=True)]
    return tuple(row[-1] for row in rows)


def _exactly(
    data: _Data, kept: _Data, kind: LawKind, jump: int, coefficients: tuple[Fraction, ...]
) -> Law:
    columns = kind.columns(data.steps, jump)
    pairs = zip(columns, data.values.tolist(), strict=True)
    residuals = np.array([float(Fraction(v) - dot(coefficients, row)) for row, v in pairs])
    return Law(
        kind=kind.name,
        coefficients=coefficients,
        intervals=tuple((number, number) for number in coefficients),
        exact=True,
        error=0.0,
        points=_fitted(data, residuals, residuals != 0),
        first=kept.lengths[0],
        last=kept.lengths[-1],
        every=_distance(kept.lengths),
        jump=_jump(kept, jump),
    )


def _fitted(
    data: _Data, residuals: Array, outliers: npt.NDArray[np.bool_]
) -> tuple[FittedPoint, ...]:
    lists = (array.tolist() for array in (data.steps, data.values, residuals, outliers))
    return tuple(
        FittedPoint(steps=int(steps), value=value, residual=residual, outlier=outlier)
        for steps, value, residual, outlier in zip(*lists, strict=True)
    )


def _distance(lengths: Sequence[int]) -> int:
    return math.gcd(*(length - lengths[0] for length in lengths))


def _jump(data: _Data, jump: int) -> tuple[int, int] | None:
    return (max((n for n in data.lengths if n < jump), default=0), jump) if jump else None


def _too_few(data: _Data, kind: LawKind) -> TooFewLengths | None:
    """Return that the kind needs more lengths than there are, or None."""
    few = TooFewLengths(kind=kind.name, lengths=len(data.lengths), needed=kind.lengths)
    return few if few.lengths < few.needed else None


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """One kind fitted by least squares, each residual divided by its point's weight."""

    kind: LawKind
    jump: int
    weights: Array
    coefficients: Array
    residuals: Array
    base: Array  # orthonormal, of the same space as the columns
    inverse: Array  # the coefficients' covariance for a noise of 1
    squares: float  # the sum of the squared residuals, or what rounding alone may make it
    floor: float  # the least of it

    @property
    def free(self) -> int:
        """The degrees of freedom."""
        return len(self.residuals) - len(self.coefficients)

    @property
    def deviance(self) -> float:
        """Minus twice the logarithm of the likelihood, but for a constant."""
        return len(self.weights) * math.log(self.squares) + 2 * float(np.log(self.weights).sum())

    def score(self, places: int) -> float:
        """Return the criterion: the smallest is the best. A jump may be at so many places."""
        count, order = len(self.weights), len(self.coefficients)
        line, level = len(LINEAR.terms), self.kind.significance_level
        extra = _penalty(count, line, LINEAR.significance_level) if order > line else 0.0
        return self.deviance + extra + _penalty(count, order, level / places)

    def outliers(self) -> npt.NDArray[np.bool_]:
        """Flag the points that are too far from the law of the others (studentized, deleted)."""
        if self.free < len(LINEAR.terms):
            return np.zeros(len(self.weights), bool)
        leverage = (self.base**2).sum(axis=1)
        left = np.maximum(1 - leverage, ROUNDING)
        squares = self.residuals**2 / left
        others = np.maximum(self.squares - squares, self.floor) / (self.free - 1)
        limit = student(_OUTLIER_LEVEL / len(self.weights), self.free - 1)
        outliers: npt.NDArray[np.bool_] = squares > limit**2 * others
        return outliers


def _penalty(count: int, order: int, level: float) -> float:
    """Return the penalty of a law's last parameter: what the partial F test demands."""
    if level >= 1:
        return 0.0
    free = max(1, count - order)
    return count * math.log1p(student(level, free) ** 2 / free)


def _fits(data: _Data, weights: Array) -> Iterator[_Fit]:
    """Yield every kind with every J, fitted; the simpler ones first."""
    for found in _designs(tuple(data.steps.tolist())).solved(data.values, weights):
        for row, (kind, jump) in enumerate(found.tried):
            yield _Fit(
                kind=kind,
                jump=jump,
                weights=weights,
                coefficients=found.coefficients[row],
                residuals=found.residuals[row],
                base=found.base[row],
                inverse=found.inverse[row],
                squares=float(found.squares[row]),
                floor=found.floor,
            )


def _best(data: _Data, weights: Array) -> _Fit:
    """Return the fit with the smallest criterion, of equal ones the simplest."""
    fits = _fits(data, weights)
    return min(fits, key=lambda fit: fit.score(len(fit.kind.jumps(data.lengths))))


def _noisy_law(data: _Data) -> Law:
    """Return the simpler of the laws under both assumptions on noise; of equals, the likelier."""
    bests = [_best(data, weights) for weights in _weightings(data)]
    best = min(bests, key=lambda fit: (len(fit.coefficients), fit.deviance))
    law = _law(data, best)
    residuals = best.residuals * best.weights
    return replace(law, points=_fitted(data, residuals, best.outliers()))


def _weightings(data: _Data) -> list[Array]:
    """Return weights for even noise and, where no value is 0, for noise in proportion."""
    even, sizes = np.ones_like(data.values), _sizes(data)
    return [even, sizes] if sizes.all() else [even]


def _sizes(data: _Data) -> Array:
    """Return, for each point, the median absolute value at its length."""
    values = np.abs(data.values)
    medians = {n: median(values[data.steps == n].tolist()) for n in data.lengths}
    return np.array([medians[int(n)] for n in data.steps])


def _law(data: _Data, fit: _Fit) -> Law:
    """Return a fit as a law without its points."""
    variance = fit.squares / fit.free
    half = student(1 - CONFIDENCE, fit.free) * np.sqrt(variance * fit.inverse.diagonal())
    residuals = fit.residuals * fit.weights
    return Law(
        kind=fit.kind.name,
        coefficients=tuple(fit.coefficients.tolist()),
        intervals=tuple(zip(*(fit.coefficients + s * half for s in (-1, 1)), strict=True)),
        exact=False,
        error=_error(residuals, data.values),
        points=(),
        first=data.lengths[0],
        last=data.lengths[-1],
        every=_distance(data.lengths),
        jump=_jump(data, fit.jump),
    )


def _error(residuals: Array, values: Array) -> float:
    """Return the root mean square of the residuals over that of the values."""
    size = float(np.mean(values**2))
    return math.sqrt(float(np.mean(residuals**2)) / size) if size else 0.0
