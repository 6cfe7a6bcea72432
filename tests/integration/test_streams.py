"""Whatever a shell does to the three streams, a command ends as documented."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("stepwall"))
FAILED, BAD_INPUT, PIPE_BROKEN = 1, 2, 141
ENDS = {
    ("--help",): 0,
    ("wall", "--help"): 0,
    ("profile", "nothing", "--steps", "0"): BAD_INPUT,
    ("report", "--results", "nowhere"): BAD_INPUT,
}


def run(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one line of a shell."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],  # noqa: S607
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", ENDS, ids=" ".join)
def test_closed_streams_change_no_exit_code(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """In any combination; what is still open gets what belongs there."""
    for closed in itertools.product((False, True), repeat=3):
        redirections = [
            end for end, is_closed in zip(("<&-", ">&-", "2>&-"), closed, strict=True) if is_closed
        ]
        done = run(" ".join([COMMAND, *arguments, *redirections]), tmp_path)

        assert done.returncode == ENDS[arguments], redirections
        assert "Traceback" not in done.stderr
        assert "bug" not in done.stderr
        if not closed[2] and ENDS[arguments]:
            assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_ends_it_silently(tmp_path: Path) -> None:
    """As the signal would; the pipe is closed before anything is written."""
    done = run(f"{COMMAND} --help | exec true", tmp_path)

    assert (done.returncode, done.stderr) == (PIPE_BROKEN, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_output_is_one_line(tmp_path: Path) -> None:
    """Not Python's own, which comes at its end."""
    done = run(f"{COMMAND} wall --help > /dev/full", tmp_path)

    assert (done.returncode, done.stderr) == (FAILED, "stepwall: No space left on device\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_cannot_hold_is_replaced(encoding: str, tmp_path: Path) -> None:
    """On both outputs."""
    name = "nöthing-…-\N{SNOWMAN}"
    done = run(f"{COMMAND} report {name!r}", tmp_path, PYTHONIOENCODING=encoding)

    assert done.returncode == BAD_INPUT
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
