"""A lock has one holder, and its holder's death frees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from profiler.filelock import FileLock, holder

HOLD = """
import sys, time
from pathlib import Path
from profiler.filelock import FileLock
assert FileLock.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a lock may be."""
    return tmp_path / "lock"


def test_a_lock_is_held_once(path: Path) -> None:
    """The second who asks gets none, and can tell who has it."""
    first = FileLock.take(path)
    second = FileLock.take(path)

    assert first is not None
    assert second is None
    assert holder(path) == f"process {os.getpid()}"


def test_a_released_lock_leaves_nothing_and_can_be_taken(path: Path) -> None:
    """Again and again."""
    for _ in range(3):
        lock = FileLock.take(path)
        assert lock is not None
        lock.release()

        assert not path.exists()


def test_the_death_of_its_holder_frees_a_lock(path: Path) -> None:
    """Even by SIGKILL, though the file stays behind."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = FileLock.take(path)
        process.send_signal(signal.SIGKILL)
    after = FileLock.take(path)

    assert before is None
    assert after is not None
    assert holder(path) == f"process {os.getpid()}"


def test_a_lock_on_a_removed_file_is_not_taken_for_one(path: Path) -> None:
    """Who opened the file before its holder removed it locks the new one."""
    first = FileLock.take(path)
    path.unlink()
    second = FileLock.take(path)

    assert first is not None
    assert second is not None
    assert path.exists()


def test_an_unknown_holder_is_another_process(path: Path) -> None:
    """It has just gone, or was killed before it wrote its number."""
    gone = holder(path)
    path.write_text("")

    assert gone == holder(path) == "another process"


def test_a_folder_is_held_once_and_stays(tmp_path: Path) -> None:
    """Nothing is written into it, as nothing can be in a cgroup."""
    first = FileLock.take_folder(tmp_path)
    second = FileLock.take_folder(tmp_path)
    assert first is not None
    first.release()

    assert second is None
    assert FileLock.take_folder(tmp_path) is not None
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_made_is_the_systems_error(path: Path) -> None:
    """The caller knows what the file was for."""
    with pytest.raises(FileNotFoundError):
        FileLock.take(path / "below")
    with pytest.raises(FileNotFoundError):
        FileLock.take_folder(path)


def test_a_holder_that_has_not_written_its_number_yet_is_waited_for(tmp_path: Path) -> None:
    """It does so once it has the lock."""
    path = tmp_path / "lock"
    path.touch()
    writing = threading.Timer(0.05, path.write_text, ["77"])
    writing.start()

    assert holder(path) == "process 77"
    writing.join()
