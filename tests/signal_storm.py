"""Signals at random moments to a command, its fork server and its children.

``python tests/signal_storm.py --tries 60`` runs the commands on the toy framework of
``tests/toy``, and prints what became of each. ``make faults`` counts them.

A try has survived if the command ended with the code that it documents, in words, without a
traceback; if nothing that was stored is lost; if no process is left; and if the command that
follows, resumed where there is ``--resume``, completes the work and leaves no temporary folder.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import fcntl
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil
from fault_counts import Try, note

COMMAND = Path(sys.executable).with_name("stepwall")
TOY = Path(__file__).resolve().parent / "toy"
SERVER = "profiler.measure.forkserver"
# Whatever is waited for comes much sooner, however busy the machine is.
WAIT_S = 300.0
# How long a process may take to be gone whose parent was killed.
ORPHAN_S = 60.0
POLL_S = 0.01
Rows = dict[tuple[str, ...], str]
TRIES, SEED = 60, 20261126

OK, TOOL_FAILED, BAD_INPUT, POINT_FAILED = 0, 1, 2, 4
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
FATAL = (*ENDING, signal.SIGKILL)
TARGETS = ("parent", "server", "child")
# What the page of faults calls them.
ENDED = "INT, TERM, HUP or QUIT to a command, once, twice or ten times"
KILLED = "a command killed at any moment, then resumed"
STOPPED = "STOP and CONT to a command, its fork server or a child"
HIT = "any deadly signal to the fork server or to a child"
BUDGETS = """
[[budget]]
scenario = "slow_loop"
steps = "4,8,12"
peak = "1GiB"
"""
# With ``--resume`` a command goes on with its run; the others begin again.
RESUMED = {"profile", "wall"}
COMMANDS = {
    "profile": ["profile", "slow_loop", "--steps", "2:12:2", "--jobs", "2"],
    "wall": ["wall", "slow_loop", "--limit", "16KiB"],
    "explain": ["explain", "slow_loop", "--steps", "12"],
    "predict": ["predict", "slow_loop", "--steps", "512"],
    "check": ["check", "budgets.toml"],
}
_PROGRESS = re.compile(r"^stepwall: .*\b\d+ of \d+ done.*\n", re.MULTILINE)
_TABLES = ("measurements", "probes", "walls")
# Python catches SIGINT itself; stepwall's own code is there when it catches SIGTERM.
_CAUGHT = 1 << (signal.SIGTERM - 1)


class InVainError(Exception):
    """What was waited for has not come, or the command ended before."""


def wait_for(
    found: Callable[[], object], process: psutil.Popen | None = None, *, limit_s: float = WAIT_S
) -> None:
    """Wait until something is found.

    Raises:
        InVainError: if it never is, or the process ends first.
    """
    deadline = time.monotonic() + limit_s
    while not found():
        if process is not None and process.poll() is not None:
            raise InVainError(f"it ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise InVainError(f"waited for {limit_s:g} s")
        time.sleep(POLL_S)


def listens(process: psutil.Popen) -> bool:
    """Whether a command handles signals: from then on it ends as documented."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
        return bool(int(caught, 16) & _CAUGHT)
    return False


def servers(process: psutil.Popen) -> list[psutil.Process]:
    """Return the fork servers of a command, if it has any now."""
    with contextlib.suppress(psutil.Error):
        return [each for each in process.children() if _is(each, SERVER)]
    return []


def children(process: psutil.Popen) -> list[psutil.Process]:
    """Return the children of its fork servers."""
    found = []
    for server in servers(process):
        with contextlib.suppress(psutil.Error):
            found += server.children()
    return found


def aims(process: psutil.Popen, target: str) -> list[psutil.Process]:
    """Return the processes of a command that are its parent, server or child."""
    if target == "parent":
        return [process]
    return servers(process) if target == "server" else children(process)


