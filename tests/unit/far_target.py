"""What is asked of forecasts in tests: something of a fixed number of steps."""

from __future__ import annotations

from dataclasses import dataclass

from profiler.forecast.demand import DemandCurve, DemandLine
from profiler.forecast.unrolling import Unrolling


@dataclass(frozen=True)
class FarTarget:
    """Asks for something of so many steps, whatever is known; see ``ladder.Target``."""

    max_steps: int

    def about(self, unrolling: Unrolling) -> int:
        """Return the steps."""
        del unrolling
        return self.max_steps

    def about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        """Return the steps."""
        del curve
        return self.max_steps

    def is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        """Whether they lie beyond ``end``."""
        del unrolling
        return self.max_steps > end
