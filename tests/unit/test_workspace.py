"""A temporary folder, and the processes that are marked with it, go with its owner."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.errors import StepwallError
from profiler.measure.workspace import PREFIX, Workspace, end_marked, marked, sweep

OWN = """
import time
from profiler.measure.workspace import Workspace
print(Workspace().path, flush=True)
time.sleep(60)
"""
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@contextlib.contextmanager
def sleeper(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in a session of its own, with that environment."""
    with subprocess.Popen(SLEEP, env=os.environ | environment, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def killed_owner(tmp_path: Path) -> Path:
    """Return the folder of a process that was killed by SIGKILL."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", OWN], env=environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        owner.kill()
    return folder


def test_a_workspace_leaves_nothing(tmp_path: Path) -> None:
    """Neither the folder, nor what is in it."""
    with Workspace() as workspace:
        (workspace.path / "inside").write_text("something")
        during = list(tmp_path.iterdir())

    assert during == [workspace.path]
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_that_is_gone_already_is_closed_all_the_same() -> None:
    """A child may have removed it."""
    with Workspace() as workspace:
        end_marked(workspace.path)
        for path in workspace.path.iterdir():
            path.unlink()
        workspace.path.rmdir()

    assert not workspace.path.exists()


def test_the_next_workspace_removes_a_killed_owners(tmp_path: Path) -> None:
    """With its processes; that of an owner who lives stays."""
    with Workspace() as living:
        dead = killed_owner(tmp_path)
        with sleeper(**marked(dead / "job")) as process:
            left = dead.exists()
            with Workspace():
                pass
            code = process.wait(10)

        assert left
        assert not dead.exists()
        assert living.path.exists()
    assert code == -signal.SIGKILL


@pytest.mark.parametrize("age_s", [3600, -3600], ids=["past", "future"])
def test_what_a_killed_owner_had_not_locked_yet_goes_too(tmp_path: Path, age_s: float) -> None:
    """Whatever the clock says now: it may have been set back."""
    left = Path(tempfile.mkdtemp(prefix=PREFIX, dir=tmp_path))
    made_at = time.time() - age_s
    os.utime(left, (made_at, made_at))
    sweep(tmp_path)

    assert not left.exists()


def test_what_only_looks_like_a_workspace_is_left(tmp_path: Path) -> None:
    """A folder of that name without an owner's lock file may be anything."""
    strange = tmp_path / f"{PREFIX}strange"
    strange.mkdir()
    (strange / "precious").write_text("data")
    sweep(tmp_path)

    assert (strange / "precious").exists()


def test_marked_processes_end_in_whatever_session(tmp_path: Path) -> None:
    """Those of the folder and of folders in it; no other."""
    with (
        sleeper(**marked(tmp_path / "a")) as own,
        sleeper(**marked(tmp_path / "a" / "job")) as inner,
        sleeper(**marked(tmp_path / "ab")) as other,
        sleeper() as unmarked,
    ):
        end_marked(tmp_path / "a")
        codes = [own.wait(10), inner.wait(10)]

        assert (other.poll(), unmarked.poll()) == (None, None)
    assert codes == [-signal.SIGKILL] * 2


def test_no_temporary_folder_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the system's reason."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StepwallError, match=r"no temporary folder can be made: .*No such file"):
        Workspace()
