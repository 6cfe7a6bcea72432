"""A signal, whichever, whenever and to whom, ends a command in one line and loses nothing.

``tests/signal_storm.py`` sends many more of them, at random moments, by hand.
"""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
from fault_counts import fault, none_lost
from signal_storm import (
    ENDED,
    ENDING,
    FATAL,
    HIT,
    OK,
    POINT_FAILED,
    STOPPED,
    TARGETS,
    WAIT_S,
    Place,
    Rows,
    aims,
    children,
    listens,
    servers,
    wait_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SEED, CASES = 20261126, 8
SHIPPED = (
    ("list",),
    ("profile", "static_rnn", "--steps", "8:1024:x2"),
    ("wall", "static_rnn", "--limit", "64MiB"),
    ("explain", "static_rnn", "--steps", "512"),
)
# Each command on the toy, in a form that would run for long.
LONG = {
    "profile": ["slow_loop", "--steps", "2:40:2", "--set", "seconds=600"],
    "wall": ["slow_loop", "--limit", "16KiB", "--set", "seconds=600"],
    "explain": ["slow_loop", "--steps", "8", "--set", "seconds=600"],
    "predict": ["slow_loop", "--steps", "512", "--set", "seconds=600"],
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder for a command."""
    return Place(folder=tmp_path)


def check_end(place: Place, code: int, number: int) -> None:
    """Check that a command ended by a signal: in words, with its code, and nothing is left."""
    said = [line for line in place.said().splitlines() if line.strip()]
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    assert code == 128 + number, said
    assert said[-1].startswith(f"stepwall: {how}"), said
    assert "Traceback" not in place.said()
    none_lost(place.left_processes())
    none_lost(place.left_folders())


@pytest.mark.parametrize("case", range(CASES))
@fault(3, ENDED)
def test_a_signal_ends_a_command_at_once(case: int, tmp_path: Path) -> None:
    """While a large framework is imported, while children run, and while all that is closed."""
    place = Place(folder=tmp_path, source=None)
    chance = random.Random(SEED + case)  # noqa: S311 (no secret)
    number = ENDING[case % len(ENDING)]
    # Each command by two signals.
    words = SHIPPED[(case + case // len(ENDING)) % len(SHIPPED)]
    gap, times = chance.choice([0, 0.01, 0.2]), chance.choice([1, 2, 10])
    with place.running(*words) as process:
        wait_for(lambda: listens(process), process)
        time.sleep(chance.choice([chance.uniform(0, 1), chance.uniform(0, 6)]))
        if process.poll() == OK:
            pytest.skip("it ended before")
        for _ in range(times):
            process.send_signal(number)
            time.sleep(gap)
        code = process.wait(WAIT_S)

    check_end(place, code, number)


@pytest.mark.parametrize(("command", "number"), list(zip(LONG, ENDING, strict=True)))
@fault(3, ENDED)
def test_a_signal_ends_what_children_do(command: str, number: int, place: Place) -> None:
    """Each command, in the middle of its first point, however often: also twice at once."""
    with place.running(command, *LONG[command]) as process:
        wait_for(lambda: works(process), process)
        process.send_signal(number)
        process.send_signal(number)
        code = process.wait(WAIT_S)

    check_end(place, code, number)


@fault(3, ENDED)
def test_a_run_that_a_signal_ended_goes_on(place: Place) -> None:
    """With what was stored by then, each point once; a next signal changes nothing of that."""
    command = ["profile", "slow_loop", "--steps", "1:8:1", "--name", "run"]
    stored: list[Rows] = [{}]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        resume = ["--resume"] if stored[1:] else []
        with place.running(*command, *resume) as process:
            wait_for(lambda: len(place.rows()) > len(stored[-1]), process)
            process.send_signal(number)
            code = process.wait(WAIT_S)
        check_end(place, code, number)
        stored.append(place.rows())
    code = place.run(*command, "--resume")
    after = place.rows()

    assert code == OK, place.said()
    none_lost([key for rows in stored for key, data in rows.items() if after.get(key) != data])
    assert len(after) == 8


@fault(3, STOPPED)
def test_a_command_that_was_stopped_goes_on(place: Place) -> None:
    """And its fork server, and a child: a stop alone is no failure."""
    with place.running("profile", "slow_loop", "--steps", "1:6:1") as process:
        for target in TARGETS:
            for hit in found(partial(aims, process, target), process):
                hit.suspend()
                wait_for(partial(has_stopped, hit))
                hit.resume()
        code = process.wait(WAIT_S)

    assert (code, place.said()) == (OK, "")
    assert outcomes(place) == Counter(ok=6)


@fault(3, HIT)
def test_a_killed_child_is_a_point_that_failed(place: Place) -> None:
    """With its signal, whichever that is; the points beside it are measured, and resumed none."""
    command = ["profile", "slow_loop", "--steps", "1:6:1", "--name", "run"]
    with place.running(*command, "--set", "seconds=1") as process:
        for number in FATAL:
            child = found(partial(working, process), process)[0]
            child.send_signal(number)
            wait_for(partial(is_gone, child))
        code = process.wait(WAIT_S)
    failed = [line for line in place.said().splitlines() if "died of" in line]

    assert code == POINT_FAILED, place.said()
    assert sorted(line.split("died of ")[1].split()[0] for line in failed) == sorted(
        number.name for number in FATAL
    )
    assert "Traceback" not in place.said()
    assert outcomes(place) == Counter(ok=1, crashed=len(FATAL))
    assert place.run(*command, "--set", "seconds=1", "--resume") == POINT_FAILED
    assert outcomes(place) == Counter(ok=1, crashed=len(FATAL))


@pytest.mark.parametrize("moment", ["starting", "working"])
@fault(3, HIT)
def test_a_killed_server_is_replaced(moment: str, place: Place) -> None:
    """At the cost of the point that it had in hand at most."""
    command = ("profile", "slow_loop", "--steps", "1:6:1", "--set", "seconds=1")
    with place.running(*command, "-v") as process:
        for at, number in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGKILL)):
            find = servers if moment == "starting" and at == 0 else busy_servers
            hit = found(partial(find, process), process)[0]
            hit.send_signal(number)
            wait_for(partial(is_gone, hit))
        code = process.wait(WAIT_S)
    ends = outcomes(place)

    assert code in {OK, POINT_FAILED}, place.said()
    assert ends.total() == 6
    assert ends["ok"] >= 3
    assert ends.keys() <= {"ok", "crashed"}
    assert "Traceback" not in place.said()
    none_lost(place.left_processes())
    none_lost(place.left_folders())


@fault(3, "a terminal that goes away")
def test_a_terminal_that_goes_ends_it_as_a_hang_up(place: Place) -> None:
    """Though nothing can be written any more; what was stored is kept."""
    ours, theirs = pty.openpty()
    command = ["profile", "slow_loop", "--steps", "1:40:1", "--set", "seconds=1"]
    with place.running(*command, terminal=theirs) as process:
        os.close(theirs)
        wait_for(lambda: len(place.rows()) > 0, process)
        time.sleep(2)  # by then it shows its progress
        os.close(ours)
        code = process.wait(WAIT_S)

    assert code == 128 + signal.SIGHUP
    assert len(place.rows()) > 0
    none_lost(place.left_processes())
    none_lost(place.left_folders())


def works(process: psutil.Popen) -> bool:
    """Whether a child of the command measures: a run is stored, and has a child."""
    return bool(working(process))


def working(process: psutil.Popen) -> list[psutil.Process]:
    """Return the children that work on a point of the toy: those that build one."""
    return [child for child in children(process) if _has_point(child)]


def busy_servers(process: psutil.Popen) -> list[psutil.Process]:
    """Return the fork servers of which a child works on a point."""
    return [parent for child in working(process) if (parent := child.parent()) is not None]


def has_stopped(process: psutil.Process) -> bool:
    """Whether a process stands still."""
    return process.status() == psutil.STATUS_STOPPED


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended."""
    return not process.is_running()


def found(find: Callable[[], list[psutil.Process]], process: psutil.Popen) -> list[psutil.Process]:
    """Return what is found once it is there."""
    last: list[psutil.Process] = []

    def look() -> bool:
        last[:] = find()
        return bool(last)

    wait_for(look, process)
    return last


def _has_point(child: psutil.Process) -> bool:
    """Whether a child's output is in the folder of a job on a point."""
    try:
        folder = Path(f"/proc/{child.pid}/fd/1").readlink().parent
        return '"point"' in (folder / "job.json").read_text()
    except OSError:
        return False


def outcomes(place: Place) -> Counter[str]:
    """Return how many of the stored points ended how."""
    return Counter(json.loads(data)["outcome"]["status"] for data in place.rows().values())
