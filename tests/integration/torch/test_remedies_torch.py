"""What makes a step of PyTorch hold less: each piece of advice, measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Explanation, Role
from profiler.frameworks.torch import advice
from profiler.measure.client import Client

RESOURCES = Path(__file__).parent / "resources"
CHECKPOINT, FLASH, FUSED = "torch.utils.checkpoint", "scaled_dot_product_attention", "mse_loss"

Explain = Callable[..., Explanation]

two_lengths = pytest.mark.parametrize("steps", [64, 128])


@pytest.fixture(scope="module")
def explain(client_of: Callable[..., Client]) -> Explain:
    """Return ``explain(scenario, steps, **parameters)``: in a real child, once for all tests."""
    client = client_of(RESOURCES / "remedied_models.py")

    @functools.cache
    def explain(scenario: str, steps: int, **parameters: Any) -> Explanation:
        point = point_of(client, scenario, steps=steps, **parameters)
        explanation = client.explain(point, alone=True)
        assert isinstance(explanation, Explanation), explanation
        assert explanation.unexplained_bytes == 0
        return explanation

    return explain


def kept(explanation: Explanation) -> int:
    """Return the bytes that are kept for backward at the peak."""
    return explanation.by_role[Role.FORWARD.value]


@two_lengths
def test_segments_that_run_again_keep_less(explain: Explain, steps: int) -> None:
    """Of LSTM cells a state for each segment, and one segment's insides."""
    plain = explain("torch_loop", steps, cell="lstm")
    remedied = explain("torch_checkpointed", steps, cell="lstm")

    assert kept(remedied) < 0.2 * kept(plain)
    assert remedied.peak_bytes < 0.5 * plain.peak_bytes


@pytest.mark.parametrize("steps", [128, 256])
def test_a_kernel_that_holds_no_scores_needs_less(explain: Explain, steps: int) -> None:
    """The scores of all pairs are most of what plain attention keeps."""
    plain = explain("torch_attention", steps)
    remedied = explain("torch_flash_attention", steps)

    assert kept(remedied) < kept(plain)
    assert remedied.peak_bytes < 0.65 * plain.peak_bytes


@two_lengths
def test_a_loss_of_one_operation_holds_no_gradients_within(explain: Explain, steps: int) -> None:
    """Its backward is one kernel, from the outputs to their gradient."""
    plain, remedied = explain("torch_loop", steps), explain("fused_loss", steps)

    assert plain.by_role[Role.ACTIVATION_GRADIENTS.value] > 0.25 * plain.peak_bytes
    assert Role.ACTIVATION_GRADIENTS.value not in remedied.by_role
    assert remedied.peak_bytes < 0.75 * plain.peak_bytes


@pytest.mark.parametrize(
    ("scenario", "settings", "wanted"),
    [
        ("torch_loop", {"cell": "lstm"}, [CHECKPOINT]),
        ("torch_layer", {"cell": "lstm"}, [CHECKPOINT]),
        ("torch_loop", {}, [FUSED]),
        ("torch_checkpointed", {"cell": "lstm"}, [FUSED]),
        ("fused_loss", {}, []),
        ("torch_flash_attention", {}, []),
    ],
    ids=str,
)
def test_advice_is_given_where_it_acts(
    client_of: Callable[..., Client], scenario: str, settings: dict[str, str], wanted: list[str]
) -> None:
    """And nowhere else: what runs again already is not told to."""
    client = client_of(RESOURCES / "remedied_models.py")
    found = client.explain(point_of(client, scenario, steps=64, **settings))
    assert isinstance(found, Explanation), found

    given = [one.text for one in advice.of(found)]
    assert [next(word for word in (CHECKPOINT, FLASH, FUSED) if word in t) for t in given] == wanted
    assert [one.text for one in found.advice] == given


def test_attention_is_told_of_the_kernel(client_of: Callable[..., Client]) -> None:
    """Where the softmax of all pairs is kept."""
    client = client_of(RESOURCES / "remedied_models.py")
    found = client.explain(point_of(client, "torch_attention", steps=128))
    assert isinstance(found, Explanation), found

    assert any(FLASH in one.text for one in found.advice)
