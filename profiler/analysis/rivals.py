"""The laws that an interval averages over: every one that the points may follow, with its weight.

A weight is the likelihood at the law's own noise, for as many points as are left beyond the
parameters of the largest law. Repeats of a length say less about the law than further lengths do,
so the geometric mean of points and lengths counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from profiler.analysis.laws import CONFIDENCE, RIVAL_KINDS, Array, student
from profiler.analysis.least_squares import Designs

_NORMAL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
# The most parameters of a law that an interval averages over.
_MOST = max(len(kind.terms) for kind in RIVAL_KINDS.values())
# Between more lengths, J is tried at so many places, evenly among them.
_PLACES = 64
# The values of so many laws times steps are held at once.
_AT_ONCE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Laws that were fitted to the same points, as arrays: by assumption on noise, then by law.

    Args:
        designs: the laws: the kind of each, and its J.
        weights: how well each explains the points, against the others; they add up to 1.
        coefficients: of each; 0 for terms that its kind does not have.
        covariances: of its coefficients.
        noises: its noise's standard deviation: in the metric's unit where noise is assumed to be
            the same everywhere, which comes first; else a share of the metric.
        limits: the critical value of Student's t for each law.
    """

    designs: Designs
    weights: Array
    coefficients: Array
    covariances: Array
    noises: Array
    limits: Array

    def spread(self, steps: Array, values: Array) -> Array:
        """Return half the width of the interval around these values, squared.

        It adds up, by the weights, the squares of how sure each law is and of how far it is from
        the value (Burnham & Anderson, Model Selection and Multimodel Inference, 2002, ch. 4).
        """
        size = max(1, _AT_ONCE // len(self.designs.tried))
        found = np.empty_like(values)
        for start in range(0, len(steps), size):
            part = slice(start, start + size)
            found[part] = self._spread(steps[part], values[part])
        return found

    def _spread(self, steps: Array, values: Array) -> Array:
        terms = self.designs.terms(steps, _MOST)
        own = (self.coefficients[:, :, None] @ terms)[:, :, 0]
        # What x'Cx is of each step's terms x.
        variances = ((self.covariances @ terms) * terms).sum(axis=2)
        noises = self.noises[:, :, None] ** 2
        variances[:1] += noises[:1]
        variances[1:] += noises[1:] * own[1:] ** 2
        squares = self.limits[:, None] ** 2 * np.maximum(variances, 0.0)
        squares += (_NORMAL * (own - values)) ** 2
        spread: Array = np.tensordot(self.weights, squares, axes=2)
        return spread


def rivals(steps: Array, values: Array, weightings: Sequence[Array]) -> list[Rivals]:
    """Return every law of each series' points under each assumption on noise.

    Args:
        steps: of the points, which all series share.
        values: by series and point.
        weightings: of the same shape: even, and where that can be, in proportion to the values.
    """
    designs = _designs(tuple(steps.tolist()))
    size = designs.at_once
    return [
        one
        for start in range(0, len(values), size)
        for one in _rivals(
            designs,
            steps,
            values[start : start + size],
            [weights[start : start + size] for weights in weightings],
        )
    ]


def _rivals(
    designs: Designs, steps: Array, values: Array, weightings: Sequence[Array]
) -> Iterator[Rivals]:
    tried = designs.tried
    count = len(steps)
    found = [list(designs.solved(values, weights)) for weights in weightings]
    changes = sum(kind.side > 0 for kind, _ in tried)
    shares = np.array([math.log(kind.likely / (changes if kind.side else 1)) for kind, _ in tried])
    free = np.array([count - len(kind.terms) for kind, _ in tried])
    left = math.sqrt((count - _MOST) * (len(np.unique(steps)) - _MOST))
    own = np.log(free - np.array([jump > 0 for _, jump in tried]))
    # By series, assumption and law.
    logs = np.stack(
        [
            shares - left / 2 * (deviances / count - own)
            for deviances in (
                np.concatenate([one.deviances(weights) for one in batches], axis=1)
                for batches, weights in zip(found, weightings, strict=True)
            )
        ],
        axis=1,
    )
    likely = np.exp(logs - logs.max(axis=(1, 2), keepdims=True))
    likely /= likely.sum(axis=(1, 2), keepdims=True)
    coefficients = np.zeros((*logs.shape, _MOST))
    inverses = np.zeros((*logs.shape, _MOST, _MOST))
    squares = np.empty_like(logs)
    for which, batches in enumerate(found):
        start = 0
        for one in batches:
            rows = slice(start, start + len(one.tried))
            coefficients[:, which, rows, : one.order] = one.coefficients
            inverses[:, which, rows, : one.order, : one.order] = one.inverse
            squares[:, which, rows] = one.squares
            start = rows.stop
    variances = squares / free
    covariances = variances[..., None, None] * inverses
    noises = np.sqrt(variances)
    limits = np.array([student(1 - CONFIDENCE, int(one)) for one in free])
    for series in range(len(values)):
        yield Rivals(
            designs=designs,
            weights=likely[series],
            coefficients=coefficients[series],
            covariances=covariances[series],
            noises=noises[series],
            limits=limits,
        )


@lru_cache(maxsize=8)  # the series of a run have the same lengths
def _designs(steps: tuple[float, ...]) -> Designs:
    lengths = sorted({int(n) for n in steps})
    tried = [
        (kind, jump)
        for kind in RIVAL_KINDS.values()
        if len(lengths) >= kind.lengths
        for jump in _some(kind.jumps(lengths))
    ]
    return Designs(tried, steps)


def _some(jumps: Sequence[int]) -> Sequence[int]:
    if len(jumps) <= _PLACES:
        return jumps
    return [jumps[index] for index in np.linspace(0, len(jumps) - 1, _PLACES).astype(int)]
