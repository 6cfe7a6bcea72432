"""What large runs and large databases cost: seconds, memory and bytes; reported, never asserted.

The runs are made out of a small one that is measured here (``grown_run``). Each command is a
process of its own, whose peak memory the kernel tells.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from grown_run import grown
from pytest_benchmark.fixture import BenchmarkFixture

from profiler.facts import Point, Run, replace
from profiler.store.runs import Store

Report = Callable[..., None]
COMMAND = str(Path(sys.executable).with_name("stepwall"))
SCENARIOS = ("static_rnn", "dynamic_rnn")
LENGTHS = "8:256:x2"
POINTS, WALLS = 2_000, 200
RUNS = 800
MIB = 1 << 20
PAGE = "report.html"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command took."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def run_alone(arguments: Sequence[str]) -> Cost:
    """Run stepwall in a process of its own."""
    start = time.perf_counter()
    with subprocess.Popen([COMMAND, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)

    assert process.returncode == 0
    return Cost(
        seconds=time.perf_counter() - start,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=usage.ru_maxrss * 1024 / MIB,
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a real run: two builds, six lengths and a wall each."""
    results = tmp_path_factory.mktemp("small")
    options = ["--steps", LENGTHS, "--wall-limit", "16MiB", "--results", str(results), "-q"]
    run_alone(["profile", *SCENARIOS, *options])
    with Store(results) as store:
        return store.load()


def store_run(store: Store, run: Run, name: str) -> None:
    """Store a run under a name, in one commit as far as that goes."""
    stored = store.start_run(name, run.command, run.environment)
    for measurement in run.measurements:
        store.add_measurement(stored, measurement)
    for wall in run.walls:
        key = Point(
            framework=wall.framework,
            scenario=wall.scenario,
            family=wall.family,
            parameters=wall.parameters,
            steps=0,
            device=wall.device,
            limit_bytes=wall.limit_bytes,
        ).key
        store.add_wall(stored, key, wall)
    store.finish_run(stored)


def measure_report(small: Run, folder: Path, share: float) -> tuple[Cost, int, int]:
    """Return what a share of the large run costs, and the bytes of its page and folder."""
    large = grown(small, points=int(POINTS * share), walls=int(WALLS * share))
    with Store(folder, create=True) as store:
        store_run(store, large, "large")
    cost = run_alone(["report", "large", "--results", str(folder), "-q"])
    sizes = {path.name: path.stat().st_size for path in (folder / "large").iterdir()}
    return cost, sizes[PAGE], sum(sizes.values())


def test_report_of_a_large_run(
    benchmark: BenchmarkFixture, report: Report, small: Run, tmp_path: Path
) -> None:
    """Page and tables of 2,000 points and 200 walls; twice those of half of them, if linear."""
    half, half_page, half_folder = measure_report(small, tmp_path / "half", 0.5)
    found: list[tuple[Cost, int, int]] = []
    pedantic: Callable[..., None] = benchmark.pedantic
    pedantic(lambda: found.append(measure_report(small, tmp_path / "whole", 1)), rounds=1)
    cost, page, folder = found[-1]

    what = f"report of {POINTS:,} points and {WALLS} walls"
    report(f"{what}: takes", cost.seconds, unit="s", aim="aim: at most 10")
    report(f"{what}: CPU time", cost.cpu_seconds, unit="s", aim="on busy cores: tells more")
    report(f"{what}: memory", cost.peak_mib, unit="MiB", aim="aim: at most 500")
    report(f"{what}: page", page / 1e6, unit="MB", aim="aim: at most 10")
    report(f"{what}: folder", folder / 1e6, unit="MB", aim="for comparison")
    ratios = {
        "CPU time": cost.cpu_seconds / half.cpu_seconds,
        "memory": cost.peak_mib / half.peak_mib,
        "page": page / half_page,
        "folder": folder / half_folder,
    }
    for name, ratio in ratios.items():
        report(f"{what}: {name} over those of half of it", ratio, unit="x", aim="linear: 2")


@pytest.fixture(scope="module")
def many(small: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database of 800 runs: the real one first, then others of an older source."""
    results = tmp_path_factory.mktemp("many")
    older = replace(
        small,
        measurements=[
            replace(m, point=replace(m.point, source="another")) for m in small.measurements
        ],
    )
    with Store(results, create=True) as store:
        # As fast as it can be made: what is lost in a crash of the machine can be made again.
        store._db.fetch("PRAGMA synchronous = OFF")
        store_run(store, small, "first")
        for index in range(1, RUNS):
            store_run(store, older, f"run {index}")
    return results


@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        ("report", "first"),
        ("compare", "first", "run 7"),
        ("versus", *SCENARIOS, "--no-check"),
        ("predict", "dynamic_rnn", "--steps", "512"),
    ],
    ids=lambda command: command[0],
)
def test_commands_over_many_runs(
    benchmark: BenchmarkFixture, report: Report, many: Path, small: Run, command: tuple[str, ...]
) -> None:
    """Against the same command over one run: most of it is the command's start."""
    alone = many.parent / "alone"
    if not alone.exists():
        with Store(alone, create=True) as store:
            store_run(store, small, "first")
            store_run(store, small, "run 7")
    one = run_alone([*command, "--results", str(alone), "-q"])
    found: list[Cost] = []
    arguments = [*command, "--results", str(many), "-q"]
    pedantic: Callable[..., None] = benchmark.pedantic
    pedantic(lambda: found.append(run_alone(arguments)), rounds=1)

    what = f"{command[0]}, {RUNS} runs stored"
    report(f"{what}: takes", found[-1].seconds, unit="s", aim="for comparison")
    ratio = found[-1].cpu_seconds / one.cpu_seconds
    report(f"{what}: CPU time over that of 2 runs", ratio, unit="x", aim="near 1")
    report(f"{what}: memory", found[-1].peak_mib, unit="MiB", aim="for comparison")
