"""Does to stepwall what ``docs/reliability.md`` lists, and writes what became of it there.

    python tests/count_faults.py [--only NAME]... [--into FILE.md]
    make faults

Each test counts its own tries (``fault_counts``). What a program counted is kept in ``--results``,
and it is not run again at the same commit: a run that was ended goes on.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import click
from fault_counts import Try

from profiler.limits import machine

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
SKIPPED = "SKIPPED "


@dataclass(frozen=True, kw_only=True)
class Program:
    """A file of tests, or a program, that counts what it does."""

    path: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """Return what runs it."""
        tests = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
        is_test = Path(self.path).name.startswith("test_")
        return [sys.executable, *(tests if is_test else []), self.path, *self.arguments]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One of the eight points: what is promised, and what its tests count as lost."""

    title: str
    promise: str
    lost: str


PROGRAMS = (
    Program(
        path="tests/unit/test_generated_arguments.py",
        environment={"STEPWALL_COMMAND_LINES": "10000"},
    ),
    Program(path="tests/integration/test_streams.py"),
    Program(path="tests/integration/test_signals.py"),
    Program(path="tests/integration/test_resume.py"),
    Program(path="tests/signal_storm.py", arguments=("--tries", "60")),
    Program(path="tests/unit/test_stored_damage.py", environment={"STEPWALL_EXAMPLES": "150"}),
    Program(path="tests/unit/test_stored_files.py", environment={"STEPWALL_EXAMPLES": "1000"}),
    Program(path="tests/unit/test_store.py"),
    Program(path="tests/integration/test_concurrency.py"),
    Program(path="tests/unit/test_trust.py"),
    Program(path="tests/integration/test_load.py"),
    Program(path="tests/integration/test_card.py"),
)
POINTS = {
    1: Point(
        title="What is typed",
        promise="It ends with a documented exit code (0 to 4) and one line that says what cannot "
        "be used and why. No file is written but those that were named.",
        lost="files touched",
    ),
    2: Point(
        title="What the shell does to it",
        promise="The exit code is the documented one, whatever is closed, full or missing; what "
        "an encoding cannot hold is replaced; a reader that leaves ends it silently (141).",
        lost="left over",
    ),
    3: Point(
        title="Signals",
        promise="A command that a signal ends says so in one line and ends with 128 + the number "
        "of the first signal, however often it comes. A child that dies is a point that failed. "
        "What was stored stays, and `--resume` goes on with it.",
        lost="lost, doubled, left over",
    ),
    4: Point(
        title="What becomes of stored data",
        promise="What cannot be read is one line that names the file, the run and the field; the "
        "runs beside it stay readable. Reading changes no file.",
        lost="files changed",
    ),
    5: Point(
        title="Many at once, and little to work with",
        promise="Each run has each of its points once; what cannot go on says why in one line, "
        "and what was stored stays.",
        lost="lost, doubled, left over",
    ),
    6: Point(
        title="What others wrote",
        promise="It is shown as text, and never obeyed, run or followed; what is private is "
        "reached by nobody else.",
        lost="",
    ),
    7: Point(
        title="A busy machine, short of memory",
        promise="Serial peaks of the device are equal to the byte, walls the same as on an idle "
        "machine, and before memory runs out the guard stops the largest points: the kernel "
        "kills nothing.",
        lost="numbers that differ, kills",
    ),
    8: Point(
        title="A GPU",
        promise="Points on one card run one at a time, are budgeted by the card's memory, and are "
        "forked before CUDA is touched. This has only been run on a fake card "
        "([on a GPU](gpu.md)).",
        lost="",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A program that has run: at which commit, how it ended, what it did, and what it left out."""

    program: Program
    commit: str
    code: int
    tries: list[Try]
    skipped: list[str]


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--only", multiple=True, metavar="NAME", help="The programs of this name alone.")
@click.option("--keep", is_flag=True, help="Run none again that ran at another commit.")
@click.option("--no-run", is_flag=True, help="Run none: write what is known by now.")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/faults"))
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(
    only: tuple[str, ...], *, keep: bool, no_run: bool, results: Path, into: Path | None
) -> None:
    """Run the programs, and write their table."""
    commit = machine.environment({}).source or "unknown"
    results.mkdir(parents=True, exist_ok=True)
    found = []
    for program in PROGRAMS:
        stem = results.resolve() / Path(program.path).stem
        if only and stem.name not in only:
            continue
        if not no_run and not is_done(stem, None if keep else commit):
            run(program, stem, commit)
        if is_done(stem, None):
            found.append(read(program, stem))
    lines = "\n".join(document(found))
    if into is None:
        click.echo(lines)
    else:
        before, _, rest = into.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        into.write_text(f"{before}{BEGIN}\n{lines}\n{END}{after}")
    failed = [one.program.path for one in found if one.code]
    if failed:
        raise click.ClickException(f"not all of it survived: {', '.join(failed)}")


def is_done(stem: Path, commit: str | None) -> bool:
    """Whether a program has run to its end, at this commit or, for None, at any."""
    end = stem.with_suffix(".json")
    if not end.exists():
        return False
    known = json.loads(end.read_text())["commit"]
    return commit is None or (known == commit and not commit.endswith("-dirty"))


def run(program: Program, stem: Path, commit: str) -> None:
    """Run a program, and keep what it counted, what it said and how it ended.

    Raises:
        ClickException: if it counted nothing.
    """
    end, counts = stem.with_suffix(".json"), stem.with_suffix(".jsonl")
    end.unlink(missing_ok=True)
    counts.unlink(missing_ok=True)
    click.echo(f"{program.path}: ", nl=False, err=True)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"STEPWALL_FAULTS": str(counts), "PYTHONPATH": os.pathsep.join(paths)}
    with stem.with_suffix(".log").open("w") as log:
        code = subprocess.run(
            program.command,
            cwd=ROOT,
            env=os.environ | own | dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode
    if not counts.exists():
        raise click.ClickException(f"{program.path} counted nothing: see {log.name}")
    click.echo(f"ended with {code}", err=True)
    end.write_text(json.dumps({"commit": commit, "code": code}))


def read(program: Program, stem: Path) -> Ran:
    """Return what is kept of a program."""
    end = json.loads(stem.with_suffix(".json").read_text())
    said = stem.with_suffix(".log").read_text(errors="replace").splitlines()
    counts = stem.with_suffix(".jsonl").read_text().splitlines()
    return Ran(
        program=program,
        commit=end["commit"],
        code=end["code"],
        tries=[Try(**json.loads(line)) for line in counts],
        skipped=[line.removeprefix(SKIPPED) for line in said if line.startswith(SKIPPED)],
    )


def document(found: Sequence[Ran]) -> Iterator[str]:
    """Yield the lines of the tables."""
    facts = machine.environment({})
    tries = [one for ran in found for one in ran.tries]
    survived = sum(one.survived for one in tries)
    lost = sum(one.lost or 0 for one in tries)
    yield (
        f"Commit {_commits(found)}, {facts.cpu_count} cores, {facts.memory_bytes / 2**30:.0f} GiB, "
        f"{facts.platform}, Python {facts.python}, TensorFlow {version('tensorflow')}, "
        f"SQLite {sqlite3.sqlite_version}, {time.strftime('%Y-%m-%d')}."
    )
    yield ""
    yield (
        f"**{survived:,} of {len(tries):,} tries survived; "
        f"lost, doubled, left over or changed: {lost:,}.**"
    )
    by_point = sorted(tries, key=lambda one: one.point)
    for number, of_point in itertools.groupby(by_point, key=lambda one: one.point):
        yield ""
        yield from table(number, list(of_point))
    ran = [one.program for one in found]
    missing = [f"`{Path(one.path).name}`" for one in PROGRAMS if one not in ran]
    if missing:
        yield ""
        yield f"Not counted yet: {', '.join(missing)}."
    left_out = [line for one in found for line in one.skipped]
    if left_out:
        yield ""
        yield f"Not run on this machine: {'; '.join(left_out)}."


def _commits(found: Sequence[Ran]) -> str:
    """Return the commit that ran; of several ones also what each of them ran."""
    by_commit: dict[str, list[str]] = {}
    for one in found:
        by_commit.setdefault(one.commit, []).append(f"`{Path(one.program.path).name}`")
    if len(by_commit) == 1:
        return next(iter(by_commit))
    return ", ".join(f"{commit} ({', '.join(names)})" for commit, names in by_commit.items())


def table(number: int, found: Sequence[Try]) -> Iterator[str]:
    """Yield the lines of one point's table: a row for each kind of fault, as they were tried."""
    point = POINTS[number]
    heads, rule = ["what is done", "tried", "survived"], ["---", "---:", "---:"]
    if point.lost:
        heads, rule = [*heads, point.lost], [*rule, "---:"]
    yield f"### {number}. {point.title}"
    yield ""
    yield point.promise
    yield ""
    yield f"| {' | '.join([*heads, 'by'])} |"
    yield f"|{'|'.join([*rule, '---'])}|"
    for kind in dict.fromkeys(one.kind for one in found):
        of_kind = [one for one in found if one.kind == kind]
        cells = [kind, f"{len(of_kind):,}", f"{sum(one.survived for one in of_kind):,}"]
        if point.lost:
            counted = [one.lost for one in of_kind if one.lost is not None]
            cells.append(f"{sum(counted):,}" if counted else "")
        by = dict.fromkeys(one.by.removeprefix("tests/") for one in of_kind)
        yield f"| {' | '.join([*cells, ', '.join(f'`{one}`' for one in by)])} |"


if __name__ == "__main__":
    main()
