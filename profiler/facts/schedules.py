"""One training step in both schedules: how far the serial one stands for the other."""

from __future__ import annotations

from profiler.facts.codec import Bytes, Count, Record

# Of the serial peak: what differs by less makes no difference to a user.
_NOTABLE = 0.05


class ScheduleCheck(Record, frozen=True, kw_only=True):
    """Device peaks of one step in the serial schedule and of repeats in the parallel one.

    ``steps``: of all these runs. ``reason``: why they cannot be compared, where one did not end
    well.
    """

    steps: Count
    serial_peak_bytes: Bytes | None = None
    parallel_peak_bytes: list[Bytes] = []
    reason: str | None = None

    @property
    def shares(self) -> list[float]:
        """How much more the parallel schedule needs, as shares of the serial peak, ascending.

        Empty where that is not known; negative where it needs less.
        """
        if self.reason is not None or not self.serial_peak_bytes:
            return []
        return sorted(peak / self.serial_peak_bytes - 1 for peak in self.parallel_peak_bytes)

    @property
    def is_notable(self) -> bool:
        """Whether every run differs by more than a twentieth, and all to the same side."""
        shares = self.shares
        return bool(shares) and (shares[0] > _NOTABLE or shares[-1] < -_NOTABLE)
