"""What the CPU's tensors take, and what a card of a size would hold."""

from __future__ import annotations

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import SMALL_SEGMENT
from profiler.frameworks.torch.card import Card, in_use

# Weights of 100; a step that takes 50 and 30 together, then 20.
TRACE = Trace(
    labels=["w", "a", "b", "c"],
    events=[(0, 100), (1, 50), (2, 30), (1, 0), (2, 0), (3, 20), (3, 0)],
    last_run=3,
)


def test_every_event_changes_what_is_in_use_by_its_bytes() -> None:
    """Nothing is rounded."""
    assert in_use(TRACE) == [100, 150, 180, 130, 100, 120, 100]


def test_a_card_holds_whole_segments() -> None:
    """Peaks are to the byte; a limit holds for the 2 MiB that small blocks lie in."""
    model = Card()

    assert model.peak(TRACE) == 180
    assert model.highest_address(TRACE) == SMALL_SEGMENT
    assert model.fits(TRACE, SMALL_SEGMENT)
    assert not model.fits(TRACE, SMALL_SEGMENT - 1)


def test_backprop_is_what_the_last_step_takes_beyond_what_was_in_use() -> None:
    """Unknown where the trace does not say which step was last."""
    assert Card().backprop(TRACE) == 80
    assert Card().backprop(Trace(TRACE.labels, TRACE.events)) is None


def test_an_empty_trace_needs_nothing() -> None:
    """It fits under any limit."""
    assert Card().peak(Trace([], [])) == 0
    assert Card().fits(Trace([], []), 0)
