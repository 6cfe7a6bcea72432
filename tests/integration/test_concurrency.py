"""Many at work at once, on one folder, with little to work with: nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fault_counts import fault, none_lost
from signal_storm import (
    BAD_INPUT,
    OK,
    POINT_FAILED,
    TOOL_FAILED,
    WAIT_S,
    Place,
    Rows,
    wait_for,
)

ENDS = {OK, TOOL_FAILED, BAD_INPUT, POINT_FAILED}
# They need not exist.
FIRST, SECOND, GROUP = 64001, 64002, 64000
PROFILE = ("profile", "slow_loop", "--steps", "1:6:1")
STORED_STEPS = """SELECT json_extract(data, '$.point.steps') FROM measurements
    WHERE run = (SELECT id FROM runs WHERE name = ?) ORDER BY 1"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder for commands."""
    return Place(folder=tmp_path)


def steps_of(place: Place, run: str) -> list[int]:
    """Return the steps of a run's points, in their order."""
    return [int(steps) for (steps,) in place.fetch(STORED_STEPS, run)]


def lost(before: Rows, after: Rows) -> list[tuple[str, ...]]:
    """Return the rows that are gone or have changed."""
    return [key for key, data in before.items() if after.get(key) != data]


def one_line(place: Place) -> str:
    """Return the one line that a failed command said."""
    (line,) = place.said().splitlines()
    assert line.startswith("stepwall: ")
    assert "this is a bug" not in line
    return line


@fault(5, "three profiles, a wall and two reports at once on one folder")
def test_a_crowd_shares_a_folder(place: Place) -> None:
    """Three profiles, a wall and two reports at once: each has its run, and files are whole."""
    assert place.run(*PROFILE, "--name", "old") == OK, place.said()
    commands = [
        *((*PROFILE, "--name", f"run{number}") for number in range(3)),
        ("wall", "slow_loop", "--limit", "16KiB", "--set", "units=32", "--name", "wall"),
        *(("report", "old", "--force"),) * 2,
    ]
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(place.running(*command)) for command in commands]
        codes = [process.wait(WAIT_S) for process in started]

    assert codes == [OK] * len(commands)
    for name in ("old", "run0", "run1", "run2"):
        assert steps_of(place, name) == list(range(1, 7))
        json.loads((place.results / name / "measurements.json").read_text())
    assert len(place.fetch("SELECT 1 FROM walls")) == 1
    assert place.fetch("SELECT count(*) FROM runs WHERE finished") == [(5,)]
    assert (place.results / "latest").readlink().name in {"old", "run0", "run1", "run2"}
    hidden = {path.name for path in place.results.rglob(".*")}
    none_lost(hidden)
    none_lost(place.left_folders())


class TestResultsFolder:
    """That is taken away in the middle of a run."""

    @pytest.mark.parametrize("command", ["profile", "wall"])
    @fault(5, "a results folder that is removed or renamed in the middle of a run")
    def test_that_is_removed_is_missed(self, command: str, place: Place) -> None:
        """In one line, at the next point; it is not made again without what was in it."""
        words = {
            "profile": PROFILE,
            "wall": ("wall", "slow_loop", "--limit", "16KiB", "--set", "units=32"),
        }[command]
        with place.running(*words) as process:
            wait_for(lambda: len(place.rows()) > 0, process)
            shutil.rmtree(place.results, ignore_errors=True)
            code = process.wait(WAIT_S)

        assert code == TOOL_FAILED
        assert "was removed or moved while it was written" in one_line(place)
        assert not place.results.exists()

    @fault(5, "a results folder that is removed or renamed in the middle of a run")
    def test_that_is_renamed_keeps_all_and_goes_on_where_it_was(self, place: Place) -> None:
        """Put back, the run is resumed; another run that began in its place is none the worse."""
        away = place.folder / "away"
        with place.running(*PROFILE, "--name", "run") as process:
            wait_for(lambda: len(place.rows()) > 0, process)
            place.results.rename(away)
            code = process.wait(WAIT_S)
        said = one_line(place)
        other = place.run("profile", "slow_loop", "--steps", "1,2", "--name", "other")
        shutil.rmtree(place.results)
        away.rename(place.results)
        stored = place.rows()
        resumed = place.run(*PROFILE, "--name", "run", "--resume")
        after = place.rows()

        assert (code, other, resumed) == (TOOL_FAILED, OK, OK), place.said()
        assert "put it back and continue with --resume" in said
        none_lost(lost(stored, after))
        assert steps_of(place, "run") == list(range(1, 7))


@fault(5, "few file descriptors")
def test_sixty_four_descriptors_are_enough(place: Place) -> None:
    """For four points at once."""
    code = place.run(*PROFILE, "--jobs", "4", "--set", "units=8,16,24,32", prefix=descriptors(64))

    assert (code, place.said()) == (OK, "")
    assert len(place.rows()) == 24


