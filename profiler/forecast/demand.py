"""Demand of memory by steps, extrapolated along a line to where it meets a limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DemandLine:
    """A growing line through the demand at two numbers of steps.

    Attributes:
        steps: the larger number of steps.
        demand_bytes: the demand there.
        bytes_per_step: the slope, above 0.
    """

    steps: int
    demand_bytes: int
    bytes_per_step: float

    @classmethod
    def through(cls, near: tuple[int, int], far: tuple[int, int]) -> DemandLine | None:
        """Return the line through ``(steps, bytes)`` twice, or None where it does not grow."""
        (near_steps, near_bytes), (far_steps, far_bytes) = near, far
        if far_steps <= near_steps or far_bytes <= near_bytes:
            return None
        return cls(far_steps, far_bytes, (far_bytes - near_bytes) / (far_steps - near_steps))

    def meets(self, limit_bytes: int) -> float:
        """Return the steps at which the demand is ``limit_bytes``."""
        return self.steps + (limit_bytes - self.demand_bytes) / self.bytes_per_step
