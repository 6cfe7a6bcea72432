"""Many linear least-squares fits at once: of several laws to several series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from profiler.analysis.laws import Array, LawKind

# Residuals below this share of the values are rounding.
ROUNDING = 1e-10
# So many numbers are fitted at once, and those of so many parts are kept for further values.
_AT_ONCE = 1 << 18
_MOST_KEPT = 4

# A kind of law, and its J.
Tried = tuple[LawKind, int]


@dataclass(frozen=True, kw_only=True)
class Solved:
    """Fits of equally many terms to several series, every residual divided by its point's weight.

    The first axis is the series, the second one the law. Without weights all series share ``base``
    and ``inverse``, whose first axis is 1 long then.

    Args:
        tried: what was fitted.
        coefficients: of each.
        residuals: of each at every point.
        base: of each the orthonormal columns of the same space as its terms.
        inverse: of each the coefficients' covariance for a noise of 1.
        squares: of each the sum of the squared residuals, or what rounding alone may make it.
        floor: the least of ``squares`` of each series.
    """

    tried: Sequence[Tried]
    coefficients: Array
    residuals: Array
    base: Array
    inverse: Array
    squares: Array
    floor: Array

    @property
    def order(self) -> int:
        """How many terms each has."""
        return int(self.coefficients.shape[-1])

    def deviances(self, weights: Array) -> Array:
        """Return minus twice the logarithm of each likelihood, but for a constant.

        Args:
            weights: by series and point, as they were solved with.
        """
        own = 2 * np.log(weights).sum(axis=1, keepdims=True)
        found: Array = weights.shape[1] * np.log(self.squares) + own
        return found


class Designs:
    """The terms of some laws at some steps: what fits of any values at these steps share."""

    def __init__(self, tried: Sequence[Tried], steps: Sequence[float]) -> None:
        """Put laws of equally many terms together, as many at once as memory allows."""
        self._steps = np.array(steps, np.float64)
        by_order: dict[int, list[Tried]] = {}
        for one in tried:
            by_order.setdefault(len(one[0].terms), []).append(one)
        self._parts: list[Sequence[Tried]] = []
        #: How many series are solved at once, for memory's sake.
        self.at_once = max(1, _AT_ONCE // max(1, len(tried) * max(by_order) * len(self._steps)))
        for order, members in by_order.items():
            size = max(1, _AT_ONCE // (order * len(self._steps)))
            self._parts += [members[at : at + size] for at in range(0, len(members), size)]
        self._kept = [_Design(part, self._steps) for part in self._parts[:_MOST_KEPT]]
        self._terms: dict[bytes, Array] = {}

    @cached_property
    def tried(self) -> list[Tried]:
        """The laws in the order of the fits."""
        return [one for part in self._parts for one in part]

    def terms(self, steps: Array, most: int) -> Array:
        """Return each law's terms at these steps: by law, term and step; 0 for those it lacks.

        Those of a few steps are kept: the series of a run are drawn and compared at the same ones.

        Args:
            steps: where.
            most: how many terms every law gets.
        """
        key = steps.tobytes()
        found = self._terms.get(key)
        if found is None:
            found = np.zeros((len(self.tried), most, len(steps)))
            for row, (kind, jump) in enumerate(self.tried):
                found[row, : len(kind.terms)] = kind.columns(steps, jump).T
            if len(self._terms) == _MOST_KEPT:
                del self._terms[next(iter(self._terms))]
            if found.size <= _AT_ONCE:
                self._terms[key] = found
        return found

    def solved(self, values: Array, weights: Array) -> Iterator[Solved]:
        """Yield all fits of these values, each residual divided by its point's weight.

        Args:
            values: by series and point; at most ``at_once`` series.
            weights: of the same shape.
        """
        for index, part in enumerate(self._parts):
            is_kept = index < len(self._kept)
            design = self._kept[index] if is_kept else _Design(part, self._steps)
            yield design.solved(values, weights)


class _Design:
    """The terms of equally large laws as stacked columns."""

    def __init__(self, tried: Sequence[Tried], steps: Array) -> None:
        self.tried = tried
        self.columns = np.stack([kind.columns(steps, jump) for kind, jump in tried])

    @cached_property
    def even(self) -> _Factors:
        """The columns without weights, as factors."""
        return _factors(self.columns[None])

    def solved(self, values: Array, weights: Array) -> Solved:
        is_even = bool((weights == 1).all())
        factors = self.even if is_even else _factors(self.columns / weights[:, None, :, None])
        scaled_values = (values / weights)[:, None, :, None]
        scaled = factors.unit @ (factors.base.swapaxes(2, 3) @ scaled_values)
        residuals = (scaled_values - factors.columns @ scaled)[..., 0]
        largest = np.abs(scaled_values).max(axis=(1, 2, 3))
        floor = np.maximum(values.shape[1] * (ROUNDING * largest) ** 2, np.finfo(np.float64).tiny)
        return Solved(
            tried=self.tried,
            coefficients=scaled[..., 0] / factors.sizes,
            residuals=residuals,
            base=factors.base,
            inverse=factors.inverse,
            squares=np.maximum((residuals**2).sum(axis=2), floor[:, None]),
            floor=floor,
        )


@dataclass(frozen=True, kw_only=True)
class _Factors:
    """Columns over their sizes: an orthonormal base, and what makes of it unit columns."""

    columns: Array
    sizes: Array
    base: Array
    unit: Array
    inverse: Array


def _factors(columns: Array) -> _Factors:
    sizes = np.linalg.norm(columns, axis=2)
    scaled = columns / sizes[:, :, None, :]
    base, triangle = np.linalg.qr(scaled)
    unit = np.linalg.inv(triangle)
    inverse = (unit @ unit.swapaxes(2, 3)) / (sizes[..., :, None] * sizes[..., None, :])
    return _Factors(columns=scaled, sizes=sizes, base=base, unit=unit, inverse=inverse)
