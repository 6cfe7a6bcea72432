"""What the integration tests share: TensorFlow's environment, one fork server, the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiler.facts import Measurement, Point
from profiler.measure.client import Session
from profiler.measure.launcher import ForkLauncher

# Whoever runs the tests in the background may ignore Ctrl-C; commands under test must not.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

COMMAND = Path(sys.executable).with_name("stepwall")
COMMAND_TIMEOUT_S = 180
CONDITIONS = {"device", "limit_bytes", "host_limit_bytes", "schedule", "repeat"}


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """Return a session on the fork server that all tests share."""
    with ForkLauncher() as launcher:
        yield Session(launcher=launcher, timeout_s=120)


@pytest.fixture(scope="session")
def measure(session: Session) -> Callable[..., Measurement]:
    """Return ``measure(scenario, *, steps, ...)``: one point in a real child.

    Its keywords are the point's conditions, what ``Session`` and ``Session.measure`` take,
    ``source`` (a scenario file), and else the scenario's parameters.
    """

    def measure(  # noqa: PLR0913 (one keyword per thing that a test varies)
        scenario: str,
        *,
        steps: int = 4,
        source: Path | None = None,
        timeout_s: float = session.timeout_s,
        session: Session = session,
        timeline: bool = False,
        **settings: Any,
    ) -> Measurement:
        conditions = {name: settings.pop(name) for name in CONDITIONS & settings.keys()}
        point = Point(
            scenario=scenario, family="test", parameters=settings, steps=steps, **conditions
        )
        sources = (str(source),) if source else ()
        session = replace(session, sources=sources, timeout_s=timeout_s)
        return session.measure(point, timeline=timeline)

    return measure


@pytest.fixture(scope="session")
def stepwall() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return ``stepwall(*arguments, cwd=folder)``: the installed command, run to its end."""

    def stepwall(*arguments: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    return stepwall


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return ``disk(size)``: a small disk of its own; called again, it has that size."""
    place = tmp_path / "disk"

    def disk(size: str) -> Path:
        new = not place.exists()
        place.mkdir(exist_ok=True)
        options = f"size={size}" if new else f"remount,size={size}"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("a small disk cannot be mounted here: that needs root")
        return place

    yield disk
    if place.is_mount():
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607


@pytest.fixture(scope="session")
def resources() -> Path:
    """Return the folder of scenario files that a user could have written."""
    return Path(__file__).parent / "resources"
