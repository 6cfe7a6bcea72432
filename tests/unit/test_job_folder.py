"""What a child left is read without trust: any bytes, any kind of file, or none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import StepwallError
from profiler.facts import decode
from profiler.frameworks.recorder import LOG_FILE, RESULT_FILE
from profiler.measure.job import JOB_FILE, Job, Task
from profiler.measure.job_folder import (
    MAX_RESULT_BYTES,
    TAIL_BYTES,
    log_tail,
    prepare,
    report,
    tail,
)

JOB = Job(task=Task.DESCRIBE, framework="sampleflow")
OTHER = Job(task=Task.LIST, framework="sampleflow")


def test_the_tail_of_a_small_file_is_the_file(tmp_path: Path) -> None:
    """Without the blank lines around it."""
    log = tmp_path / "log"
    log.write_text("\n  one\ntwo\n\n")

    assert tail(log) == "one\ntwo"


def test_the_tail_of_a_big_file_is_its_last_bytes(tmp_path: Path) -> None:
    """A child that fills the disk with words costs no memory here."""
    log = tmp_path / "log"
    log.write_bytes(b"a" * 1_000_000 + b"b" * TAIL_BYTES)

    assert tail(log) == "b" * TAIL_BYTES


def test_the_tail_of_bytes_that_are_no_text_is_text(tmp_path: Path) -> None:
    """A cut through a character, or binary output, is no error."""
    log = tmp_path / "log"
    log.write_bytes("é".encode() * TAIL_BYTES + b"\xff")

    assert set(tail(log)) == {"é", "\ufffd"}


def test_the_tail_of_no_file_is_empty(tmp_path: Path) -> None:
    """A child that died at once has no log."""
    assert tail(tmp_path / "nowhere") == ""


def test_every_job_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """With the job in it, and nothing else yet."""
    first, second = prepare(tmp_path, JOB), prepare(tmp_path, OTHER)

    assert first != second
    assert first.parent == second.parent == tmp_path
    assert [path.name for path in first.iterdir()] == [JOB_FILE]
    assert decode(Job, (second / JOB_FILE).read_text()) == OTHER


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whoever decodes it says what is wrong with it."""
    (tmp_path / RESULT_FILE).write_bytes(b"\xff{")

    assert report(tmp_path) == b"\xff{"


def _folder(path: Path) -> None:
    path.mkdir()


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _gone(path: Path) -> None:
    path.parent.rmdir()


def _oversized(path: Path) -> None:
    path.write_text("{}")
    os.truncate(path, MAX_RESULT_BYTES + (64 << 30))


@pytest.mark.parametrize("make", [_folder, _endless, _pipe, _gone, _oversized])
def test_a_result_that_is_no_common_file_is_no_report(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Reading ends: a pipe that nobody writes to, or a device, does not hold the parent up."""
    folder = prepare(tmp_path, JOB)
    (folder / JOB_FILE).unlink()
    make(folder / RESULT_FILE)

    assert report(folder) == b""


@pytest.mark.parametrize("make", [_folder, _endless, _pipe, _gone])
def test_a_log_that_is_no_common_file_has_no_tail(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """As for results."""
    folder = prepare(tmp_path, JOB)
    (folder / JOB_FILE).unlink()
    make(folder / LOG_FILE)

    assert log_tail(folder) == ""


def test_a_removed_parent_is_made_again(tmp_path: Path) -> None:
    """A child that removed the folders of all jobs does not stop the next job."""
    folder = prepare(tmp_path / "gone", JOB)

    assert (folder / JOB_FILE).is_file()


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    """With the operating system's reason."""
    place = tmp_path / "a file"
    place.write_text("")
    with pytest.raises(StepwallError) as caught:
        prepare(place, JOB)

    assert str(caught.value) == f"temporary folder {str(place)!r}: File exists"
