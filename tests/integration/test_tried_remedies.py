"""What is tried on a real step shows in closed form, and a scenario without a batch gets none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_points import point_of

from profiler.facts import Remedy
from profiler.measure.client import Client
from profiler.measure.remedies import tried

STEPS, SAMPLES, WIDTH, FLOAT = 64, 8, 256, 4
FED = STEPS * SAMPLES * WIDTH * FLOAT
# Scalars, in chunks of 256 bytes each.
SMALL = 32 * 256


@pytest.fixture(scope="module")
def remedies(client_of: Callable[..., Client], resources: Path) -> Callable[[str], list[Remedy]]:
    """Return ``remedies(scenario)``: what was tried on its step, in real children."""
    client = client_of(resources / "tried.py")

    def remedies(scenario: str) -> list[Remedy]:
        point = point_of(client, scenario, steps=STEPS)
        explained = client.traced(client.measure(point), alone=False)
        trace = tried(client, explained).trace
        assert trace is not None, explained.missing
        return trace.remedies

    return remedies


def test_half_of_what_is_fed_and_each_other_setting_are_measured(
    remedies: Callable[[str], list[Remedy]],
) -> None:
    """All but a few scalars halves with the batch; each copy less is one tensor less."""
    half, lean = remedies("copies")

    assert (half.name, lean.name) == ("samples=4", "lean=true")
    assert half.before_bytes == lean.before_bytes >= 4 * FED
    assert half.peak_bytes == pytest.approx(half.before_bytes / 2, abs=SMALL)
    assert lean.before_bytes - (lean.peak_bytes or 0) == pytest.approx(2 * FED, abs=SMALL)
    assert len(lean.parallel_bytes) == len(lean.parallel_before_bytes) == 3


def test_a_parameter_that_is_only_called_batch_is_not_halved(
    remedies: Callable[[str], list[Remedy]],
) -> None:
    """What is fed does not follow it."""
    assert remedies("unbatched") == []
