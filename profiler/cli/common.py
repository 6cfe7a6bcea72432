"""What commands share: their common options, the session they open, and what they print."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from profiler.cli import terminal
from profiler.cli.arguments import (
    SECONDS,
    STDOUT,
    JsonFile,
    Results,
    Source,
    check_apart,
    check_texts,
)
from profiler.errors import UsageError
from profiler.facts import Schedule
from profiler.measure.client import POINT_TIMEOUT_S
from profiler.paths import write

if TYPE_CHECKING:
    from reports.tables.grid import Grid

Command = TypeVar("Command", bound=Callable[..., Any])
OVER_BUDGET = 3
FAILED_POINT = 4
DEFAULT_RESULTS = Path("results")
_MEASURING_DEFAULTS = {
    "axis": None,
    "device": "cpu",
    "schedule": Schedule.SERIAL.value,
    "timeout": POINT_TIMEOUT_S,
}
# The others are about stored runs.
_READ_SCENARIOS = {"list", "profile", "wall", "explain", "predict", "versus", "check"}


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that every command takes."""

    scenarios: tuple[str, ...]
    results: Path
    json_path: str | None
    quiet: bool
    verbose: bool

    @property
    def prints_text(self) -> bool:
        """Whether results go to stdout as text (else: as JSON, or nowhere)."""
        return not self.quiet and self.json_path != STDOUT

    def echo(self, text: str = "") -> None:
        """Print a result to stdout, unless quiet or JSON goes there."""
        if self.prints_text:
            terminal.say(text)

    def complain(self, text: str) -> None:
        """Say on stderr why the command fails, where stdout, which says so, gets no text."""
        if not self.prints_text:
            terminal.warn(text)

    def lines(self, texts: Iterable[str]) -> None:
        """Print sentences to stdout, each broken into lines of the terminal."""
        for text in texts:
            self.echo(terminal.folded(text))

    def table(self, grid: Grid) -> None:
        """Print a table to stdout, as much of it as fits, and what was left out."""
        if not self.prints_text:
            return
        from reports.tables.fitting import fitted

        found = fitted(grid, terminal.width(), encoding=terminal.encoding())
        terminal.console().print(found.table)
        self.lines([found.note] if found.note else [])

    def write_json(self, document: Any) -> None:
        """Write the document to where ``--json`` says, if it was given.

        Raises:
            StepwallError: if the file cannot be written.
        """
        if self.json_path is None:
            return
        text = json.dumps(document, indent=2, allow_nan=False)
        if self.json_path == STDOUT:
            terminal.say(text)
            return
        write("--json", Path(self.json_path), text + "\n")
        self.echo(f"Wrote {self.json_path}")


def common_options(function: Command) -> Command:
    """Add the common options, passed on as one ``Common``."""

    def gather(  # noqa: PLR0913 (the options of the command line, spelled once)
        *,
        scenarios: tuple[str, ...],
        results: Path,
        json_path: str | None,
        quiet: bool,
        verbose: bool,
        debug: bool,
        **rest: Any,
    ) -> Any:
        del debug  # read by main, which prints errors
        context = click.get_current_context()
        check_texts(context)
        check_apart(context)
        common = Common(
            scenarios=scenarios,
            results=results,
            json_path=json_path,
            quiet=quiet,
            verbose=verbose,
        )
        return function(common, **rest)

    gather.__doc__ = function.__doc__
    gather.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in _COMMON_OPTIONS:
        option(gather)
    return gather  # type: ignore[return-value]


def measuring_options(function: Command) -> Command:
    """Add the options of every command that measures points."""
    for option in reversed(_MEASURING_OPTIONS):
        function = option(function)
    return function


def group_options(function: Command) -> Command:
    """Add the options that choose many scenarios at once, passed on as ``suite`` and ``tags``."""
    suite = click.option(
        "--suite", metavar="S", help="The installed scenarios tagged S; all: every installed one."
    )
    tag = click.option(
        "--tag", "tags", metavar="T", multiple=True, help="Only scenarios tagged T (repeatable)."
    )
    return suite(tag(function))


schedule_option = click.option(
    "--schedule",
    type=click.Choice([item.value for item in Schedule]),
    default=Schedule.SERIAL.value,
    show_default=True,
    help="serial: one thread, in a fixed order, so peaks repeat; parallel: the default threads.",
)

plots_option = click.option(
    "--plots", is_flag=True, help="Also write the report's plots as PNG and SVG files."
)

_MEASURING_OPTIONS = (
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="K=V[,V...]",
        help="Set a parameter. Several values make a grid, in profile and wall: batch=16,32. A "
        "tuple is layers=128,64; several are layers='(128,64),(256,64)'.",
    ),
    click.option(
        "--axis",
        metavar="K",
        help="Sweep this whole-number parameter instead of the scenario's first argument, which "
        "--set then fixes: --axis batch --set steps=100.",
    ),
    click.option("--device", default="cpu", show_default=True, help="cpu, gpu or gpu:N."),
    click.option(
        "--timeout",
        type=SECONDS,
        default=POINT_TIMEOUT_S,
        show_default=True,
        help="Seconds after which a point is killed.",
    ),
    click.option("--name", metavar="RUN", help="Name of the run."),
)


_COMMON_OPTIONS = (
    click.option("--debug", is_flag=True, help="Show tracebacks."),
    click.option("-v", "--verbose", is_flag=True, help="One line per finished point on stderr."),
    click.option("-q", "--quiet", is_flag=True, help="Print no results and no progress."),
    click.option(
        "--json",
        "json_path",
        metavar="PATH|-",
        type=JsonFile(),
        help="Write the result as JSON ('-': to stdout).",
    ),
    click.option(
        "--results",
        metavar="DIR",
        default=DEFAULT_RESULTS,
        show_default=True,
        type=Results(),
        help="Where results are kept.",
    ),
    click.option(
        "--scenarios",
        metavar="PATH",
        multiple=True,
        type=Source(),
        help="A file or folder with scenarios of your own (repeatable).",
    ),
)


def parse_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return ``name -> text`` of repeated ``name=value`` options.

    Raises:
        UsageError: for a pair without ``=`` or a name given twice.
    """
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {pair!r}: write name=value")
        if name.strip() in settings:
            raise UsageError(f"--set {pair!r}: {name.strip()!r} is set twice")
        settings[name.strip()] = text.strip()
    return settings


def next_command(common: Common, given: Mapping[str, Any], *words: object) -> str:
    """Return a command with the options that say what this one was about.

    Args:
        common: the common options of this command.
        given: its measuring options as far as the next one takes them: ``settings``, ``axis``,
            ``device``, ``schedule``, ``timeout``.
        words: the command, its scenarios, and its other options.
    """
    options = [part for setting in given.get("settings", ()) for part in ("--set", setting)]
    for name, default in _MEASURING_DEFAULTS.items():
        value = given.get(name, default)
        options += [f"--{name}", f"{value:g}" if isinstance(value, float) else value] * (
            value != default
        )
    reads_scenarios = str(words[0]) in _READ_SCENARIOS
    options += [
        part for path in common.scenarios if reads_scenarios for part in ("--scenarios", path)
    ]
    options += ["--results", str(common.results)] if common.results != DEFAULT_RESULTS else []
    return shlex.join(["stepwall", *map(str, words), *options])


def command_line() -> str:
    """Return the command as the user typed it."""
    typed = shlex.join(["stepwall", *sys.argv[1:]])
    return typed.encode(errors="backslashreplace").decode()  # a path may hold any byte
