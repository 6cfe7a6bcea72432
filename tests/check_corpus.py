"""Runs every check of the corpus over all its scenarios, and writes the tables into a page.

    python tests/check_corpus.py [--framework NAME] [--only NAME]... [--check NAME]... [--jobs N]
                                 [--into FILE.md] [--brief]
    make corpus
    make corpus-torch

The scenarios of ``tests/corpus`` are run by the commands that a user would type, each scenario
with its own results folder. What a command gave is kept in ``--results`` and not run again, as
long as neither stepwall nor the scenario's folder changes. The verdicts are plain functions over
that (``corpus_verdicts``), the tables another step (``corpus_tables``).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import click
import corpus_verdicts as verdicts
from corpus_tables import (
    Column,
    Table,
    case_lines,
    percent,
    short_lines,
    signed,
    table_lines,
)
from corpus_verdicts import Case, Done, Row

from profiler.analysis.metrics import METRICS
from profiler.facts import Measurement, Status, decode, encode
from profiler.frameworks import framework, lacking
from profiler.limits import machine
from profiler.measure.client import Client
from profiler.measure.launcher import Launchers
from profiler.planning.points import Conditions, point, select

ROOT = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "corpus"
FOLDERS = tuple(CORPUS / name for name in (".", "speech", "text", "kinds"))
# Of each framework, the table of its scenarios and the folders that hold them.
TENSORFLOW, TORCH = "tensorflow", "torch"
LENGTHS = {
    TENSORFLOW: CORPUS / "lengths.toml",
    TORCH: CORPUS / "pytorch" / "lengths.toml",
}
FOLDERS_OF = {TENSORFLOW: FOLDERS, TORCH: (CORPUS / "pytorch",)}
BEGIN, END = "<!-- corpus: begin -->", "<!-- corpus: end -->"
TIMEOUT_S = 240
# Of how many scenarios runs are compared, how often each point is run, and how many runs.
COMPARED, REPEATS, EQUAL_RUNS = 12, 5, 4

VALUES = ("nodes", "backprop", "peak", "host")
TABLES = {
    table.name: table
    for table in (
        Table(
            name="isolation",
            promise="measured alone equals measured with all files, to the byte",
            columns=(
                Column(key="points", title="points"),
                Column(key="differing", title="numbers that differ"),
            ),
        ),
        Table(
            name="trained once",
            promise="a graph that trains itself gets no second update",
            columns=(
                Column(key="updates", title="updates"),
                Column(key="expected", title="expected"),
            ),
        ),
        Table(
            name="roles",
            promise="roles add up to the allocator's peak; at most 10 % unclassified",
            columns=(
                Column(key="peak", title="peak, bytes"),
                Column(key="sum", title="sum of roles"),
                Column(key="unclassified", title="unclassified", form=percent, summed=True),
                Column(key="largest", title="largest role"),
            ),
        ),
        Table(
            name="explain",
            promise="`explain` ends well or is refused in words",
            columns=(Column(key="exit", title="exit code"),),
        ),
        Table(
            name="walls",
            promise="the real wall lies in the interval that `predict` gives",
            aim=0.95,
            columns=(
                Column(key="measured", title="measured to"),
                Column(key="recorded", title="recorded to"),
                Column(key="limit", title="limit"),
                Column(key="predicted", title="predicted", form=lambda v: f"{v:,.1f}"),
                Column(key="span", title="±", form=percent),
                Column(key="survives", title="survives"),
                Column(key="proof", title="both ends"),
                Column(key="times", title="times the measured", form=lambda v: f"{v:.1f}"),
                Column(key="error", title="error", form=signed, summed=True),
            ),
        ),
        *(
            Table(
                name=f"forecast of {name}",
                promise="the real value at 8 times the length lies in the interval",
                aim=0.95,
                columns=(
                    Column(key="predicted", title="predicted"),
                    Column(key="span", title="±", form=percent),
                    Column(key="real", title="real"),
                    Column(key="error", title="error", form=signed, summed=True),
                ),
            )
            for name in VALUES
        ),
        Table(
            name="price",
            promise="a search costs at most 4 times the two runs that prove the wall",
            columns=(
                Column(key="price", title="price", form=lambda v: f"{v:.2f} ×", summed=True),  # noqa: RUF001
                Column(key="probes", title="runs"),
                Column(key="failed", title="failed"),
                Column(key="seconds", title="seconds"),
            ),
        ),
        Table(
            name="lengths",
            promise="only lengths that the author allows are run",
            columns=tuple(
                Column(key=key, title=title)
                for key, title in (
                    ("rule", "rule"),
                    ("short", "profile"),
                    ("explain", "explain"),
                    ("predict", "predict"),
                    ("wall", "wall"),
                )
            ),
        ),
        Table(
            name="comparisons",
            promise="two equal runs compare as equal",
            aim=0.95,
            columns=(
                Column(key="numbers", title="numbers"),
                Column(key="changes", title="false changes"),
            ),
        ),
    )
}
_NEEDS = {
    "isolation": ("short", "together"),
    "trained once": ("short",),
    "roles": ("explain",),
    "explain": ("explain",),
    "walls": ("short", "predict", "wall"),
    **{f"forecast of {name}": ("short", "predict", "far") for name in VALUES},
    "price": ("wall",),
    "lengths": ("short", "explain", "predict", "wall"),
    "comparisons": ("compare",),
}
_ALONE = frozenset({"wall"})


def cases(of: str = TENSORFLOW) -> list[Case]:
    """Return a framework's scenarios in the order of the table beside them."""
    found = tomllib.loads(LENGTHS[of].read_text())
    return [
        Case(name=name, **{**given, "steps": tuple(given["steps"])})
        for name, given in found.items()
    ]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Runs commands, and keeps what they gave in a folder for each scenario."""

    results: Path
    jobs: int
    folders: Sequence[Path] = FOLDERS

    def command(self, folder: Path, name: str, *arguments: object) -> Done:
        """Run ``stepwall`` with these arguments, unless what it gave is kept."""
        kept = folder / f"{name}.done.json"
        if kept.exists():
            return Done(**json.loads(kept.read_text()))
        written = folder / f"{name}.json"
        words = [*map(str, arguments), "--json", str(written), f"--results={folder}"]
        stderr, start = io.StringIO(), time.perf_counter()
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(stderr),
            mock.patch("profiler.cli.opening.Launchers", return_value=nullcontext(_shared())),
        ):
            code = _exit_code(words)
        document = json.loads(written.read_text()) if written.exists() else None
        done = Done(
            exit=code,
            stderr=stderr.getvalue(),
            seconds=time.perf_counter() - start,
            document=document,
        )
        kept.write_text(json.dumps(asdict(done)))
        return done

    def folder(self, name: str, folders: Iterable[Path], made_for: object = None) -> Path:
        """Return the folder of that name, emptied if what it was made from or for has changed."""
        folder, identity = self.results / name, f"{_identity(folders)} {made_for}"
        mark = folder / "identity"
        if not mark.exists() or mark.read_text() != identity:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            mark.write_text(identity)
        return folder

    def case(self, case: Case, wanted: frozenset[str]) -> dict[str, Done]:
        """Run what is wanted of one scenario, with its own file alone."""
        file = CORPUS / case.file
        folder = self.folder(case.name, [file.parent], case)
        own = ("--scenarios", file, "--timeout", TIMEOUT_S)
        lengths, far = ",".join(map(str, case.steps)), case.far
        commands: dict[str, Sequence[object]] = {
            "short": ("profile", case.name, "--steps", lengths, "--name", "short"),
            "explain": ("explain", case.name, "--steps", case.steps[-1]),
            "predict": (
                *("predict", case.name, "--run", "short"),
                *("--steps", far, "--limit", case.limit),
            ),
            "wall": ("wall", case.name, "--limit", case.limit),
        }
        done = {
            name: self.command(folder, name, *words, *own)
            for name, words in commands.items()
            if name in wanted
        }
        if "far" in wanted:
            done["far"] = _measured(folder / "far.json", case.name, file, far)
        return done

    def together(self, group: Sequence[Case]) -> Done:
        """Run the first lengths of scenarios that have them in common, with all files given."""
        lengths = ",".join(map(str, group[0].steps[:2]))
        folder = self.folder(f"together-{lengths}", _folders(group), [case.name for case in group])
        sources = [part for path in self.folders for part in ("--scenarios", path)]
        names = [case.name for case in group]
        words = ("profile", *names, "--steps", lengths, "--timeout", TIMEOUT_S, *sources)
        return self.command(folder, "together", *words)

    def equal_runs(self, group: Sequence[Case]) -> dict[str, Done]:
        """Run the same points several times, one run after another, and compare all pairs."""
        folder = self.folder("equal", _folders(group), [case.name for case in group])
        sources = [part for path in self.folders for part in ("--scenarios", path)]
        names = [case.name for case in group]
        words = ("profile", *names, "--steps", "20,40", "--repeats", REPEATS)
        runs = [f"equal-{index}" for index in range(1, EQUAL_RUNS + 1)]
        for run in runs:
            self.command(folder, run, *words, "--name", run, *sources)
        pairs = [(one, two) for i, one in enumerate(runs) for two in runs[i + 1 :]]
        return {
            f"{one} and {two}": self.command(folder, f"{one}-{two}", "compare", one, two)
            for one, two in pairs
        }


_open: list[Launchers] = []


def _shared() -> Launchers:
    """Return this process's fork servers: a framework is imported once, not by each command."""
    if not _open:
        _open.append(Launchers())
    return _open[0]


