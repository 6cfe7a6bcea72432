"""The errors a user can meet, and the exit code of each.

StepwallError            1  the tool itself failed
├── UsageError           2  bad input: what failed, with which value, what is allowed
├── ScenarioError        2  a scenario file or function that cannot be used
└── FailedPointError     4  a point that was needed failed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StepwallError(Exception):
    """The tool could not do its work; the message says what and why."""

    exit_code = 1


class UsageError(StepwallError):
    """The user's input cannot be used; the message says what is allowed."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario file or function cannot be used; the message names it."""


class FailedPointError(StepwallError):
    """A point that was needed failed; the message says which, and how it ended."""

    exit_code = 4


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` or, where nothing is close, the allowed words."""
    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (allowed: {', '.join(names)})" if names else ""