def _is(process: psutil.Process, word: str) -> bool:
    try:
        return word in process.cmdline()
    except psutil.Error:
        return False


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder where a command runs, with temporary files and results of its own."""

    folder: Path
    source: Path | None = TOY / "slow_scenarios.py"
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folder for temporary files."""
        self.temporary.mkdir(exist_ok=True)

    @property
    def temporary(self) -> Path:
        """Where temporary files are."""
        return self.folder / "temporary"

    @property
    def results(self) -> Path:
        """Where results are."""
        return self.folder / "results"

    @contextlib.contextmanager
    def running(
        self, *arguments: object, prefix: Sequence[str] = (), terminal: int | None = None
    ) -> Iterator[psutil.Popen]:
        """Start the command; at the end it is gone, and ``said`` returns its words.

        Args:
            arguments: of the command.
            prefix: what starts it.
            terminal: takes the place of all three streams, as its controlling terminal.
        """
        path = os.pathsep.join(filter(None, [str(TOY), os.environ.get("PYTHONPATH")]))
        own = {"TMPDIR": str(self.temporary), "PYTHONPATH": path, "COVERAGE_PROCESS_CONFIG": ""}
        sources = [] if self.source is None else ["--scenarios", self.source]
        with (
            (self.folder / "stdout").open("w") as stdout,
            (self.folder / "stderr").open("w") as stderr,
        ):
            process = psutil.Popen(
                [*prefix, COMMAND, *map(str, [*arguments, *sources])],
                cwd=self.folder,
                env=os.environ | own | self.environment,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=stdout if terminal is None else terminal,
                stderr=stderr if terminal is None else terminal,
                start_new_session=True,
                preexec_fn=_as_at_a_terminal,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()

    def run(self, *arguments: object, prefix: Sequence[str] = ()) -> int:
        """Run the command to its end, and return its code."""
        with self.running(*arguments, prefix=prefix) as process:
            return int(process.wait(WAIT_S))

    def said(self) -> str:
        """Return what the last command wrote to stderr, but for its progress on a slow machine."""
        return _PROGRESS.sub("", (self.folder / "stderr").read_text())

    def printed(self) -> str:
        """Return what the last command wrote to stdout."""
        return (self.folder / "stdout").read_text()

    def rows(self) -> Rows:
        """Return all that is stored: table, run and key of each, and what it says."""
        found: Rows = {}
        for table in _TABLES:
            rows = self.fetch(f"SELECT run, key, data FROM {table}")  # noqa: S608 (our own names)
            found |= {(table, run, key): data for run, key, data in rows}
        return found

    def has_run(self, name: str) -> bool:
        """Whether a run of that name is stored."""
        return bool(self.fetch("SELECT 1 FROM runs WHERE name = ?", name))

    def fetch(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds in the results."""
        path = self.results / "stepwall.sqlite"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return database.execute(query, values).fetchall()
        except sqlite3.OperationalError:  # there is no table yet
            return []

    def left_processes(self) -> list[int]:
        """Return the processes of the command that still are there, its own children included."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
        return found

    def left_folders(self) -> list[Path]:
        """Return the temporary folders that still are there."""
        return list(self.temporary.glob("stepwall-*"))


def _as_at_a_terminal() -> None:
    """Handle signals as a command that is typed does, whoever runs this in the background."""
    for number in FATAL:
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@dataclass(frozen=True, kw_only=True)
class Blow:
    """What is done to whom; ``times`` counts only for the parent."""

    command: str
    signal: signal.Signals
    target: str
    times: int = 1

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.command}, {self.signal.name} to the {self.target}, {self.times} times"

    @property
    def kind(self) -> str:
        """Return what the page of faults calls it."""
        if self.signal is signal.SIGSTOP:
            return STOPPED
        if self.target != "parent":
            return HIT
        return KILLED if self.signal is signal.SIGKILL else ENDED

    @property
    def codes(self) -> set[int]:
        """How the command may end; with 0 where it needed no more what was hit."""
        if self.signal is signal.SIGSTOP:
            return {OK}
        if self.target == "parent":
            return {128 + self.signal} if self.signal != signal.SIGKILL else {-self.signal}
        return {OK, TOOL_FAILED, POINT_FAILED}


@dataclass(kw_only=True)
class Tally:
    """What became of the tries of one kind; ``code``: how a single one ended."""

    tried: int = 0
    survived: int = 0
    lost: int = 0
    orphans: int = 0
    code: int = 0

    def add(self, other: Tally) -> None:
        """Count those of another tally too."""
        self.tried += other.tried
        self.survived += other.survived
        self.lost += other.lost
        self.orphans += other.orphans


def strike(process: psutil.Popen, blow: Blow, chance: random.Random, took_s: float) -> bool:
    """Send the signal to the target at a random moment; return whether it came in time.

    Else the command had done its work, and heard no signal any more.

    Raises:
        InVainError: if the command ended before that.
    """
    in_time = False
    wait_for(lambda: listens(process), process)
    time.sleep(chance.uniform(0, took_s))
    for number in range(blow.times):
        if number and process.poll() is not None:
            break
        wait_for(lambda: process.poll() is None and aims(process, blow.target), process)
        with contextlib.suppress(psutil.Error, IndexError):
            hit = chance.choice(aims(process, blow.target))
            hit.send_signal(blow.signal)
            if blow.signal is signal.SIGSTOP:
                time.sleep(chance.uniform(0, 0.5))
                hit.send_signal(signal.SIGCONT)
        in_time = in_time or listens(process)
        if blow.times > 1:
            time.sleep(chance.choice([0, 0.01, 0.2]))
    return in_time


def attempt(
    place: Place, blow: Blow, words: list[str], chance: random.Random, *, took_s: float
) -> Tally:
    """Run the command, disturb it, let it go on, and say what became of it.

    Raises:
        InVainError: if the command ended before it was disturbed.
    """
    with place.running(*words, "--name", "run") as process:
        in_time = strike(process, blow, chance, took_s)
        stored = place.rows()
        code = ended = process.wait(WAIT_S)
    late = {OK} if not in_time else set()
    faults = [] if code in blow.codes | late else [f"ended with {code}"]
    faults += _spoken(place, code)
    with contextlib.suppress(InVainError):
        wait_for(lambda: not place.left_processes(), limit_s=ORPHAN_S)
    orphans = len(place.left_processes())
    kept = place.rows()
    again = ["--resume"] if blow.command in RESUMED and place.has_run("run") else []
    code = place.run(*words, "--name", "run" if again else "again", *again)
    faults += [] if code in {OK, POINT_FAILED} else [f"then ended with {code}"]
    faults += _spoken(place, code)
    faults += [f"left {path.name}" for path in place.left_folders()]
    lost = _lost(stored, kept) + _lost(kept, place.rows())
    survived = not (faults or lost or orphans)
    if not survived:
        sys.stderr.write(f"{blow}: {'; '.join(faults)}\n{place.said()}\n")
    return Tally(tried=1, survived=survived, lost=lost, orphans=orphans, code=ended)


def _lost(before: Rows, after: Rows) -> int:
    """Return how many rows are gone or have changed, but those that a resumed search replaces."""
    return sum(
        after.get(key) != data and not (key in after and _is_open(key[0], data))
        for key, data in before.items()
    )


def _is_open(table: str, data: str) -> bool:
    """Whether a row proves nothing: a wall that is unproven, or a probe that crashed."""
    found = json.loads(data)
    if table == "walls":
        return bool(found["status"] == "unproven")
    return table == "probes" and found["outcome"]["status"] in {"crashed", "error", "timeout"}


def _spoken(place: Place, code: int) -> list[str]:
    """Return what is wrong with a command's words; ``wall`` prints why it proved nothing."""
    said = place.said()
    rude = [word for word in ("Traceback", "Exception", "this is a bug") if word in said]
    silent = code > 0 and not (said + place.printed()).strip()
    return [f"said {word!r}" for word in rude] + ["said nothing"] * silent


def blows(chance: random.Random) -> Iterator[Blow]:
    """Yield every kind in turn, for ever, the parent more often than the others."""
    numbers = (*FATAL, signal.SIGSTOP)
    kinds = [
        Blow(command=command, signal=number, target=target)
        for command in COMMANDS
        for target in ("parent", *TARGETS, "parent")
        for number in numbers
    ]
    chance.shuffle(kinds)
    for kind in itertools.cycle(kinds):
        often = kind.target == "parent" and kind.signal in ENDING
        yield Blow(
            command=kind.command,
            signal=kind.signal,
            target=kind.target,
            times=chance.choice([1, 2, 10]) if often else 1,
        )


def main() -> NoReturn:
    """Storm, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=TRIES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    chance = random.Random(options.seed)  # noqa: S311 (no secret)
    tallies: dict[tuple[str, str, str], Tally] = collections.defaultdict(Tally)
    took: dict[str, float] = {}
    at = 0
    for blow in blows(chance):
        if at == options.tries:
            break
        with tempfile.TemporaryDirectory() as folder:
            place = Place(folder=Path(folder))
            (place.folder / "budgets.toml").write_text(BUDGETS)
            words = COMMANDS[blow.command]
            if blow.command not in took:
                began = time.monotonic()
                place.run(*words, "--results", "undisturbed")
                took[blow.command] = time.monotonic() - began
            try:
                found = attempt(place, blow, words, chance, took_s=took[blow.command])
            except InVainError as error:
                sys.stderr.write(f"{blow}: not tried: {error}\n")
                continue
        at += 1
        tallies[blow.command, blow.signal.name, blow.target].add(found)
        note(
            Try(
                point=3,
                kind=blow.kind,
                by="tests/signal_storm.py",
                survived=found.survived == found.tried,
                lost=found.lost + found.orphans,
            )
        )
        end = "survived" if found.survived else "not survived"
        sys.stderr.write(f"{at} of {options.tries}: {blow}: {found.code}, {end}\n")
    sys.stdout.write(_table(tallies))
    sys.exit(any(one.survived < one.tried for one in tallies.values()))


def _table(tallies: Mapping[tuple[str, str, str], Tally]) -> str:
    line = "{:8} {:8} {:7} {:>6} {:>9} {:>12} {:>8}\n"
    text = line.format(
        *("command", "signal", "target", "tried", "survived", "lost points", "orphans")
    )
    total = Tally()
    for kind, one in sorted(tallies.items()):
        text += line.format(*kind, one.tried, one.survived, one.lost, one.orphans)
        total.add(one)
    return text + line.format(
        *("all", "", "", total.tried, total.survived, total.lost, total.orphans)
    )


if __name__ == "__main__":
    main()
