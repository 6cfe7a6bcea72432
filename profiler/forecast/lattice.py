"""Predictions in numbers of allowed lengths, and in steps: number 1 is the first allowed length."""

from __future__ import annotations

from profiler.facts import Island, WallPrediction, replace
from profiler.lengths import Lengths


def on_lattice(prediction: WallPrediction, lengths: Lengths) -> WallPrediction:
    """Return a prediction in numbers of lengths as one in steps."""
    return _moved(prediction, each=lengths.multiple_of, base=lengths.first - lengths.multiple_of)


def off_lattice(prediction: WallPrediction, lengths: Lengths) -> WallPrediction:
    """Return a prediction in steps as one in numbers of lengths."""
    each, base = lengths.multiple_of, lengths.first - lengths.multiple_of
    return _moved(prediction, each=1 / each, base=-base / each)


def _moved(prediction: WallPrediction, *, each: float, base: float) -> WallPrediction:
    rate = prediction.bytes_per_step

    def moved(number: int) -> int:
        return max(0, round(base + number * each))

    return replace(
        prediction,
        steps=base + prediction.steps * each,
        low=max(0, base + prediction.low * each),
        high=base + prediction.high * each,
        learned_from=[moved(one) for one in prediction.learned_from],
        islands=[
            Island(first=moved(one.first), last=moved(one.last)) for one in prediction.islands
        ],
        bytes_per_step=None if rate is None else rate / each,
    )
