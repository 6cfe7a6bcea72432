"""Whether repeats tell a change from noise, by ranks: nothing is assumed of the noise itself.

The exact one-sided test of Mann and Whitney (Annals of Mathematical Statistics 18, 1947) gives
the chance that repeats of equal things are ordered at least so one-sidedly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

# How often equal things may pass for changed in one direction, at most.
CHANCE = 0.01
# On either side: the fewest that can lie far enough apart, as one of 252 orders does.
REPEATS = 5


def doubt(before: Sequence[float], after: Sequence[float]) -> str | None:
    """Return why these repeats do not tell a change from noise; None where they do."""
    repeats = f"{len(before)} and {len(after)} repeats"
    if math.comb(len(before) + len(after), len(after)) < 1 / CHANCE:
        return f"{repeats} cannot tell: take --repeats {REPEATS} in both runs"
    # Late, as most commands compare nothing.
    from scipy.stats import mannwhitneyu

    direction = "greater" if median(after) > median(before) else "less"
    chance = float(mannwhitneyu(after, before, alternative=direction, method="exact").pvalue)
    return f"within noise: {repeats}, chance {chance:.0%}" if chance > CHANCE else None
