"""The errors a user can meet, and the exit code of each.

StepwallError            1  the tool itself failed
├── UsageError           2  bad input: what failed, with which value, what is allowed
├── ScenarioError        2  a scenario file or function that cannot be used
├── FailedPointError     4  a point that was needed failed
└── PointError           4  in a child: the scenario cannot be measured as a training step
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Callable, Iterable

# As Python's tracebacks, and frameworks' messages like them, name a line of code.
_PLACE = re.compile(r'File "([^"\n]+)", line (\d+)')


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


class PointError(StepwallError):
    """The scenario cannot be measured as a training step; the message says why."""

    exit_code = 4

    def __str__(self) -> str:
        """Return the message."""
        return " ".join(map(str, self.args))


def error_text(error: BaseException) -> str:
    """Return ``Type: first line of the message``, at most 500 characters; no type of our own.

    An ``assert`` without a message is described by what it asserts.
    """
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 (a user's exception may not even print)
        lines = []
    text = lines[0].strip() if lines else ""
    if isinstance(error, StepwallError) and text:
        return text[:500]
    if isinstance(error, AssertionError) and not text:
        frames = traceback.extract_tb(error.__traceback__)
        text = (frames[-1].line or "").removeprefix("assert ") if frames else ""
    name = type(error).__name__
    return f"{name}: {text}"[:500] if text else name


def raised_at(error: BaseException, is_own: Callable[[str], bool]) -> str | None:
    """Return ``file.py:12``: the last line of the user's files that an exception went through.

    Rather the last one that its message names, if it names any: a framework that builds first and
    runs later, or that rewrites the user's functions, says there what the traceback does not.

    Args:
        error: what was raised.
        is_own: whether a file is the user's.
    """
    if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
        return f"{error.filename}:{error.lineno}"
    passed = [(f.filename, str(f.lineno)) for f in traceback.extract_tb(error.__traceback__)]
    try:
        named = _PLACE.findall(str(error))
    except Exception:  # noqa: BLE001 (a user's exception may not even print)
        named = []
    places = [f"{file}:{line}" for file, line in [*passed, *named] if is_own(file)]
    return places[-1] if places else None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` or, where nothing is close, the allowed words."""
    names = sorted(allowed)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (allowed: {', '.join(names)})" if names else ""
