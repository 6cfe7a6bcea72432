"""Every error says what happened and leaves with its own exit code."""

from __future__ import annotations

import pytest

from profiler.errors import FailedPointError, ScenarioError, StepwallError, UsageError, did_you_mean


@pytest.mark.parametrize(
    ("kind", "code"),
    [(StepwallError, 1), (UsageError, 2), (ScenarioError, 2), (FailedPointError, 4)],
)
def test_every_error_has_its_exit_code(kind: type[StepwallError], code: int) -> None:
    """The tool's own failure is 1, the user's mistake is 2, and one handler catches all."""
    error = kind("why")

    assert error.exit_code == code
    assert isinstance(error, StepwallError)
    assert str(error) == "why"


def test_a_misspelt_word_gets_the_nearest_one() -> None:
    """One suggestion, the closest."""
    hint = did_you_mean("dynamic_rn", ["static_rnn", "dynamic_rnn", "while_loop"])

    assert hint == " (did you mean 'dynamic_rnn'?)"


def test_a_word_like_no_other_gets_all_that_are_allowed() -> None:
    """They are sorted, so that the message is the same every time."""
    hint = did_you_mean("zzz", ["units", "batch"])

    assert hint == " (allowed: batch, units)"


def test_without_allowed_words_there_is_no_hint() -> None:
    """An empty parenthesis would say nothing."""
    assert did_you_mean("zzz", []) == ""
