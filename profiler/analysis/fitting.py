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
from functools import cached_property, lru_cache
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


Points = Sequence[tuple[int, float]]


def fit(points: Points, *, whole: bool = False) -> Law | TooFewLengths:
    """Return the law that the points follow, or how many lengths a law needs: see ``fits``."""
    return fits([points], whole=whole)[0]


def fits(series: Sequence[Points], *, whole: bool = False) -> list[Law | TooFewLengths]:
    """Return the law that the points of each series follow, or how many lengths a law needs.

    Series of equal lengths are fitted at once, in a fraction of the time that each alone takes.
    Order of points does not matter. A length may occur several times: its repeats measure the
    noise.

    Args:
        series: of each its steps, at least 1, and the metric, finite, in any unit.
        whole: whether the metric is a count that may follow a law exactly. Then the simplest
            exact law is tried first, if necessary without the shortest lengths. More lengths must
            lie on it than it has parameters: its coefficients, a jump, and each length that is
            left out. If there is none, the numbers are taken as noisy.

    Raises:
        ValueError: for steps below 1, or a value that is not finite.
    """
    return _laws([_data(points) for points in series], whole=whole, with_rivals=True)


def validate(points: Points, *, whole: bool = False) -> float | None:
    """Return the hold-out error of one series: see ``holdout_errors``."""
    return holdout_errors([points], whole=whole)[0]


def holdout_errors(series: Sequence[Points], *, whole: bool = False) -> list[float | None]:
    """Return how far the law of each series' shorter lengths is off in the longer half.

    It is the largest relative error of a point there, the point's own noise included, without
    unit; None for too few lengths. Of an odd number of lengths the middle one is a shorter one.
    """
    held_out = []
    shorter = []
    for points in series:
        lengths = sorted({steps for steps, _ in points})
        middle = (len(lengths) + 1) // 2
        short = set(lengths[:middle])
        shorter.append(_data([point for point in points if point[0] in short]))
        held_out.append([point for point in points if point[0] not in short])
    laws = _laws(shorter, whole=whole, with_rivals=False)
    return [
        max(_relative(law.at(n), value) for n, value in points)
        if points and isinstance(law, Law)
        else None
        for law, points in zip(laws, held_out, strict=True)
    ]


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

    @cached_property
    def sizes(self) -> Array:
        """For each point, the median absolute value at its length."""
        values = np.abs(self.values)
        medians = {n: median(values[self.steps == n].tolist()) for n in self.lengths}
        return np.array([medians[int(n)] for n in self.steps])


def _data(points: Sequence[tuple[int, float]]) -> _Data:
    for steps, value in points:
        if steps < 1 or not math.isfinite(value):
            raise ValueError(
                f"point {(steps, value)}: steps must be at least 1, and the value finite"
            )
    ordered = np.array(sorted(points), np.float64).reshape(-1, 2)
    lengths = sorted({steps for steps, _ in points})
    return _Data(steps=ordered[:, 0], values=ordered[:, 1], lengths=lengths)


def _laws(series: Sequence[_Data], *, whole: bool, with_rivals: bool) -> list[Law | TooFewLengths]:
    """Return the law of each series, those of equal lengths at once.

    Args:
        series: the points of each.
        whole: whether exact laws are tried first.
        with_rivals: whether those that are not exact get intervals.
    """
    found: dict[int, Law | TooFewLengths] = {}
    alike: dict[tuple[tuple[float, ...], bool], list[int]] = {}
    for index, data in enumerate(series):
        known = _too_few(data, CONSTANT) or (_exact_law(data) if whole else None)
        if known is not None:
            found[index] = known
        else:
            key = tuple(data.steps.tolist()), bool(data.sizes.all())
            alike.setdefault(key, []).append(index)
    for indices in alike.values():
        members = [series[index] for index in indices]
        laws = _noisy_laws(members)
        if with_rivals:
            values = np.stack([data.values for data in members])
            averaged = rivals(members[0].steps, values, _weightings(members))
            pairs = zip(laws, averaged, strict=True)
            laws = [replace(law, rivals=one) for law, one in pairs]
        found.update(zip(indices, laws, strict=True))
    return [found[index] for index in range(len(series))]


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
    deviance: float  # minus twice the logarithm of the likelihood, but for a constant

    @property
    def free(self) -> int:
        """The degrees of freedom."""
        return len(self.residuals) - len(self.coefficients)

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


def _noisy_laws(series: Sequence[_Data]) -> list[Law]:
    """Return the laws of series with the same steps.

    Of the best fits under both assumptions on noise it is the simpler one; of equals, the likelier.
    """
    values = np.stack([data.values for data in series])
    bests = [_bests(series[0], values, weights) for weights in _weightings(series)]
    laws = []
    for data, *found in zip(series, *bests, strict=True):
        best = min(found, key=lambda fit: (len(fit.coefficients), fit.deviance))
        points = _fitted(data, best.residuals * best.weights, best.outliers())
        laws.append(replace(_law(data, best), points=points))
    return laws


def _weightings(series: Sequence[_Data]) -> list[Array]:
    """Return weights for even noise and, where no value is 0, for noise in proportion."""
    sizes = np.stack([data.sizes for data in series])
    even = np.ones_like(sizes)
    return [even, sizes] if sizes.all() else [even]


def _bests(like: _Data, values: Array, weights: Array) -> Iterator[_Fit]:
    """Yield the fit of each series with the smallest criterion, of equal ones the simplest."""
    designs = _designs(tuple(like.steps.tolist()))
    for start in range(0, len(values), designs.at_once):
        part = slice(start, start + designs.at_once)
        batches = list(designs.solved(values[part], weights[part]))
        deviances = [one.deviances(weights[part]) for one in batches]
        scores = [
            deviance + _penalties(like, one.tried)
            for deviance, one in zip(deviances, batches, strict=True)
        ]
        # Of equal ones the first, as the simplest are tried first.
        firsts = np.concatenate(scores, axis=1).argmin(axis=1).tolist()
        rows = [(batch, row) for batch, one in enumerate(batches) for row in range(len(one.tried))]
        for series, first in enumerate(firsts):
            batch, row = rows[first]
            one = batches[batch]
            shared = 0 if len(one.base) == 1 else series
            kind, jump = one.tried[row]
            yield _Fit(
                kind=kind,
                jump=jump,
                weights=weights[start + series],
                coefficients=one.coefficients[series, row],
                residuals=one.residuals[series, row],
                base=one.base[shared, row],
                inverse=one.inverse[shared, row],
                squares=float(one.squares[series, row]),
                floor=float(one.floor[series]),
                deviance=float(deviances[batch][series, row]),
            )


def _penalties(data: _Data, tried: Sequence[Tried]) -> Array:
    """Return what the criterion adds to each law's deviance. A jump may be at many places."""
    count, line = len(data.steps), len(LINEAR.terms)
    found = []
    for kind, _ in tried:
        order, places = len(kind.terms), len(kind.jumps(data.lengths))
        extra = _penalty(count, line, LINEAR.significance_level) if order > line else 0.0
        found.append(extra + _penalty(count, order, kind.significance_level / places))
    return np.array(found)


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
