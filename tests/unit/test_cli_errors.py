"""The last resort of the command line: what the machine refuses is no bug of stepwall's."""

from __future__ import annotations

import errno

import click
import pytest

from profiler import cli

TOOL_FAILED = 1


def said_of(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Return what is said where a command raises the error."""

    @click.command("runs")
    def command() -> None:
        raise error

    monkeypatch.setattr(cli._Commands, "get_command", lambda *_: command)
    assert cli.exit_code(["runs"]) == TOOL_FAILED
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (OSError(errno.EACCES, "Permission denied", "/a/file"), "/a/file: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (MemoryError(), "this machine has nothing left for stepwall: out of memory"),
        (
            RuntimeError("can't start new thread"),
            "this machine has nothing left for stepwall: can't start new thread",
        ),
        (
            ImportError("\n\nPLEASE READ\n\nIt was: libblas.so: cannot map\n"),
            "a package that stepwall needs cannot be imported: It was: libblas.so: cannot map",
        ),
        (
            ModuleNotFoundError("No module named 'pandas'"),
            "a package that stepwall needs cannot be imported: No module named 'pandas'",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_the_machine_refuses_is_one_line(
    error: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the system's words."""
    assert said_of(error, monkeypatch, capsys) == f"stepwall: {line}\n"


def test_anything_else_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how to see where."""
    said = said_of(ValueError("odd"), monkeypatch, capsys)

    assert said == "stepwall: ValueError: odd (this is a bug; --debug shows where)\n"
