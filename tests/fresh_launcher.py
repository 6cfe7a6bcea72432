"""Each job in a fresh interpreter: slow, and nothing is shared with a fork server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from profiler.frameworks import Framework, framework
from profiler.measure import child, forkserver, job_folder
from profiler.measure.job import Job
from profiler.measure.launcher import JobResult, Launcher, collect
from profiler.measure.supervision import Supervisor
from profiler.measure.workspace import Workspace


class FreshLauncher:
    """Runs each job in an interpreter of its own, to compare a forked child with."""

    def __init__(self, framework: Framework, supervisor: Supervisor | None = None) -> None:
        """Make a launcher of one framework's children."""
        self._framework = framework
        self._supervisor = supervisor or Supervisor()

    def run(self, job: Job, *, timeout_s: float) -> JobResult:
        """Run ``job`` to its end; see ``profiler.measure.launcher.Launcher``."""
        with self._supervisor.supervise(job) as supervised, Workspace() as workspace:
            folder = job_folder.prepare(workspace.path, supervised.job)
            start = time.perf_counter()
            addresses = "fixed" if self._framework.fixed_addresses else "random"
            process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(folder), addresses],
                env={**os.environ, **self._framework.environment},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            timed_out = None
            with supervised.guarded(lambda: process.pid, process.kill):
                try:
                    process.wait(timeout_s)
                except subprocess.TimeoutExpired:
                    timed_out = timeout_s
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            status = -code if code < 0 else code << 8
            seconds = time.perf_counter() - start
            return collect(folder, supervised.end(status, timed_out), seconds)


class FreshLaunchers:
    """A fresh launcher for each framework, by its name."""

    def __getitem__(self, name: str) -> Launcher:
        """Return the launcher of that framework."""
        return FreshLauncher(framework(name))


if __name__ == "__main__":
    if sys.argv[2] == "fixed":
        forkserver.fix_addresses()
    sys.exit(child.run(Path(sys.argv[1])))
