"""With every core busy and memory scarce: equal bytes, equal walls, and a machine that lives.

The commands run in a memory cgroup of their own, beside real burners. ``make faults`` repeats each
of them as often as ``docs/reliability.md`` says; the test run a few times.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_counts import IS_WHOLE, fault, none_lost
from signal_storm import OK, Place

from profiler.limits import cgroup, machine

MIB = 1 << 20
REPEATS = 20 if IS_WHOLE else 3
WALLS = 2 if IS_WHOLE else 1
ROUNDS = 5 if IS_WHOLE else 1
# What a command and its fork server hold, with a point or two of these: more than that is scarce.
ROOM = 1200 * MIB
SMALL_ROOM = 500 * MIB
GROWING = 6
BURN = "while True: pass"
REPEATED = '''
from scenarios import builds
from profiler import Training, scenario

@scenario
def static(steps: int, *, repeat: int = 0) -> Training:
    """The shipped static_rnn."""
    return builds.static_rnn(steps)

@scenario
def dynamic(steps: int, *, repeat: int = 0) -> Training:
    """The shipped dynamic_rnn."""
    return builds.dynamic_rnn(steps)
'''
GREEDY = f'''
import numpy as np
from stepwall_toy import Recurrence
from profiler import scenario

@scenario
def greedy(steps: int, *, number: int = 0) -> Recurrence:
    """Takes a MiB for each step as fast as it can."""
    blocks = [np.ones({MIB}, np.uint8) for _ in range(steps)]
    del blocks
    return Recurrence(steps=1, batch=1, units=8)
'''


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder for commands on the scenarios of this file."""
    source = tmp_path / "mine.py"
    source.write_text(REPEATED)
    return Place(folder=tmp_path, source=source)


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep every core busy."""
    with contextlib.ExitStack() as stack:
        for _ in os.sched_getaffinity(0):
            burner = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", BURN]))
            stack.callback(burner.kill)
        yield


@contextlib.contextmanager
def scarce(room: int) -> Iterator[tuple[cgroup.Group, tuple[str, ...]]]:
    """Yield a group with so much above the guard's floor, and what starts a command in it."""
    own = cgroup.own()
    if own is None:
        pytest.skip("there is no memory cgroup")
    try:
        group, lock = cgroup.new_group(own)
    except OSError as error:
        pytest.skip(f"no memory cgroup may be made here: {error}")
    try:
        group.limit(machine.floor_bytes() + room)
        join = f'echo $$ > {group.path}/cgroup.procs; exec "$@"'
        yield group, ("sh", "-c", join, "sh")
    finally:
        group.remove()
        lock.release()


def peaks(place: Place) -> dict[str, list[dict[str, Any]]]:
    """Return what the device's allocator counted at each point of the last command."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads((place.folder / "out.json").read_text())["measurements"]:
        found.setdefault(one["scenario"], []).append(one["device"])
    return found


def wall(place: Place) -> dict[str, Any]:
    """Return what the last command proved."""
    found = json.loads((place.folder / "out.json").read_text())
    ends = {name: found[name] for name in ("status", "last_ok", "first_oom")}
    peaks = {one["peak_bytes"] for one in found["probes"] if one["steps"] == found["last_ok"]}
    return {**ends, "peaks": peaks}


@pytest.mark.usefixtures("busy")
def test_serial_peaks_are_equal_to_the_byte(place: Place) -> None:
    """Of a static and a dynamic build, two points at a time."""
    command = ("profile", "static", "dynamic", "--steps", "20", "--json", "out.json")
    repeats = ",".join(map(str, range(REPEATS)))
    assert place.run(*command) == OK, place.said()
    idle = {scenario: one for scenario, (one,) in peaks(place).items()}
    with scarce(ROOM) as (_, prefix):
        code = place.run(*command, "--set", f"repeat={repeats}", "--jobs", "2", prefix=prefix)
    assert code == OK, place.said()
    loaded = peaks(place)

    assert {name: len(found) for name, found in loaded.items()} == dict.fromkeys(idle, REPEATS)
    for name, found in loaded.items():
        for device in found:
            with fault(7, f"a serial point of a {name} build, both cores busy, memory scarce"):
                none_lost([key for key in device if device[key] != idle[name][key]])


@pytest.mark.parametrize("scenario", ["static", "dynamic"] if IS_WHOLE else ["dynamic"])
def test_walls_are_the_same(place: Place, scenario: str, request: pytest.FixtureRequest) -> None:
    """As on an idle machine: both ends are proven, and are where they were."""
    command = ("wall", scenario, "--limit", "4MiB", "--json", "out.json")
    assert place.run(*command) == OK, place.said()
    idle = wall(place)
    request.getfixturevalue("busy")
    for _ in range(WALLS):
        with fault(7, f"a wall of a {scenario} build, both cores busy, memory scarce"):
            with scarce(ROOM) as (_, prefix):
                code = place.run(*command, prefix=prefix)
            found = wall(place)

            assert code == OK, place.said()
            none_lost([key for key in idle if found[key] != idle[key]])


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_guard_keeps_the_machine_alive(place: Place, number: int) -> None:
    """Six points grow at once, each to all that there is: the kernel has nothing to kill."""
    del number
    assert place.source is not None
    place.source.write_text(GREEDY)
    numbers = ",".join(map(str, range(GROWING)))
    steps = SMALL_ROOM // MIB
    with (
        fault(7, "six points that grow at once, each to all that is left"),
        scarce(SMALL_ROOM) as (group, prefix),
    ):
        words = ("profile", "greedy", "--steps", steps, "--set", f"number={numbers}")
        code = place.run(*words, "--jobs", GROWING, "--json", "out.json", prefix=prefix)
        kills = group.kills()
        assert code == OK, place.said()
        ends = [
            one["outcome"]
            for one in json.loads((place.folder / "out.json").read_text())["measurements"]
        ]

        none_lost(["killed by the kernel"] * kills)
        assert len(ends) == GROWING
        assert {end["status"] for end in ends} <= {"ok", "oom_host"}
        stopped = [end for end in ends if end["status"] == "oom_host"]
        assert stopped
        assert all("stepwall stopped it" in end["reason"] for end in stopped)
        none_lost(place.left_processes())
        none_lost(place.left_folders())
