"""The fork server's kill reaches a child at any time of its life."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from profiler.measure.forkserver import _kill_group


@pytest.mark.parametrize("has_group", [True, False])
def test_a_child_is_killed_with_or_without_a_group_of_its_own(*, has_group: bool) -> None:
    """Just after the fork it has none yet."""
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, start_new_session=has_group) as process:
        _kill_group(process.pid, signal.SIGKILL)
        process.wait(10)

    assert process.returncode == -signal.SIGKILL
