"""What a prediction asks of an allocator's model; each framework brings its own."""

from __future__ import annotations

from typing import Protocol

from profiler.forecast.trace import Trace


class AllocatorModel(Protocol):
    """Replays traces by the rules of one allocator."""

    @property
    def drops(self) -> tuple[int, ...]:
        """The bytes from which on one request may take less memory than a smaller one.

        At lengths at which a growing request reaches them a longer trace may fit though a shorter
        one did not. Between these lengths, what is longer takes no less, up to how it is packed.
        """

    @property
    def piece_bytes(self) -> int:
        """The largest piece that it takes for several requests; 0: it takes what is needed."""

    def fits(self, trace: Trace, limit_bytes: int) -> bool:
        """Whether an allocator of ``limit_bytes`` survives the trace."""

    def highest_address(self, trace: Trace) -> int:
        """Return the bytes up to the end of the highest chunk in use, without a limit.

        Of an allocator that takes its memory piece by piece: the most that it held of it.
        """

    def growing_need(self, trace: Trace) -> int:
        """Return about what it needs, without a limit, so that it grows as what is in use does.

        Of an allocator that takes its memory in large pieces: without what is unused of these.
        """

    def peak(self, trace: Trace) -> int:
        """Return the most bytes in use at once, in chunks as they are handed out at no limit."""

    def backprop(self, trace: Trace) -> int | None:
        """Return what the steady step with the highest peak takes beyond what is in use before.

        None where the trace does not say which allocations the last step made.
        """
