"""The ratios that the benchmarks found, in one line each at the end."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from profiler.measure.client import Client
from profiler.measure.launcher import Launchers


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A number that was measured, and what it should be."""

    what: str
    value: float
    unit: str
    aim: str


_FINDINGS = pytest.StashKey[list[Finding]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the findings."""
    config.stash[_FINDINGS] = []


@pytest.fixture
def report(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Callable[..., None]:
    """Return ``report(what, value, unit=..., aim=...)``."""

    def report(what: str, value: float, *, unit: str, aim: str) -> None:
        if "benchmark" in request.fixturenames:  # one that is asked for must be used
            request.getfixturevalue("benchmark").extra_info[what] = value
        finding = Finding(what=what, value=value, unit=unit, aim=aim)
        pytestconfig.stash[_FINDINGS].append(finding)

    return report


def _timed(work: Callable[[], object], rounds: int) -> list[float]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


@pytest.fixture
def timed() -> Callable[[Callable[[], object], int], float]:
    """Return ``timed(work, rounds)``: the median seconds of a round."""
    return lambda work, rounds: statistics.median(_timed(work, rounds))


@pytest.fixture
def benchmarked(benchmark: BenchmarkFixture) -> Callable[[Callable[[], object], int], float]:
    """Return the same as ``timed``, after one round that does not count, for pytest-benchmark."""

    def benchmarked(work: Callable[[], object], rounds: int) -> float:
        seconds: list[float] = []
        pedantic: Callable[..., None] = benchmark.pedantic
        pedantic(lambda: seconds.extend(_timed(work, 1)), rounds=rounds, warmup_rounds=1)
        return statistics.median(seconds[1:] or seconds)

    return benchmarked


@pytest.fixture(scope="module")
def warm() -> Iterator[Client]:
    """Return a client whose fork servers have started, and have forked once."""
    with Launchers() as launchers:
        client = Client(launchers=launchers)
        client.catalog()
        yield client


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print a line per finding."""
    found = config.stash[_FINDINGS]
    if found:
        terminalreporter.section("stepwall: what it costs")
    for item in found:
        terminalreporter.write_line(f"{item.what:<66} {item.value:>6.2f} {item.unit} ({item.aim})")
