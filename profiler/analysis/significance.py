"""Whether repeats show a change or only noise, by ranks: nothing is assumed about the noise.

The exact one-sided test of Mann and Whitney (Annals of Mathematical Statistics 18, 1947): how
likely repeats of equal things are to come in an order that is at least as one-sided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

# How likely equal things are to pass for changed in one direction, at most.
SIGNIFICANCE_LEVEL = 0.01
# In each run: the fewest repeats that can be significant, as one of 252 orders is.
ENOUGH_REPEATS = 5


def inconclusive_reason(before: Sequence[float], after: Sequence[float]) -> str | None:
    """Return why these repeats do not show a change; None where they do."""
    repeats = f"{len(before)} and {len(after)} repeats"
    if math.comb(len(before) + len(after), len(after)) < 1 / SIGNIFICANCE_LEVEL:
        return f"{repeats} are too few: take --repeats {ENOUGH_REPEATS} in both runs"
    # Late, as most commands compare nothing.
    from scipy.stats import mannwhitneyu

    direction = "greater" if median(after) > median(before) else "less"
    chance = float(mannwhitneyu(after, before, alternative=direction, method="exact").pvalue)
    return f"within noise: {repeats}, chance {chance:.0%}" if chance > SIGNIFICANCE_LEVEL else None
