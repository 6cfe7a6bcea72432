"""``stepwall new``: a small scenario that works, and its test, to begin with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from profiler.cli.arguments import NewFolder, check_free
from profiler.cli.common import Common, common_options
from profiler.errors import UsageError
from profiler.facts import SCHEMA
from profiler.frameworks import installed, lacking
from profiler.paths import usable
from profiler.planning import templates


@click.command("new")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(templates.templates(installed()))),
    help="What the scenario returns  [default: graph, else the first that works here].",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=NewFolder(),
    default=Path(),
    help="Where to write  [default: the current folder].",
)
@common_options
def command(common: Common, *, name: str, kind: str | None, output: Path) -> None:
    """Write NAME.py, a small scenario that works, and its test test_NAME.py.

    No file is ever overwritten.
    """
    frameworks = installed()
    kind = kind or templates.default_kind(frameworks)
    templates.check_name(name, [package for one in frameworks.values() for package in one.packages])
    files = templates.filled(templates.templates(frameworks)[kind], name)
    paths = {output / file: text for file, text in files.items()}
    needs = lacking(templates.framework_of(kind, frameworks))
    if needs is not None:
        raise UsageError(f"--kind {kind} {needs}")
    check_free(click.get_current_context(), paths, "the new files go there")
    for path in paths:
        if os.path.lexists(path):
            raise UsageError(f"{str(path)!r} exists, and is not overwritten")
    for path, text in paths.items():
        _write(path, text)
        common.echo(f"Wrote {path}")
    scenario, test = map(str, paths)
    commands = [shlex.join(["stepwall", "try", scenario]), shlex.join(["pytest", test])]
    common.echo(f"next: {commands[0]}")
    common.echo(f"      {commands[1]}")
    common.write_json({"schema": SCHEMA, "files": [scenario, test], "next": commands})


def _write(path: Path, text: str) -> None:
    with usable("", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
