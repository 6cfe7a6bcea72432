"""Ctrl-C, however often and whenever, ends a command in one line and leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("stepwall")
UNCOUNTED = {"COVERAGE_PROCESS_CONFIG": ""}  # see conftest.py
INTERRUPTED = 130
SEED, CASES = 20261126, 12
# From when on our own code runs, however busy the machine is; see profiler/__main__.py.
STARTED_S = 0.6
COMMANDS = (
    ("list",),
    ("doctor",),
    ("profile", "static_rnn", "--steps", "8:1024:x2"),
    ("wall", "static_rnn", "--limit", "64MiB"),
    ("explain", "static_rnn", "--steps", "512"),
    ("predict", "static_rnn", "--limit", "64MiB"),
)


def processes_of(folder: Path) -> list[str]:
    """Return the processes whose temporary files belong there."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0"):
            found.append(process.name)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("case", range(CASES))
def test_an_interrupt_ends_a_command_at_once(case: int, tmp_path: Path) -> None:
    """While the server imports, while children run, and while all that is closed."""
    chance = random.Random(SEED + case)  # noqa: S311 (no secret)
    command = COMMANDS[case % len(COMMANDS)]
    moment = chance.choice([chance.uniform(STARTED_S, 2), chance.uniform(STARTED_S, 6)])
    gap, times = chance.choice([0, 0.01, 0.2]), chance.choice([1, 2, 10])
    with subprocess.Popen(
        [COMMAND, *command],
        cwd=tmp_path,
        env=os.environ | UNCOUNTED | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        time.sleep(moment)
        if process.poll() == 0:
            pytest.skip("it ended before")
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(gap)
        _, stderr = process.communicate()

    said = [line for line in stderr.splitlines() if line.strip()]
    assert process.returncode == INTERRUPTED, stderr
    assert said[-1].startswith("stepwall: interrupted"), stderr
    assert "Traceback" not in stderr
    assert not processes_of(tmp_path)
    assert not list(tmp_path.glob("stepwall-*"))