def _exit_code(words: list[str]) -> int:
    from profiler.cli import main

    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _measured(kept: Path, name: str, file: Path, steps: int) -> Done:
    """Measure one point without the command: its truth is the same, and no report is written."""
    if not kept.exists():
        client = Client(launchers=_shared(), sources=(str(file),), timeout_s=TIMEOUT_S)
        (listing,) = select([name], client.catalog().scenarios)
        kept.write_text(encode(client.measure(point(listing, Conditions(), steps=steps))))
    return Done(exit=0, document=json.loads(kept.read_text()))


def _folders(group: Sequence[Case]) -> list[Path]:
    return sorted({(CORPUS / case.file).parent for case in group})


def _identity(folders: Iterable[Path]) -> str:
    """Identify stepwall itself and the files of scenarios that lie directly in the folders."""
    digest = hashlib.sha256()
    files = sorted((ROOT / "profiler").rglob("*.py"))
    for file in [*files, *(file for folder in folders for file in sorted(folder.glob("*.py")))]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


_VERDICTS: dict[str, Callable[[Case, Mapping[str, Done]], Row]] = {
    "isolation": lambda case, done: verdicts.isolation(case, done["short"], done["together"]),
    "trained once": lambda case, done: verdicts.trained_once(case, done["short"]),
    "roles": lambda case, done: verdicts.roles(case, done["explain"]),
    "explain": lambda case, done: verdicts.explains(case, done["explain"]),
    "walls": lambda case, done: verdicts.wall_forecast(case, done["predict"], done["wall"]),
    "price": lambda case, done: verdicts.price(case, done["wall"]),
    "lengths": lambda case, done: verdicts.only_allowed(
        case, {name: done[name] for name in _NEEDS["lengths"]}
    ),
}


