"""Host walls predicted by a line through two short runs, their constant folding scaled down."""

from __future__ import annotations

from collections.abc import Callable

from profiler.facts import Measurement, Outcome, Status, WallPrediction
from profiler.forecast.demand import DemandLine
from profiler.lengths import ANY, Lengths

# The first pair of lengths, then a pair at a sixteenth and an eighth of the predicted wall,
# at most twice, until two predictions in a row differ by less than this share.
_FIRST = (8, 16)
_SHARE = 8
_ROUNDS = 2
_SETTLED = 0.15
# The margin of a prediction is at least this share of it.
_MARGIN = 0.05


def predict_host_wall(
    measure: Callable[[int, int | None], Measurement],
    *,
    limit_bytes: int,
    max_steps: int,
    lengths: Lengths = ANY,
) -> WallPrediction | Outcome | None:
    """Return the largest steps predicted to fit, or how the first failing run ended.

    None where the demand of host memory is unknown or does not grow.

    Args:
        measure: ``measure(steps, scaled_to)`` runs a point under the limit; the framework's
            constant folding is scaled down as for a short run of ``scaled_to`` steps (None:
            not at all).
        limit_bytes: the limit on the whole process.
        max_steps: the largest prediction.
        lengths: those that may be run.
    """
    prediction: WallPrediction | None = None
    demands: dict[int, int] = {}
    for _ in range(1 + _ROUNDS):
        before = int(prediction.steps) if prediction else None
        wanted = _FIRST if before is None else (before // _SHARE // 2, before // _SHARE)
        pair = lengths.spread(wanted)
        if demands and pair[-1] <= max(demands):
            break
        for steps in pair:
            found = _demand(measure(steps, before))
            if not isinstance(found, int):
                return found
            demands[steps] = found
        line = DemandLine.through(*((steps, demands[steps]) for steps in pair))
        if line is None:
            return None
        edge = lengths.at_most(min(max_steps, max(0, int(line.meets(limit_bytes)))))
        # Where two lines disagree, the wall may be as far off again.
        margin = max(_MARGIN * edge, abs(edge - before) if before else 0)
        prediction = _prediction(edge, margin, demands, line)
        if before and abs(edge - before) < _SETTLED * before:
            break
    return prediction


def _prediction(
    edge: int, margin: float, demands: dict[int, int], line: DemandLine
) -> WallPrediction:
    return WallPrediction(
        steps=edge,
        low=max(0, edge - margin),
        high=edge + margin,
        learned_from=sorted(demands),
        is_line=True,
        bytes_per_step=line.bytes_per_step,
    )


def _demand(measurement: Measurement) -> int | Outcome | None:
    if measurement.outcome.status is not Status.OK:
        return measurement.outcome
    return None if measurement.host is None else measurement.host.capped_peak_bytes
