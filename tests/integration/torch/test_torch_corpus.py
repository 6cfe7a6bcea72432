"""A few of the corpus's PyTorch models: accounts, roles, and what is foretold of longer ones.

All of them: ``make corpus-torch``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from check_corpus import CORPUS, FOLDERS_OF, TORCH, cases
from real_points import point_of

from profiler.facts import Explanation, Status, WallPredictions
from profiler.frameworks import PredictionRequest
from profiler.measure.client import Client
from profiler.units import parse_size

CASES = {case.name: case for case in cases(TORCH)}
# Of each kind one that runs in about a second: a loop of a period, sizes that depend on what is
# fed, an optimizer's state, blocks of sixteen steps.
QUICK = ("clockwork", "mixture_of_experts", "carried_state", "local_attention")


@pytest.fixture(scope="module")
def corpus(client_of: Callable[..., Client]) -> Client:
    """Return a client of the corpus's PyTorch scenarios."""
    return client_of(*FOLDERS_OF[TORCH])


def test_the_table_names_every_scenario(corpus: Client) -> None:
    """Every scenario of the folder has its lengths, and nothing is broken."""
    catalog = corpus.catalog()
    ours = {
        name
        for name, one in catalog.scenarios.items()
        if Path(one.file.path).is_relative_to(CORPUS)
    }

    assert catalog.broken == []
    assert ours == CASES.keys()
    assert all(case.allows(steps) for case in CASES.values() for steps in (*case.steps, case.far))


@pytest.mark.parametrize("name", QUICK)
def test_two_accounts_agree_to_the_byte(corpus: Client, name: str) -> None:
    """Blocks replayed one by one, and the sum that the allocator keeps; each has a role."""
    found = corpus.explain(point_of(corpus, name, steps=CASES[name].steps[1]), alone=True)

    assert isinstance(found, Explanation), found
    assert found.unexplained_bytes == 0
    assert found.allocator_resident_bytes in {None, found.resident_bytes}
    assert sum(found.by_role.values()) == found.peak_bytes == found.allocator_peak_bytes
    assert "unclassified" not in found.by_role


@pytest.mark.parametrize("name", ["clockwork", "carried_state", "local_attention"])
def test_a_longer_one_needs_what_is_foretold(corpus: Client, name: str) -> None:
    """Its peak is in the interval, within 2 %; a wall is told, too."""
    steps = 3 * CASES[name].steps[-1]
    request = PredictionRequest(
        limits_bytes=[parse_size(CASES[name].limit)], max_steps=10_000, peak=True, peak_at=steps
    )
    found = corpus.predict_walls(point_of(corpus, name), request)
    real = corpus.measure(point_of(corpus, name, steps=steps))

    assert isinstance(found, WallPredictions), found
    assert found.walls[0] is not None, found.reasons
    assert found.peak is not None, found.no_peak
    assert real.outcome.status is Status.OK
    assert real.device is not None
    assert found.peak.low <= (real.device.peak_bytes or 0) <= found.peak.high
    assert found.peak.bytes == pytest.approx(real.device.peak_bytes, rel=0.02)
