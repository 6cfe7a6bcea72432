"""What the integration tests share: TensorFlow's environment, the fork servers, the command."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from counted import counting, is_counting
from real_points import point_of

from profiler.closing import Closing
from profiler.facts import Measurement
from profiler.measure.client import Client
from profiler.measure.launcher import ByFramework, Launcher, Launchers
from profiler.planning.catalog import Catalog

# Whoever runs the tests in the background may ignore Ctrl-C; commands under test must not.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

COMMAND = Path(sys.executable).with_name("stepwall")
TOY = Path(__file__).parents[1] / "toy"
PROGRESS = re.compile(r"^stepwall: .*\b\d+ of \d+ done.*\n", re.MULTILINE)
COMMAND_TIMEOUT_S = 180
POINT_TIMEOUT_S = 120
CLIENTS = {"launchers", "timeout_s"}

coverage = counting(by_default=False)


class SharedLaunchers(Closing):
    """Fork servers that many tests share: one of each framework, and one that counts coverage."""

    def __init__(self) -> None:
        """Start none."""
        self._stack = contextlib.ExitStack()
        self._open: dict[bool, Launchers] = {}

    def close(self) -> None:
        """End all."""
        self._stack.close()

    def __getitem__(self, name: str) -> Launcher:
        """Return the launcher of that framework, for the module that runs now."""
        counts = is_counting()
        if counts not in self._open:
            self._open[counts] = self._stack.enter_context(Launchers())
        return self._open[counts][name]


@pytest.fixture(scope="session")
def launchers() -> Iterator[ByFramework]:
    """Return the fork servers that all tests share."""
    with SharedLaunchers() as launchers:
        yield launchers


@pytest.fixture(scope="session")
def client_of(launchers: ByFramework) -> Callable[..., Client]:
    """Return ``client_of(*sources, launchers=..., timeout_s=...)``.

    The scenarios of equal sources are listed once, by the shared fork servers.
    """
    shared = launchers
    lock = threading.Lock()

    @functools.cache
    def catalog(sources: tuple[str, ...]) -> Catalog:
        return Client(launchers=shared, sources=sources).catalog()

    def client_of(
        *sources: Path, launchers: ByFramework = shared, timeout_s: float = POINT_TIMEOUT_S
    ) -> Client:
        client = Client(launchers=launchers, sources=tuple(map(str, sources)), timeout_s=timeout_s)
        with lock:
            client._catalog = catalog(client.sources)
        return client

    return client_of


@pytest.fixture(scope="session")
def client(client_of: Callable[..., Client]) -> Client:
    """Return a client of the shipped scenarios."""
    return client_of()


@pytest.fixture(scope="session")
def measure(client_of: Callable[..., Client]) -> Callable[..., Measurement]:
    """Return ``measure(scenario, *, steps, ...)``: one point in a real child.

    Its keywords are the point's conditions, what ``Client`` and ``Client.measure`` take,
    ``source`` (a scenario file), and else the scenario's parameters.
    """

    def measure(
        scenario: str,
        *,
        steps: int = 4,
        source: Path | None = None,
        timeline: bool = False,
        **settings: Any,
    ) -> Measurement:
        options = {name: settings.pop(name) for name in CLIENTS & settings.keys()}
        client: Client = client_of(*([source] if source else []), **options)
        return client.measure(
            point_of(client, scenario, steps=steps, **settings), timeline=timeline
        )

    return measure


@pytest.fixture(scope="session")
def stepwall() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return ``stepwall(*arguments, cwd=folder)``: the installed command, run to its end.

    What a slow machine makes it say of its progress, once a minute, is left out of its stderr.
    """

    def stepwall(*arguments: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=os.environ | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        done.stderr = PROGRESS.sub("", done.stderr)
        return done

    return stepwall


@pytest.fixture(scope="session")
def toy_source() -> Path:
    """Return the scenario file of the toy, a second framework."""
    return TOY / "scenario_file.py"


@pytest.fixture(scope="session")
def toy_path() -> str:
    """Return the PYTHONPATH by which the toy is installed."""
    return os.pathsep.join([str(TOY), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="module")
def toy(
    stepwall: Callable[..., subprocess.CompletedProcess[str]], toy_path: str, toy_source: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return ``toy(command, ..., cwd=folder)``: the command with the toy and its scenarios."""

    def toy(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        return stepwall(*arguments, "--scenarios", toy_source, cwd=cwd, PYTHONPATH=toy_path)

    return toy


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
