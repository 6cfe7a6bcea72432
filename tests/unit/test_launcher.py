"""What a child left is read without trust: any bytes, or none."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.frameworks.recorder import LOG_FILE, RESULT_FILE
from profiler.measure.launcher import (
    JobResult,
    _child_environment,
    _collect,
    _stop_group,
    _wait_status,
)
from profiler.measure.outcomes import ProcessEnd

EXITED = ProcessEnd(wait_status=0)


@pytest.mark.parametrize("code", [0, 1, 255])
def test_a_return_code_becomes_a_wait_status(code: int) -> None:
    """As ``waitpid`` gives it for an exit."""
    assert _wait_status(code) == code << 8
    assert os.waitstatus_to_exitcode(_wait_status(code)) == code


def test_a_signals_return_code_becomes_a_wait_status() -> None:
    """As ``waitpid`` gives it for a death."""
    assert _wait_status(-signal.SIGKILL) == signal.SIGKILL
    assert os.waitstatus_to_exitcode(_wait_status(-signal.SIGKILL)) == -signal.SIGKILL


def test_what_a_child_left_is_collected(tmp_path: Path) -> None:
    """Its facts, its exit, its seconds and its last words; and the folder is removed."""
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / RESULT_FILE).write_text('{"phase": "build"}')
    (folder / LOG_FILE).write_text("last words\n")
    ended = _collect(folder, EXITED, 1.5)

    assert ended == JobResult(
        facts={"phase": "build"}, exit=EXITED, seconds=1.5, log_tail="last words"
    )
    assert not folder.exists()


def test_a_child_that_left_nothing_is_collected(tmp_path: Path) -> None:
    """Neither result nor log, nor even its folder."""
    assert _collect(tmp_path / "gone", EXITED, 0.0) == JobResult(
        facts={}, exit=EXITED, seconds=0.0, log_tail=""
    )


def test_a_childs_environment_is_ours_and_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the framework reads at its import stands in it."""
    monkeypatch.setenv("STEPWALL_TEST", "here")
    found = _child_environment("tensorflow")

    assert found["STEPWALL_TEST"] == "here"
    assert found["TF_USE_LEGACY_KERAS"] == "1"


@pytest.mark.parametrize(
    ("deaf", "number"),
    [
        ("", signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", signal.SIGKILL),
    ],
    ids=["polite", "deaf"],
)
def test_a_group_is_stopped_politely_first(
    monkeypatch: pytest.MonkeyPatch, deaf: str, number: int
) -> None:
    """A child that does not listen is killed after the grace."""
    monkeypatch.setattr("profiler.measure.launcher.GRACE_S", 0.2)
    code = f"import signal, time\n{deaf}\nprint('ready', flush=True)\ntime.sleep(60)"
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _stop_group(process)

    assert process.returncode == -number


def test_nobody_of_a_stopped_group_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child's own child that does not listen is killed too, though its parent has gone."""
    monkeypatch.setattr("profiler.measure.launcher.GRACE_S", 0.2)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    deaf += "; print('ready', flush=True); time.sleep(30)"
    code = f"import subprocess, sys; subprocess.call([sys.executable, '-S', '-c', {deaf!r}])"
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _stop_group(process)
        # The last holder of the pipe's other end closes it.
        ended, _, _ = select.select([process.stdout], [], [], 1.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    assert ended
