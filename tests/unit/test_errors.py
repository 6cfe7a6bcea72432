"""Every error says what happened and leaves with its own exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from profiler.errors import (
    FailedPointError,
    ScenarioError,
    StepwallError,
    UsageError,
    did_you_mean,
    raised_at,
)


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


def _of(name: str) -> Callable[[str], bool]:
    return name.__eq__


def _raised(code: str, name: str = "mine.py") -> Exception:
    """Return what a user's code of that file's name raises."""
    try:
        exec(compile(code, name, "exec"), {})  # noqa: S102 (the file need not exist)
    except Exception as error:  # noqa: BLE001 (whatever it is)
        return error
    raise AssertionError


class TestRaisedAt:
    """The line of the user's code that an exception came from."""

    def test_is_the_last_one_that_it_went_through(self) -> None:
        """Not that of the library which it called there."""
        error = _raised("import json\n\ndef f():\n    json.loads('?')\n\nf()\n")

        assert raised_at(error, _of("mine.py")) == "mine.py:4"
        assert raised_at(error, _of("other.py")) is None

    def test_of_a_syntax_error_is_its_own(self) -> None:
        """No line of the file has run."""
        error = _raised("x = 1\ny = = 2\n")

        assert raised_at(error, _of("mine.py")) == "mine.py:2"

    def test_may_be_one_that_the_message_names(self) -> None:
        """A framework tells there where it was built what fails only when it runs."""
        message = 'failed\n  File "mine.py", line 5, in <module>\n  File "lib.py", line 9, in op'

        assert raised_at(ValueError(message), _of("mine.py")) == "mine.py:5"
        called = _raised(f"x = 1\nraise ValueError({message!r})\n")
        assert raised_at(called, _of("mine.py")) == "mine.py:5"

    def test_survives_an_exception_that_does_not_print(self) -> None:
        """A user's exception may do anything."""
        code = "class E(Exception):\n    def __str__(self):\n        raise ValueError\n\nraise E\n"

        assert raised_at(_raised(code), _of("mine.py")) == "mine.py:5"
