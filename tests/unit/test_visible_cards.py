"""Which cards a process sees: the server that forks none, a child its own, as the user names it."""

from __future__ import annotations

import os

import pytest

from profiler.errors import PointError
from profiler.frameworks import visible_cards
from profiler.frameworks.tensorflow import TensorFlow
from profiler.frameworks.torch import PyTorch


@pytest.fixture
def _server(monkeypatch: pytest.MonkeyPatch, visible: str | None) -> None:
    """Let this process be a child of a server that was started where so many cards are visible."""
    for name in (visible_cards.VISIBLE_CARDS, visible_cards.OFFERED_CARDS):
        monkeypatch.delenv(name, raising=False)
    if visible is not None:
        monkeypatch.setenv(visible_cards.VISIBLE_CARDS, visible)
    for name, value in visible_cards.hidden().items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("framework", [TensorFlow(), PyTorch()], ids=lambda one: one.name)
@pytest.mark.parametrize("visible", [None, "", "0", "GPU-1,GPU-2"])
def test_the_server_that_forks_sees_no_card(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, framework: TensorFlow | PyTorch
) -> None:
    """Its children are told which ones the user lets them see."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = {**os.environ, **framework.environment}

    assert found["CUDA_VISIBLE_DEVICES"] == "-1"
    assert found["STEPWALL_OFFERED_CARDS"] == ("all" if visible is None else visible)


@pytest.mark.usefixtures("_server")
@pytest.mark.parametrize(
    ("visible", "index", "seen"),
    [(None, 1, "1"), ("3,5", 1, "5"), (" GPU-1 , GPU-2", 0, "GPU-1"), ("2,-1,3", 0, "2")],
)
def test_a_child_sees_its_own_card_by_the_user_s_name(index: int, seen: str) -> None:
    """Spaces are no part of it."""
    visible_cards.see_only(index)

    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


@pytest.mark.usefixtures("_server")
@pytest.mark.parametrize(("visible", "index"), [("", 0), ("-1", 0), ("3,5", 2), ("2,-1,3", 1)])
def test_a_card_that_is_not_offered_is_refused(visible: str, index: int) -> None:
    """With what is, as CUDA counts: up to the first that is none."""
    with pytest.raises(PointError, match=rf"gpu:{index}: CUDA_VISIBLE_DEVICES={visible} offers"):
        visible_cards.see_only(index)


@pytest.mark.usefixtures("_server")
@pytest.mark.parametrize(("visible", "seen"), [(None, None), ("3,5", "3,5"), ("", "")])
def test_the_child_that_lists_cards_sees_those_offered(seen: str | None) -> None:
    """All of them, where the user hides none."""
    visible_cards.see_offered()

    assert os.environ.get("CUDA_VISIBLE_DEVICES") == seen
