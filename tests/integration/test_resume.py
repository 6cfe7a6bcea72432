"""Nothing that was measured is lost: killed, run twice at once, or out of disk."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from fault_counts import fault, none_lost
from signal_storm import KILLED

Done = subprocess.CompletedProcess[str]
Stepwall = Callable[..., Done]
Disk = Callable[[str], Path]

COMMAND = Path(sys.executable).with_name("stepwall")
WAIT_S = 120
OK, TOOL_FAILED, BAD_INPUT = 0, 1, 2
SEED = 20261123
KILLS = 6
STEPS = range(1, 31)


@pytest.fixture
def profile(resources: Path) -> Callable[..., list[str]]:
    """Return ``profile(last, ...)``: the command for ``last`` quick points."""

    def profile(last: int, *options: str) -> list[str]:
        source = str(resources / "faults.py")
        return ["profile", "sound", "--scenarios", source, "--steps", f"1:{last}:1", *options]

    return profile


@contextmanager
def running(arguments: list[str], *, cwd: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and see to it that it does not run on."""
    with subprocess.Popen(
        [COMMAND, *arguments],
        cwd=cwd,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def wait_for_rows(results: Path, *, more_than: int = 0) -> None:
    """Wait until more points are stored."""
    wait_until(lambda: len(rows(results)) > more_than)


def rows(results: Path) -> list[tuple[int, str, str]]:
    """Return the measurements of a results folder as they are stored, oldest first."""
    path = results / "stepwall.sqlite"
    if not path.exists():
        return []
    query = "SELECT rowid, run, data FROM measurements ORDER BY rowid"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    except sqlite3.OperationalError:  # the tables are just being made
        return []


def changed(
    before: list[tuple[int, str, str]], after: list[tuple[int, str, str]]
) -> list[tuple[int, str, str]]:
    """Return the rows that are no more what and where they were."""
    return [row for at, row in enumerate(before) if after[at : at + 1] != [row]]


def steps_of(results: Path, run: str) -> list[int]:
    """Return the steps of a run's points, by its name, in the order they were stored."""
    query = """SELECT json_extract(data, '$.point.steps') FROM measurements
        WHERE run = (SELECT id FROM runs WHERE name = ?) ORDER BY rowid"""
    with closing(sqlite3.connect(results / "stepwall.sqlite")) as database:
        return [steps for (steps,) in database.execute(query, (run,))]


def run_names(results: Path) -> list[tuple[str, bool]]:
    """Return the names of the stored runs, and whether each is finished."""
    with closing(sqlite3.connect(results / "stepwall.sqlite")) as database:
        return database.execute("SELECT name, finished FROM runs ORDER BY rowid").fetchall()


def processes_of(folder: Path) -> list[int]:
    """Return the processes that have ``folder`` as their place for temporary files."""
    found = psutil.process_iter(["environ", "status"])
    return [
        process.pid
        for process in found
        if (process.info["environ"] or {}).get("TMPDIR") == str(folder)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def error_line(stderr: str) -> str:
    """Return the one line that a failed command prints."""
    (line,) = stderr.splitlines()
    assert line.startswith("stepwall: ")
    return line


@fault(3, KILLED)
def test_a_run_killed_at_any_moment_loses_nothing(
    stepwall: Stepwall, profile: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Resumed after every kill, it has each point once, and measured none of them again."""
    moments = random.Random(SEED)  # noqa: S311 (no secret)
    temporary, results = tmp_path / "temporary", tmp_path / "results"
    temporary.mkdir()
    command = profile(max(STEPS), "--resume")
    stored: list[tuple[int, str, str]] = []
    for kill in range(KILLS):
        started = command if kill else profile(max(STEPS))  # at first there is nothing to resume
        with running(started, cwd=tmp_path, TMPDIR=str(temporary)) as process:
            if kill % 2:  # while it starts; else while it measures
                time.sleep(moments.uniform(0.0, 3.0))
            else:
                wait_for_rows(results, more_than=len(stored))
                time.sleep(moments.uniform(0.0, 0.4))
            assert process.poll() is None
            process.kill()
        before, stored = stored, rows(results)
        none_lost(changed(before, stored))
    done = stepwall(*command, cwd=tmp_path, TMPDIR=str(temporary))
    ((name, finished),) = run_names(results)

    assert done.returncode == OK, done.stderr
    assert len(stored) < len(STEPS)
    none_lost(changed(stored, rows(results)))
    assert steps_of(results, name) == list(STEPS)
    assert finished
    wait_until(lambda: processes_of(temporary) == [])
    none_lost(list(temporary.glob("stepwall-*")))


@fault(3, KILLED)
def test_a_killed_run_leaves_no_process(resources: Path, tmp_path: Path) -> None:
    """Not even one that ignores every signal, in a session of its own."""
    source, pids = str(resources / "faults.py"), tmp_path / "pids"
    options = ["--set", f"pid_file={pids}", "--set", "detached=true", "--steps", "4"]
    with running(["profile", "hangs", "--scenarios", source, *options], cwd=tmp_path) as process:
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        left = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
        process.kill()
    _, alive = psutil.wait_procs(left, timeout=10)

    none_lost([each for each in alive if each.status() != psutil.STATUS_ZOMBIE])


@fault(5, "two commands on one run")
def test_a_run_has_one_process_and_a_folder_has_many(
    stepwall: Stepwall, profile: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Beside a run in progress another run finishes; the same one is refused by its process."""
    results = tmp_path / "results"
    with running(profile(30, "--name", "long"), cwd=tmp_path) as process:
        wait_for_rows(results)
        again = stepwall(*profile(3, "--name", "long"), cwd=tmp_path)
        named = stepwall(*profile(3, "--name", "long", "--resume"), cwd=tmp_path)
        short = stepwall(*profile(3, "--name", "short"), cwd=tmp_path)
        process.communicate(timeout=WAIT_S)

    busy = f"stepwall: run 'long' is being worked on by process {process.pid}"
    taken = "stepwall: a run named 'long' exists: choose another --name, or continue it with"
    assert (short.returncode, process.returncode) == (OK, OK)
    assert (named.returncode, error_line(named.stderr)) == (BAD_INPUT, busy)
    assert (again.returncode, error_line(again.stderr)) == (BAD_INPUT, f"{taken} --resume")
    assert steps_of(results, "long") == list(range(1, 31))
    assert steps_of(results, "short") == [1, 2, 3]
    assert run_names(results) == [("long", True), ("short", True)]
    assert (results / "long" / "report.html").is_file()
    assert (results / "short" / "report.html").is_file()


@fault(5, "two commands on one run")
def test_of_two_that_resume_one_run_one_does(
    profile: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Started at the same moment; the other says who does, and no point is there twice."""
    results = tmp_path / "results"
    with running(profile(8), cwd=tmp_path) as process:
        wait_for_rows(results)
        process.kill()
    command = profile(8, "--resume")
    with running(command, cwd=tmp_path) as first, running(command, cwd=tmp_path) as second:
        ends = [(each.pid, each.communicate(timeout=WAIT_S)[1], each) for each in (first, second)]
    ((name, finished),) = run_names(results)
    ((winner, _),) = [(pid, text) for pid, text, each in ends if each.returncode == OK]
    ((_, refusal),) = [(pid, text) for pid, text, each in ends if each.returncode == BAD_INPUT]

    assert error_line(refusal) == (f"stepwall: run {name!r} is being worked on by process {winner}")
    assert steps_of(results, name) == list(range(1, 9))
    assert finished


@fault(5, "a disk that is full before or in the middle of a run")
def test_a_full_disk_keeps_what_was_stored(
    stepwall: Stepwall, toy: Stepwall, disk: Disk, tmp_path: Path
) -> None:
    """One line, stored points still readable, and with more room the run goes on."""
    place = disk("128k")
    database = place / "stepwall.sqlite"
    there = ["--results", str(place)]
    command = ["profile", "toy_loop", "--steps", "1:20:1", "--name", "full", *there]
    full = toy(*command, cwd=tmp_path)
    kept = rows(place)
    listed = stepwall("runs", *there, cwd=tmp_path)
    disk("64m")
    resumed = toy(*command, "--resume", cwd=tmp_path)

    assert full.returncode == TOOL_FAILED
    assert error_line(full.stderr) == (
        f"stepwall: {database}: the disk is full; what was stored is kept: "
        "free some space and continue with --resume"
    )
    assert 1 <= len(kept) < 20
    assert (listed.returncode, listed.stderr) == (OK, "")
    assert resumed.returncode == OK
    none_lost(changed(kept, rows(place)))
    assert steps_of(place, "full") == list(range(1, 21))
    assert (place / "full" / "report.html").is_file()


@fault(5, "a disk that is full before or in the middle of a run")
def test_a_full_disk_stops_only_the_report(
    stepwall: Stepwall, toy: Stepwall, disk: Disk, tmp_path: Path
) -> None:
    """A closed database on a disk that filled up can be read, and reported elsewhere."""
    place = disk("256k")
    there = ["--results", str(place)]
    command = ["profile", "toy_loop", "--steps", "1,2", "--name", "first", *there]
    unreported = toy(*command, cwd=tmp_path)
    left = place / "filler"
    with pytest.raises(OSError, match="No space left"):
        left.write_bytes(b"x" * (1 << 20))
    listed = stepwall("runs", *there, cwd=tmp_path)
    elsewhere = stepwall("report", "first", *there, "-o", tmp_path / "out", cwd=tmp_path)
    document = stepwall("runs", *there, "--json", place / "runs.json", cwd=tmp_path)

    assert unreported.returncode == TOOL_FAILED
    assert error_line(unreported.stderr) == (
        f"stepwall: report folder {str(place / 'first')!r}: No space left on device"
    )
    assert (listed.returncode, listed.stderr) == (OK, "")
    assert (elsewhere.returncode, (tmp_path / "out" / "report.html").is_file()) == (OK, True)
    assert (document.returncode, error_line(document.stderr)) == (
        TOOL_FAILED,
        f"stepwall: --json {str(place / 'runs.json')!r}: No space left on device",
    )


def test_a_full_disk_behind_stdout_is_one_error() -> None:
    """As for ``stepwall list > file``."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == TOOL_FAILED
    assert error_line(done.stderr) == "stepwall: No space left on device"


class TestResuming:
    """What ``--resume`` goes on with; what it refuses is in tests/unit."""

    def test_finds_another_wall(self, toy: Stepwall, tmp_path: Path) -> None:
        """A run that holds a wall under one limit gets the one under another limit."""
        options = ["toy_loop", "--set", "units=32", "--name", "walls", "--json", "-"]
        first = toy("wall", *options, "--limit", "1MiB", cwd=tmp_path)
        second = toy("wall", *options, "--limit", "2MiB", "--resume", cwd=tmp_path)
        walls = [json.loads(done.stdout) for done in (first, second)]

        # A peak of 3 W + (T + 1) S; see test_second_framework.py.
        weights, state = 32 * 32 * 8, 4 * 32 * 8
        for mib, wall in enumerate(walls, start=1):
            assert wall["limit_bytes"] == mib << 20
            assert wall["last_ok"] == ((mib << 20) - 3 * weights - state) // state
        query = "SELECT json_extract(data, '$.last_ok') FROM walls ORDER BY rowid"
        assert stored(tmp_path, query) == [wall["last_ok"] for wall in walls]

    def test_adds_the_rest_of_a_grid(self, toy: Stepwall, tmp_path: Path) -> None:
        """Values that were measured are not measured again."""
        options = ["toy_loop", "--steps", "4,8", "--name", "grid", "--json", "-"]
        first = toy("profile", *options, "--set", "units=16", cwd=tmp_path)
        second = toy("profile", *options, "--set", "units=16,32", "--resume", cwd=tmp_path)
        before, after = (json.loads(done.stdout)["measurements"] for done in (first, second))

        assert (first.returncode, second.returncode) == (OK, OK)
        assert after[: len(before)] == before
        found = [(one["parameters"]["units"], one["steps"]) for one in after]
        assert found == [(16, 4), (16, 8), (32, 4), (32, 8)]

    def test_keeps_what_was_skipped(self, toy: Stepwall, tmp_path: Path) -> None:
        """Beyond an out-of-memory nothing is run: that stands in all results, also resumed."""
        options = ["--limit", "64KiB", "--set", "units=32", "--name", "out", "--json", "-"]
        # A peak of 11 KiB and 8 KiB per step.
        command = ["profile", "toy_unrolled", "--steps", "4,8,16,32", *options]
        done = toy(*command, cwd=tmp_path)
        before = rows(tmp_path / "results")
        page = (tmp_path / "results" / "out" / "report.html").read_text()
        resumed = toy(*command, "--resume", cwd=tmp_path)

        points = json.loads(done.stdout)["measurements"]
        ends = {point["steps"]: point["outcome"] for point in points}
        assert done.returncode == resumed.returncode == OK
        assert {steps: end["status"] for steps, end in ends.items()} == {
            4: "ok",
            8: "oom_device",
            16: "skipped",
            32: "skipped",
        }
        assert ends[16]["reason"] == ends[32]["reason"] == "8 steps ran out of memory"
        assert "skipped" in page
        assert "8 steps ran out of memory" in page
        assert rows(tmp_path / "results") == before
        assert json.loads(resumed.stdout)["measurements"] == points


def stored(folder: Path, query: str) -> list[Any]:
    """Return what a query of one column finds in a folder's results."""
    with closing(sqlite3.connect(folder / "results" / "stepwall.sqlite")) as database:
        return [value for (value,) in database.execute(query)]