@pytest.mark.parametrize("number", [10, 16])
@fault(5, "few file descriptors")
def test_too_few_descriptors_are_said(number: int, place: Place) -> None:
    """In words, where they are not enough."""
    code = place.run(
        *PROFILE, "--jobs", "4", "--set", "units=8,16,24,32", prefix=descriptors(number)
    )

    assert code in ENDS, place.said()
    assert code == OK or place.said().strip()
    assert "Traceback" not in place.said()
    assert "this is a bug" not in place.said()
    none_lost(place.left_processes())


def descriptors(number: int) -> tuple[str, ...]:
    """Return what starts a command with so many descriptors at most."""
    return ("bash", "-c", f'ulimit -n {number}; exec "$@"', "bash")


@pytest.fixture
def as_user() -> Callable[..., tuple[str, ...]]:
    """Return ``as_user(id)``: what starts a command as that user, with the group of all of them.

    The interpreter may lie in the home of root: they may read everything, and write their own.
    """
    reading = "+dac_read_search"

    def as_user(user: int) -> tuple[str, ...]:
        ids = [f"--reuid={user}", f"--regid={GROUP}", "--clear-groups"]
        start = ["setpriv", *ids, f"--inh-caps={reading}", f"--ambient-caps={reading}"]
        return ("sh", "-c", 'umask 002; exec "$@"', "sh", *start)

    who = [*as_user(FIRST), sys.executable, "-c", "import os; print(os.getuid())"]
    done = subprocess.run(who, capture_output=True, text=True, check=False)
    if done.stdout.strip() != str(FIRST):
        pytest.skip(f"no command can be run as another user here: {done.stderr.strip()}")
    return as_user


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Return a folder that all users reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def folder_of(user: int, folder: Path, mode: int = 0o755) -> Path:
    """Make a folder of that user."""
    folder.mkdir()
    os.chown(folder, user, GROUP)
    folder.chmod(mode)
    return folder


@fault(5, "another user: without a home, of one group, without a right to the folder")
def test_a_user_without_a_home_of_their_own(
    as_user: Callable[..., tuple[str, ...]], open_path: Path
) -> None:
    """Whatever a framework or a plot would keep there, nothing is said of it."""
    home = folder_of(0, open_path / "home", 0o555)
    place = place_of(FIRST, open_path / "work", HOME=str(home))
    command = ("profile", "slow_loop", "dynamic_rnn", "--steps", "4,8", "--plots")
    code = place.run(*command, prefix=as_user(FIRST))

    assert (code, place.said()) == (OK, "")
    assert len(place.rows()) == 4
    none_lost(list(home.iterdir()))


class TestTwoUsers:
    """One results folder."""

    @fault(5, "another user: without a home, of one group, without a right to the folder")
    def test_of_a_group_go_on_with_each_others_runs(
        self, as_user: Callable[..., tuple[str, ...]], open_path: Path
    ) -> None:
        """Where the folder is the group's: also with one that was killed, and its report."""
        first, second = (place_of(user, open_path / str(user)) for user in (FIRST, SECOND))
        results = folder_of(FIRST, first.results, 0o2775)
        command = (*PROFILE, "--name", "run", "--results", results)
        with first.running(*command, prefix=as_user(FIRST)) as process:
            wait_for(lambda: len(first.rows()) > 0, process)
            process.kill()
        stored = first.rows()
        resumed = second.run(*command, "--resume", prefix=as_user(SECOND))
        reported = first.run("report", "run", "--results", results, prefix=as_user(FIRST))

        assert (resumed, reported) == (OK, OK), second.said() + first.said()
        none_lost(lost(stored, first.rows()))
        assert steps_of(first, "run") == list(range(1, 7))

    @fault(5, "another user: without a home, of one group, without a right to the folder")
    def test_without_a_right_to_it_read_and_do_not_write(
        self, as_user: Callable[..., tuple[str, ...]], open_path: Path
    ) -> None:
        """What cannot be written is one line, before anything is measured."""
        first, second = (place_of(user, open_path / str(user)) for user in (FIRST, SECOND))
        mine = folder_of(FIRST, first.results, 0o755)
        own = first.run(*PROFILE, "--name", "run", prefix=as_user(FIRST))
        for path in mine.rglob("*"):
            path.chmod(path.stat().st_mode & ~0o022)
        before = first.rows()
        measured = second.run(*PROFILE, "--results", mine, prefix=as_user(SECOND))
        said = one_line(second)
        read = second.run(
            "report", "run", "--results", mine, "-o", "elsewhere", prefix=as_user(SECOND)
        )

        assert (own, read) == (OK, OK), second.said()
        assert measured in {TOOL_FAILED, BAD_INPUT}
        assert str(mine) in said
        assert (second.folder / "elsewhere" / "report.html").is_file()
        none_lost(lost(before, first.rows()))
        assert len(first.rows()) == len(before)


def place_of(user: int, folder: Path, **environment: str) -> Place:
    """Return a place in a folder of that user."""
    place = Place(folder=folder_of(user, folder), environment=environment)
    os.chown(place.temporary, user, GROUP)
    return place
