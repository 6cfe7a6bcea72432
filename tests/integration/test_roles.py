"""Roles of real small graphs follow the dataflow of values: oracles in closed form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Explanation, Measurement, Status
from profiler.measure.client import Client

FLOAT, B, U = 4, 32, 64

Explain = Callable[..., Explanation]


@pytest.fixture(scope="session")
def explain(client_of: Callable[..., Client], resources: Path) -> Explain:
    """Return ``explain(scenario, steps=..., ...)``: in a real child, once for all tests."""
    client = client_of(resources / "roles.py")

    @functools.cache
    def explain(scenario: str, *, steps: int, **parameters: Any) -> Explanation:
        explained = client.explain(
            point_of(client, scenario, steps=steps, **parameters), alone=True
        )
        assert isinstance(explained, Explanation), explained
        assert explained.unexplained_bytes == 0
        return explained

    return explain


@pytest.mark.parametrize("way", ["norm", "value", "scale"])
def test_what_lies_between_a_gradient_and_its_update_changes_no_role(
    explain: Explain, way: str
) -> None:
    """The partial gradients of one weight wait for their sum, as they do without it."""
    plain = explain("updated", steps=20).by_role["weight gradients"]

    assert plain % (FLOAT * U * U) == 0
    assert explain("updated", steps=20, way=way).by_role["weight gradients"] == plain


def test_what_backward_reads_in_place_is_kept(explain: Explain) -> None:
    """The product and each tanh but the last's copy, and the loss."""
    kept = explain("tanh_chain", steps=20).by_role["forward tensors kept for backward"]

    assert kept == pytest.approx(20 * FLOAT * B * U, abs=FLOAT)


def test_a_frozen_variable_is_weights(explain: Explain) -> None:
    """And one that the loss does not depend on is no error."""
    fixed, unused, trained = 512 * 512, 8, 512 * 4

    assert explain("frozen", steps=4).by_role["weights"] == FLOAT * (fixed + unused + trained)


def test_a_convolution_unfolds_its_input_in_scratch(explain: Explain) -> None:
    """Not in gradients of weights, of which there are two kernels of 3 x 3 x 4 x 4."""
    roles = explain("convolved", steps=2).by_role

    assert roles["kernel scratch"] > 0.9 * sum(roles.values())
    assert roles["weight gradients"] <= 2 * FLOAT * 3 * 3 * 4 * 4


def test_a_graph_that_trains_itself_gets_no_second_update(
    measure: Callable[..., Measurement], resources: Path
) -> None:
    """As many nodes run as with the update that is added."""
    source = resources / "roles.py"
    plain = measure("updated", steps=20, source=source)
    own = measure("minimized", steps=20, source=source)

    def executed(point: Measurement) -> int:
        assert point.graph is not None
        return next(stage.nodes for stage in point.graph.stages if stage.name == "executed")

    assert executed(own) == executed(plain)


def test_training_within_a_function_is_refused(
    measure: Callable[..., Measurement], resources: Path
) -> None:
    """In one sentence that names the variable."""
    outcome = measure("hidden", steps=4, source=resources / "roles.py").outcome

    assert outcome.status is Status.ERROR
    assert "trains the variable 'w' itself" in str(outcome.reason)
