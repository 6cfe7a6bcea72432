"""Runs the whole path on a real card, and writes what it found into docs/gpu.md.

    python tests/on_gpu.py
    PYTHONPATH=. python tests/on_gpu.py --framework torch

It takes about ten minutes: a profile, a wall with both of its ends really run, what holds the
memory there, and a prediction against a real run, each by the command that a user would type. For
PyTorch the model of the card's allocator is compared with it besides (``on_gpu_torch.py``); no
package is needed there but PyTorch and stepwall's own ones, and stepwall need not be installed.
Without a card it says so in a line, with exit code 2. ``--device cpu --limit 8MiB`` tries the
script itself; its table goes to stdout then, unless ``--into`` names a file.

A check that fails, or for which no time is left, is told, and the others go on. The exit code is 0
if all went well, 1 if a check failed. The table is written in both cases.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from profiler import frameworks
from profiler.errors import StepwallError, UsageError, error_text
from profiler.facts import Environment, FrameworkFacts
from profiler.limits import machine
from profiler.measure.client import Client
from profiler.measure.launcher import Launchers
from profiler.planning.points import check_device, parse_device
from profiler.units import parse_size, parse_steps, size_option

BEGIN, END = "<!-- begin: written by tests/on_gpu.py -->", "<!-- end -->"
ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "gpu.md"
REACH = 4
FAILED, USAGE = 1, 2
_NEAR = 0.01
_DASH = "–"  # noqa: RUF001 (the dash of the reports)
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One check of one scenario, in words; ``fault``: why it does not hold."""

    scenario: str
    check: str
    expected: str = _DASH
    real: str = _DASH
    fault: str | None = None


class CommandError(Exception):
    """A command of stepwall's failed; the message says which, and how."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is tried with a framework, by default, and where in the document it goes.

    Attributes:
        scenarios: each with its settings, as words of the command line.
        checks: those of ``on_gpu_torch.py``.
        minutes: for all of it; what is left then is told. None: as long as it takes.
    """

    begin: str
    limit: str
    steps: str
    scenarios: tuple[str, ...]
    checks: tuple[str, ...] = ()
    minutes: float | None = None


