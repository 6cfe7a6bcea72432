"""An allocator without a pool: what is in use is what is asked for."""

from __future__ import annotations

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.plain import Plain, in_use

# Weights of 100; a step that takes 50 and 30 together, then 20.
TRACE = Trace(
    labels=["w", "a", "b", "c"],
    events=[(0, 100), (1, 50), (2, 30), (1, 0), (2, 0), (3, 20), (3, 0)],
    last_run=3,
)


def test_every_event_changes_what_is_in_use_by_its_bytes() -> None:
    """Nothing is rounded."""
    assert in_use(TRACE) == [100, 150, 180, 130, 100, 120, 100]


def test_the_peak_is_what_fits() -> None:
    """To the byte: nothing lies between blocks."""
    model = Plain()

    assert model.peak(TRACE) == model.highest_address(TRACE) == 180
    assert model.fits(TRACE, 180)
    assert not model.fits(TRACE, 179)


def test_backprop_is_what_the_last_step_takes_beyond_what_was_in_use() -> None:
    """Unknown where the trace does not say which step was last."""
    assert Plain().backprop(TRACE) == 80
    assert Plain().backprop(Trace(TRACE.labels, TRACE.events)) is None


def test_an_empty_trace_needs_nothing() -> None:
    """It fits under any limit."""
    assert Plain().peak(Trace([], [])) == 0
    assert Plain().fits(Trace([], []), 0)
