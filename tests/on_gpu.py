"""Runs the whole path on a real card, and writes what it found into docs/gpu.md.

    python tests/on_gpu.py

It takes about ten minutes: a profile, a wall with both of its ends really run, what holds the
memory there, and a prediction against a real run, each by the command that a user would type.
Without a card it says so in a line, with exit code 2. ``--device cpu --limit 8MiB`` tries the
script itself; its table goes to stdout then, unless ``--into`` names a file.

The exit code is 0 if all went well, 1 if a check failed. The table is written in both cases.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from profiler.errors import StepwallError, UsageError, error_text
from profiler.facts import Environment, FrameworkFacts
from profiler.limits import machine
from profiler.measure.client import Client
from profiler.measure.launcher import Launchers
from profiler.planning.points import check_device, parse_device
from profiler.units import parse_size, parse_steps

BEGIN, END = "<!-- begin: written by tests/on_gpu.py -->", "<!-- end -->"
DOCS = Path(__file__).resolve().parents[1] / "docs" / "gpu.md"
SCENARIOS = ("static_rnn", "dynamic_rnn")
STEPS, REACH = "16,32,48,64", 4
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
class Trial:
    """Runs stepwall's commands on one device."""

    device: str
    limit: str
    steps: str
    results: Path
    stamp: str

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

    def _name(self, scenario: str, end: str = "") -> str:
        return f"{scenario}-{self.stamp}{end}"

    @property
    def _on(self) -> list[str]:
        return [f"--device={self.device}"]

    def _ask(self, *arguments: str) -> Document:
        """Return the document of a command.

        Raises:
            CommandError: if it leaves none.
        """
        command = [sys.executable, "-m", "profiler", *arguments, "--json=-"]
        print("on_gpu.py: stepwall", *arguments, file=sys.stderr, flush=True)  # noqa: T201
        done = subprocess.run(
            [*command, f"--results={self.results}"], stdout=subprocess.PIPE, text=True, check=False
        )
        try:
            document: Document = json.loads(done.stdout)
        except ValueError:
            words = " ".join(arguments)
            raise CommandError(f"`stepwall {words}` ended with code {done.returncode}") from None
        return document

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


def replaced(document: str, lines: Sequence[str]) -> str:
    """Return a document with these lines between its markers.

    Raises:
        UsageError: if it has no such markers.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"no line {BEGIN} with {END} below it")
    return "\n".join([before + BEGIN, *lines, END + after])


def _described(device: str) -> tuple[FrameworkFacts, Environment]:
    """Return the framework and the machine.

    Raises:
        StepwallError: if the framework does not see the device.
    """
    with Launchers() as launchers:
        found = Client(launchers=launchers).describe(["tensorflow"])
    try:
        check_device(device, found.values())
    except UsageError as error:
        raise UsageError(f"{error}; this needs a GPU (--device cpu tries the script)") from None
    return found["tensorflow"], machine.environment(found)


def _where(device: str, limit: str, framework: FrameworkFacts, here: Environment) -> str:
    name = next(one for one in framework.devices if one.partition(" ")[0] == device)
    today = datetime.now(UTC).date().isoformat()
    return (
        f"On {name}, limit {limit}, {today}: {framework.versions_text}; "
        f"{here.cpu_count} cores, {here.platform}."
    )


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option("--device", default="gpu", show_default=True, help="gpu, gpu:N, or cpu for a try.")
@click.option("--limit", default="64MiB", show_default=True, help="Of the walls.")
@click.option("--steps", default=STEPS, show_default=True, help="Lengths of the profile.")
@click.option("--scenario", "scenarios", multiple=True, help="[default: static_rnn dynamic_rnn]")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results/on_gpu"))
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Document with the markers [default: docs/gpu.md; none with --device cpu].",
)
def main(scenarios: tuple[str, ...], into: Path | None, **given: Any) -> None:
    """Try the path, print or write the table, and exit."""
    try:
        given["device"] = parse_device(given["device"])
        parse_size(given["limit"])
        parse_steps(given["steps"])
        if into is None and given["device"] != "cpu":
            into = DOCS
        if into is not None:
            replaced(into.read_text("utf-8"), [])
        framework, here = _described(given["device"])
    except (StepwallError, OSError, UnicodeDecodeError) as error:
        print(f"on_gpu.py: {error_text(error)}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code if isinstance(error, StepwallError) else USAGE)
    trial = Trial(**given, stamp=datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
    rows = [row for name in scenarios or SCENARIOS for row in trial.rows(name)]
    where = _where(given["device"], given["limit"], framework, here)
    lines = [where, "", *table(rows)]
    if into is None:
        print("\n".join(lines))  # noqa: T201
    else:
        into.write_text(replaced(into.read_text("utf-8"), lines), "utf-8")
        told = "README.md, docs/gpu.md, profiler/cli/doctor_.py still say that nobody did"
        print(f"on_gpu.py: wrote {into}; {told}", file=sys.stderr)  # noqa: T201
    sys.exit(FAILED if any(row.fault for row in rows) else 0)


if __name__ == "__main__":
    main()