PLANS = {
    "tensorflow": Plan(
        begin=BEGIN, limit="64MiB", steps="16,32,48,64", scenarios=("static_rnn", "dynamic_rnn")
    ),
    "torch": Plan(
        begin=BEGIN.replace(" -->", " --framework torch -->"),
        limit="256MiB",
        steps="8,16,24,32",
        scenarios=("torch_loop --set batch=256", "torch_loop --set batch=256 --set cell=lstm"),
        checks=("replay0", "replay1", "replay2", "replay3", "streams", "reserve"),
        minutes=10,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Runs stepwall's commands on one device, until time is up.

    Attributes:
        ends: when that is, by the monotonic clock.
    """

    device: str
    limit: str
    steps: str
    results: Path
    stamp: str
    ends: float = float("inf")
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def rows(self, scenario: str) -> Iterator[Row]:
        """Yield the checks of a scenario; one that fails ends those that build on it."""
        small, far = self._name(scenario), REACH * max(parse_steps(self.steps))
        try:
            points = self._profile(scenario, self.steps, small)
            yield self._profiled(scenario, points)
            found = self._ask("wall", scenario, f"--limit={self.limit}", *self._on)
            yield _wall(scenario, found)
            if found["last_ok"]:
                yield self._explained(scenario, found["last_ok"])
            yield self._predicted(scenario, small, far)
        except CommandError as error:
            yield Row(scenario=scenario, check="every command ends well", fault=str(error))

    def replayed_wall(self, scenario: str, keeps: int) -> Iterator[Row]:
        """Yield a wall replayed on the CPU against that run on the device.

        Args:
            scenario: with its settings.
            keeps: what libraries keep on the device, which is added to its limit.
        """
        limit = parse_size(self.limit) + keeps
        check = f"wall, replayed on the CPU under {self.limit}, run under {_mib(limit)}"
        try:
            here = self._ask("wall", scenario, f"--limit={self.limit}", "--device=cpu")
            there = self._ask("wall", scenario, f"--limit={size_option(limit)}", *self._on)
        except CommandError as error:
            yield Row(scenario=scenario, check=check, fault=str(error))
            return
        ends = [_ends(found) for found in (here, there)]
        fault = None if ends[0] == ends[1] else "they differ"
        yield Row(scenario=scenario, check=check, expected=ends[0], real=ends[1], fault=fault)

    def check(self, name: str) -> tuple[list[Row], Document]:
        """Run one of the checks of ``on_gpu_torch.py``; return its rows, and all that it told."""
        script = str(Path(__file__).with_name("on_gpu_torch.py"))
        try:
            told = self._told([sys.executable, script, name, self.device], name)
        except CommandError as error:
            return [Row(scenario=_DASH, check=name, fault=str(error))], {}
        rows = [Row(**one) for one in told["rows"]]
        if told["error"]:
            rows.append(Row(scenario=_DASH, check=name, fault=told["error"]))
        return rows, told

    def _name(self, scenario: str, end: str = "") -> str:
        return f"{scenario.partition(' ')[0]}-{self.stamp}-{next(self.numbers)}{end}"

    @property
    def _on(self) -> list[str]:
        return [f"--device={self.device}"]

    def _ask(self, *arguments: str) -> Document:
        """Return the document of a command.

        Raises:
            CommandError: if it leaves none.
        """
        words = [word for one in arguments for word in one.split()]
        command = [sys.executable, "-m", "profiler", *words, "--json=-"]
        return self._told([*command, f"--results={self.results}"], f"stepwall {' '.join(words)}")

    def _told(self, command: Sequence[str], words: str) -> Document:
        """Return what a command prints as JSON: all of its output, or else the last line.

        Raises:
            CommandError: if it prints none, or if time is up.
        """
        left = self.ends - time.monotonic()
        if left <= 0:
            raise CommandError(f"`{words}` was not run: time is up")
        print(f"on_gpu.py: {words}", file=sys.stderr, flush=True)  # noqa: T201
        try:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
                timeout=None if left == float("inf") else left,
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"`{words}` was ended: time is up") from None
        for text in (done.stdout, done.stdout.strip().rpartition("\n")[2]):
            try:
                document: Document = json.loads(text)
            except ValueError:
                continue
            return document
        raise CommandError(f"`{words}` ended with code {done.returncode}")

    def _profile(self, scenario: str, steps: str, name: str) -> list[Document]:
        found = self._ask("profile", scenario, f"--steps={steps}", f"--name={name}", *self._on)
        points: list[Document] = found["measurements"]
        return points

    def _profiled(self, scenario: str, points: Sequence[Document]) -> Row:
        ended = [point["outcome"]["status"] for point in points]
        peaks = [_peak(point) for point in points]
        rising = all(a and b and a < b for a, b in itertools.pairwise(peaks))
        fault = None if rising else "the peak does not grow with every length"
        if set(ended) != {"ok"}:
            fault = next(
                str(point["outcome"].get("reason") or point["outcome"]["status"])
                for point in points
                if point["outcome"]["status"] != "ok"
            )
        return Row(
            scenario=scenario,
            check=f"profile at {self.steps} steps",
            expected="every point ok, and its peak larger than that of the shorter one",
            real=" ".join(map(_mib, peaks)),
            fault=fault,
        )

    def _explained(self, scenario: str, steps: int) -> Row:
        limits = [f"--steps={steps}", f"--limit={self.limit}"]
        trace = self._ask("explain", scenario, *limits, *self._on).get("trace") or {}
        replayed, own = trace.get("peak_bytes"), trace.get("allocator_peak_bytes")
        return Row(
            scenario=scenario,
            check=f"explain at {steps:,} steps: its account against the allocator's",
            expected=_count(replayed),
            real=_count(own),
            fault=None if replayed and replayed == own else "the two accounts differ",
        )

    def _predicted(self, scenario: str, small: str, far: int) -> Row:
        told = self._ask("predict", scenario, f"--steps={far}", f"--run={small}", *self._on)
        (value,) = [one["value"] for one in told["values"] if one["metric"] == "peak"]
        (point,) = self._profile(scenario, str(far), self._name(scenario, "-far"))
        real = _peak(point)
        error = value / real - 1 if value and real else None
        words = "there is nothing to compare" if error is None else f"off by {error:+.2%}"
        return Row(
            scenario=scenario,
            check=f"device peak predicted at {far:,} steps",
            expected=_count(value),
            real=_count(real),
            fault=words if error is None or abs(error) > _NEAR else None,
        )


def _peak(point: Document) -> int | None:
    peak: int | None = (point.get("device") or {}).get("peak_bytes")
    return peak


def _ends(found: Document) -> str:
    """Return where a wall lies, and the lengths beyond it that survive again."""
    islands = [
        " to ".join(dict.fromkeys(map(_count, (one["first"], one["last"]))))
        for one in found["islands"]
    ]
    again = f"; {', '.join(islands)} again" if islands else ""
    return f"{_count(found['last_ok'])} survive, {_count(found['first_oom'])} run out{again}"


def _wall(scenario: str, found: Document) -> Row:
    exact = found["status"] == "exact"
    ends = f"{_count(found['last_ok'])} survive, {_count(found['first_oom'])} run out"
    return Row(
        scenario=scenario,
        check="wall, both ends really run",
        expected=f"{_count(found['predicted'])} predicted",
        real=ends,
        fault=None if exact else f"{found['status']}: {found.get('reason') or ends}",
    )


def _count(value: float | None) -> str:
    return _DASH if value is None else f"{value:,.0f}"


def _mib(value: int | None) -> str:
    return _DASH if value is None else f"{value / (1 << 20):.1f} MiB"


def table(rows: Sequence[Row]) -> list[str]:
    """Return the checks as a Markdown table."""
    lines = ["| scenario | check | expected | real | holds |", "|---|---|---|---|---|"]
    for row in rows:
        cells = [row.scenario, row.check, row.expected, row.real, row.fault or "yes"]
        if row.fault:
            cells[-1] = f"**no**: {row.fault}"
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells))
        lines[-1] += " |"
    return lines


def replaced(document: str, lines: Sequence[str], marker: str = BEGIN) -> str:
    """Return a document with these lines between its markers.

    Raises:
        UsageError: if it has no such markers.
    """
    before, begin, rest = document.partition(marker)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"no line {marker} with {END} below it")
    return "\n".join([before + marker, *lines, END + after])


def let_frameworks_be_found(folder: Path) -> None:
    """Let stepwall find its frameworks where it is not installed: its own are in its pyproject.

    Args:
        folder: for what an installation would have left; it must last.
    """
    if frameworks.installed():
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    group = frameworks.ENTRY_POINT_GROUP
    entries = [f"{name} = {value}" for name, value in project["entry-points"][group].items()]
    left = folder / "stepwall-0.dist-info"
    left.mkdir()
    (left / "METADATA").write_text("Metadata-Version: 2.1\nName: stepwall\nVersion: 0\n")
    (left / "entry_points.txt").write_text("\n".join([f"[{group}]", *entries, ""]))
    sys.path.insert(0, str(folder))
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    frameworks.installed.cache_clear()


def _described(device: str, framework: str) -> tuple[FrameworkFacts, Environment]:
    """Return the framework and the machine.

    Raises:
        StepwallError: if the framework does not see the device.
    """
    with Launchers() as launchers:
        found = Client(launchers=launchers).describe([framework])
    try:
        check_device(device, found.values())
    except UsageError as error:
        raise UsageError(f"{error}; this needs a GPU (--device cpu tries the script)") from None
    return found[framework], machine.environment(found)


def _where(device: str, limit: str, framework: FrameworkFacts, here: Environment) -> str:
    name = next(one for one in framework.devices if one.partition(" ")[0] == device)
    today = datetime.now(UTC).date().isoformat()
    return (
        f"On {name}, limit {limit}, {today}: {framework.versions_text}; "
        f"{here.cpu_count} cores, {here.platform}."
    )


def _rows(trial: Trial, plan: Plan, scenarios: Sequence[str]) -> Iterator[Row]:
    """Yield every check of a framework."""
    keeps = 0
    for name in plan.checks:
        found, told = trial.check(name)
        yield from found
        keeps = max(keeps, told.get("keeps", 0))
    for scenario in scenarios:
        yield from trial.rows(scenario)
    if plan.checks:
        for scenario in scenarios:
            yield from trial.replayed_wall(scenario, keeps)


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--framework", type=click.Choice([*PLANS]), default="tensorflow", show_default=True)
@click.option("--device", default="gpu", show_default=True, help="gpu, gpu:N, or cpu for a try.")
@click.option("--limit", help="Of the walls [default: 64MiB, of PyTorch's 256MiB].")
@click.option("--steps", help="Lengths of the profile.")
@click.option("--scenario", "scenarios", multiple=True, help="With its settings, in one word.")
@click.option("--check", "checks", multiple=True, help="Of on_gpu_torch.py [default: all].")
@click.option("--minutes", type=float, help="For all of it [default: of PyTorch's checks 10].")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/on_gpu"))
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Document with the markers [default: docs/gpu.md; none with --device cpu].",
)
def main(framework: str, scenarios: tuple[str, ...], into: Path | None, **given: Any) -> None:
    """Try the path, print or write the table, and exit."""
    plan, minutes, checks = PLANS[framework], given.pop("minutes"), given.pop("checks")
    plan = replace(plan, checks=checks or plan.checks)
    minutes = plan.minutes if minutes is None else minutes
    ends = float("inf") if minutes is None else time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        try:
            given["device"] = parse_device(given["device"])
            given["limit"] = given["limit"] or plan.limit
            given["steps"] = given["steps"] or plan.steps
            parse_size(given["limit"])
            parse_steps(given["steps"])
            if into is None and given["device"] != "cpu":
                into = DOCS
            if into is not None:
                replaced(into.read_text("utf-8"), [], plan.begin)
            let_frameworks_be_found(Path(folder))
            facts, here = _described(given["device"], framework)
        except (StepwallError, OSError, UnicodeDecodeError) as error:
            print(f"on_gpu.py: {error_text(error)}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_code if isinstance(error, StepwallError) else USAGE)
        trial = Trial(**given, stamp=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), ends=ends)
        rows = [*_rows(trial, plan, scenarios or plan.scenarios)]
    where = _where(given["device"], given["limit"], facts, here)
    lines = [where, "", *table(rows)]
    if into is None:
        print("\n".join(lines))  # noqa: T201
    else:
        into.write_text(replaced(into.read_text("utf-8"), lines, plan.begin), "utf-8")
        told = "README.md, docs/gpu.md, profiler/cli/doctor_.py still say that nobody did"
        print(f"on_gpu.py: wrote {into}; {told}", file=sys.stderr)  # noqa: T201
    sys.exit(FAILED if any(row.fault for row in rows) else 0)


if __name__ == "__main__":
    main()