def rows_of(
    check: str, chosen: Sequence[Case], done: Mapping[str, Mapping[str, Done]]
) -> list[Row]:
    """Return the rows of one check, of the scenarios that it is about."""
    if check == "trained once":
        chosen = [case for case in chosen if case.updates is not None]
    if check == "lengths":
        chosen = [case for case in chosen if case.multiple_of > 1 or case.at_least > 1]
    if check in _VERDICTS:
        return [_VERDICTS[check](case, done[case.name]) for case in chosen]
    metric = check.removeprefix("forecast of ")
    return [
        verdicts.value_forecast(case, metric, of["predict"], _truth(metric, of["far"]))
        for case in chosen
        for of in [done[case.name]]
    ]


def _truth(metric: str, far: Done) -> float | None:
    found = decode(Measurement, json.dumps(far.document))
    if found.outcome.status is not Status.OK:
        return None
    return next(one for one in METRICS if one.name == metric).value(found)


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--framework", "of", type=click.Choice(list(LENGTHS)), default=TENSORFLOW)
@click.option("--only", multiple=True, metavar="NAME", help="Of these scenarios alone.")
@click.option("--check", "checks", multiple=True, type=click.Choice(list(TABLES)))
@click.option("--jobs", type=click.IntRange(1), default=3, show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/corpus"))
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--brief", is_flag=True, help="One table with a row for each scenario.")
def main(  # noqa: PLR0913 (one argument for each option)
    *,
    of: str,
    only: tuple[str, ...],
    checks: tuple[str, ...],
    jobs: int,
    results: Path,
    into: Path | None,
    brief: bool,
) -> None:
    """Run the checks, and write their tables."""
    needs = lacking(framework(of))
    if needs is not None:
        raise click.UsageError(f"--framework {of} {needs}")
    known = cases(of)
    unknown = set(only) - {case.name for case in known}
    if unknown:
        raise click.UsageError(f"no scenario of the corpus: {', '.join(sorted(unknown))}")
    chosen = [case for case in known if not only or case.name in only]
    wanted = checks or tuple(TABLES)
    bench = Bench(results=results.resolve(), jobs=jobs, folders=FOLDERS_OF[of])
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found = _rows(bench, chosen, wanted)
    what = f"{len(chosen)} of {len(known)} scenarios, {_versions(of)}"
    text = "\n".join(_document(found, what, brief=brief))
    if into is None:
        click.echo(text)
        return
    before, _, rest = into.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    into.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _rows(bench: Bench, chosen: Sequence[Case], checks: Sequence[str]) -> dict[Table, list[Row]]:
    needed = frozenset(name for check in checks for name in _NEEDS[check])
    done: dict[str, dict[str, Done]] = {case.name: {} for case in chosen}
    # What a search costs is told for a machine that does nothing else.
    alone = needed & _ALONE if "price" in checks else frozenset()
    _run(bench, bench.jobs, chosen, needed - alone, done)
    _run(bench, 1, chosen, alone, done)
    found: dict[Table, list[Row]] = {}
    for check in checks:
        if check == "comparisons":
            found[TABLES[check]] = _compared(bench, chosen)
            continue
        rows = rows_of(check, chosen, done)
        if rows:
            found[TABLES[check]] = rows
    return found


def _run(
    bench: Bench,
    jobs: int,
    chosen: Sequence[Case],
    needed: frozenset[str],
    done: dict[str, dict[str, Done]],
) -> None:
    """Run what is needed of each scenario, so many at once, and add it to what is done."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        tasks: dict[Any, tuple[Case, ...]] = {}
        if "together" in needed:
            for group in _by_lengths(chosen):
                tasks[pool.submit(bench.together, group)] = tuple(group)
        if needed:
            tasks |= {pool.submit(bench.case, case, needed): (case,) for case in chosen}
        for number, task in enumerate(as_completed(tasks), start=1):
            result = task.result()
            new = {"together": result} if isinstance(result, Done) else result
            names = [case.name for case in tasks[task]]
            for name in names:
                done[name] |= new
            _progress(f"{number} of {len(tasks)}", ", ".join(names), new)


def _by_lengths(chosen: Sequence[Case]) -> list[list[Case]]:
    groups: dict[tuple[int, ...], list[Case]] = {}
    for case in chosen:
        groups.setdefault(case.steps[:2], []).append(case)
    return list(groups.values())


def _compared(bench: Bench, chosen: Sequence[Case]) -> list[Row]:
    """Compare equal runs of scenarios spread over the corpus; nothing else runs meanwhile."""
    allowed = [case for case in chosen if case.allows(20) and case.allows(40)]
    group = allowed[:: max(1, len(allowed) // COMPARED)][:COMPARED]
    return [verdicts.comparison(name, done) for name, done in bench.equal_runs(group).items()]


def _progress(count: str, names: str, new: Mapping[str, Done]) -> None:
    codes = ", ".join(f"{name} {one.exit} ({one.seconds:.0f} s)" for name, one in new.items())
    click.echo(f"{count}: {names[:60]}: {codes}", err=True)


def _versions(of: str) -> str:
    known = framework(of)
    packages = ", ".join(f"{name} {version(name)}" for name in known.packages)
    return f"{known.title} ({packages})"


def _document(
    found: Mapping[Table, Sequence[Row]], what: str, *, brief: bool = False
) -> Iterable[str]:
    facts = machine.environment({})
    yield f"{what}, {facts.cpu_count} cores, {facts.platform}, {time.strftime('%Y-%m-%d')}."
    yield ""
    yield from short_lines(found, linked=not brief)
    if brief:
        yield ""
        yield from case_lines(found)
        return
    for table, rows in found.items():
        yield ""
        yield from table_lines(table, rows)


if __name__ == "__main__":
    sys.exit(main())
