"""What an explanation costs: its analysis per event, and the recording of a real training step."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from real_points import point_of

from profiler.explain.account import PeakAccount, Recorded
from profiler.explain.ledger import Events
from profiler.explain.roles import Op, Part
from profiler.facts import Explanation, Status
from profiler.frameworks import Mode
from profiler.measure.client import Client

Timed = Callable[[Callable[[], object], int], float]
OPS = 1_000
MIB = 1 << 20


def recorded(count: int) -> Recorded:
    """Return a step of ``count`` events: half are kept tensors, released in reverse order."""
    half = count // 2
    forward = np.arange(half)
    address = np.concatenate([forward, forward[::-1]])
    is_allocation = np.arange(2 * half) < half
    ops = [
        Op(
            name=f"cell/op_{index}",
            type="MatMul",
            part=Part.FORWARD if index % 2 else Part.BACKWARD,
        )
        for index in range(OPS)
    ]
    return Recorded(
        steps=half,
        ops=ops,
        events=Events(
            is_allocation=is_allocation,
            address=address.astype(np.int64),
            op=(np.arange(2 * half) % OPS).astype(np.int64),
            requested=np.full(2 * half, 1_000, np.int64),
            chunk=np.full(2 * half, 1_024, np.int64),
            run=np.ones(2 * half, np.int64),
            is_float=np.ones(2 * half, np.bool_),
        ),
        peaks=[half * 1_024],
        residents=[0],
        forward=[],
        backward=[],
        library=[],
        theory=None,
        custom_gradients=False,
    )


@pytest.mark.parametrize("events", [10_000, 100_000, 1_000_000])
def test_analysis_against_events(
    benchmarked: Timed, report: Callable[..., None], events: int
) -> None:
    """Linear, and about a microsecond per event."""
    step = recorded(events)
    seconds = benchmarked(lambda: PeakAccount(step).explanation(), 5)
    tracemalloc.start()
    explained = PeakAccount(step).explanation()
    _, held = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert explained.unexplained_bytes == 0
    what = f"explaining {events:,} events"
    report(what, seconds / events * 1e6, unit="us per event", aim="aim: about 1")
    report(f"{what}: memory at most", held / MIB, unit="MiB", aim="for comparison")


@pytest.mark.parametrize("steps", [1_000, 4_000, 16_000])
def test_recording_of_a_real_step(
    timed: Timed, benchmarked: Timed, warm: Client, report: Callable[..., None], steps: int
) -> None:
    """What recording and reading it takes beyond the same point measured without."""
    long = point_of(warm, "dynamic_rnn", steps=steps)
    found: list[Explanation] = []

    def explain() -> None:
        explained = warm.explain(long, alone=True)
        assert isinstance(explained, Explanation)
        found.append(explained)

    def measure() -> None:
        assert warm.measure(long, mode=Mode(inspect=False)).outcome.status is Status.OK

    plain = timed(measure, 3)
    recording = benchmarked(explain, 3)
    events = found[-1].events

    what = f"dynamic_rnn, {steps:,} steps, {events:,} events"
    report(f"{what}: measured", plain, unit="s", aim="six steps, for comparison")
    report(f"{what}: explained", recording, unit="s", aim="two steps")
    more = (recording - plain) / events * 1e6
    report(f"{what}: more", more, unit="us per event", aim="for comparison")
