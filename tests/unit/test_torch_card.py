"""What the CPU's tensors take, and what a card of a size would hold."""

from __future__ import annotations

import pytest

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import SMALL_SEGMENT
from profiler.frameworks.torch.card import Card, in_use, kept_on_card, left_out

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


GIB = 1 << 30


@pytest.mark.parametrize("label", ["addmm", "AddmmBackward0/mm", "bmm", "CompiledFunctionBackward"])
def test_a_step_with_a_matrix_product_leaves_less_of_a_card(label: str) -> None:
    """For cuBLAS's two workspaces: a segment of 20 MiB holds both, 32 MiB have one each."""
    trace = Trace([label], [(0, 100)])

    assert kept_on_card(trace, 16 * GIB) == 20 << 20
    assert kept_on_card(trace, 80 * GIB) == kept_on_card(trace, 141 * GIB) == 64 << 20
    assert left_out(trace).startswith(
        "workspace of cuBLAS (64 MiB on Hopper, 20 MiB on older cards), cuDNN's, "
    )


@pytest.mark.parametrize("label", ["add", "MulBackward0/mul", "mean", "addcmul"])
def test_a_step_without_one_leaves_all_of_it(label: str) -> None:
    """Nothing asks cuBLAS for one."""
    trace = Trace([label], [(0, 100)])

    assert kept_on_card(trace, 80 * GIB) == 0
    assert "cuBLAS" not in left_out(trace)
