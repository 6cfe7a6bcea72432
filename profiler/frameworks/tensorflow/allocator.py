"""What the device's own allocator says it has handed out."""

from __future__ import annotations

import tensorflow as tf

from profiler.frameworks.recorder import Recorder

_UNKNOWN = (
    "under a host limit a CPU point runs on TensorFlow's default allocator, whose statistics "
    "leave out small allocations"
)
_SMALL_BYTES = 1 << 16
_FIELDS = (
    "weights_bytes",
    "resident_bytes",
    "forward_peak_bytes",
    "first_step_peak_bytes",
    "steady_peak_bytes",
    "peak_bytes",
)


class Allocator:
    """The allocator of one device; where its account has gaps, every reading is None."""

    def __init__(self, device: str = "CPU:0", *, is_complete: bool = True) -> None:
        """Read the allocator of ``device``."""
        self.device = device
        self._is_complete = is_complete
        self._left_out = 0

    def start(self, recorder: Recorder) -> None:
        """Start the runtime if it has not been, and say what will not be known."""
        if self._is_complete:
            self.reset()
            return
        tf.config.list_logical_devices()
        for name in _FIELDS:
            recorder.missing(f"device.{name}", _UNKNOWN)

    def reset(self) -> None:
        """Forget the peak."""
        if self._is_complete:
            tf.config.experimental.reset_memory_stats(self.device)

    def leave_out(self, recorder: Recorder) -> None:
        """Count from now on what is in use beyond what is in use now, and say what that is."""
        self._left_out = 0
        self._left_out = self.in_use() or 0
        if self._left_out > _SMALL_BYTES:
            recorder.note(
                f"outside the step, the scenario holds {self._left_out:,} bytes of device memory "
                "in tensors of its own: they are not counted"
            )

    def in_use(self) -> int | None:
        """Return the bytes handed out now."""
        return self._read("current")

    def peak(self) -> int | None:
        """Return the most bytes handed out at once since ``reset``."""
        return self._read("peak")

    def _read(self, name: str) -> int | None:
        if not self._is_complete:
            return None
        read = int(tf.config.experimental.get_memory_info(self.device)[name])
        return max(0, read - self._left_out)
