"""What the command line takes besides choices: numbers, texts and paths that can be used."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from profiler.errors import UsageError
from profiler.paths import check_folder, check_new_file, scenario_source, usable
from profiler.store.runs import FILE_NAME

STDOUT = "-"
# What the folder of a report holds, beside the plots.
REPORT_FILES = {
    "report.html",
    "measurements.csv",
    "walls.csv",
    "laws.csv",
    "trade_offs.csv",
    "measurements.json",
}
PLOT_ENDINGS = {".svg", ".png"}
# Beyond any use, and within what a wait, or a list of points, takes.
MOST_SECONDS = 366 * 24 * 3600.0
MOST_REPEATS = 10_000
MOST_JOBS = 1_000


class Number(click.FloatRange):
    """A number within bounds; ``nan`` is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


SECONDS = Number(0, MOST_SECONDS, min_open=True)


class PathType(click.ParamType):  # type: ignore[type-arg]
    """A path that may be written as any text but an empty one."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, checked; a default is a path already."""
        if isinstance(value, Path):
            return value
        what = option_of(param) if isinstance(param, click.Option) else ""
        path = Path(value)
        with usable(what, value):
            if not str(value):
                raise ValueError("the path is empty")
            os.fsencode(path)
            if "\0" in str(value):
                raise ValueError("a path cannot contain NUL")
        return self.checked(what, path, ctx)

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> Any:
        """Return what the command is given."""
        del what, ctx
        return path


class Output(PathType):
    """A file or a folder to be written; the command knows which."""


class NewFile(Output):
    """A file to be written; one that exists is for the command to judge."""

    name = "file"

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> Any:
        """Return the path; a pipe is held open until the command ends."""
        names = (path.name, os.path.basename(os.path.realpath(path)))  # noqa: PTH119 (of a text)
        if any(name.startswith(FILE_NAME) for name in names):
            raise UsageError(f"{what} {str(path)!r}: stored results use this name")
        held = check_new_file(what, path)
        if held is not None and ctx is not None:
            ctx.call_on_close(lambda: os.close(held))
        return path


class JsonFile(NewFile):
    """A file to be written, or ``-`` for stdout."""

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> Any:
        """Return the path as text."""
        return STDOUT if str(path) == STDOUT else str(super().checked(what, path, ctx))


class NewFolder(PathType):
    """A folder to be filled, which may be missing."""

    name = "folder"

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> Path:
        """Return the path."""
        del ctx
        check_folder(what, path)
        return path


class Results(PathType):
    """The folder of results, which may be missing."""

    name = "folder"

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> Path:
        """Return the path."""
        del ctx
        with usable(what, path):
            try:
                found = path.stat()
            except FileNotFoundError:
                return path
            if not stat.S_ISDIR(found.st_mode):
                raise ValueError("it is not a folder")
        return path


class Source(PathType):
    """A file or a folder with scenarios, which is there."""

    def checked(self, what: str, path: Path, ctx: click.Context | None) -> str:
        """Return the path as it was written."""
        del ctx
        scenario_source(what, path)
        return str(path)


def option_of(parameter: click.Parameter) -> str:
    """Return an option as its messages call it, by its long name; an argument by its own."""
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else ""


def check_texts(context: click.Context) -> None:
    """Refuse texts that no database and no JSON could hold.

    Raises:
        UsageError: naming the option.
    """
    for parameter in context.command.params:
        for text in _given(context, parameter):
            if isinstance(text, str) and not isinstance(parameter.type, PathType):
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise UsageError(
                        f"{option_of(parameter)} {text!r}: it is not UTF-8".lstrip()
                    ) from None


def check_apart(context: click.Context) -> None:
    """Refuse to write a file that another option or argument names, too, or that results need.

    Raises:
        UsageError: naming both.
    """
    seen: dict[object, str] = {}
    for parameter in sorted(context.command.params, key=lambda one: isinstance(one.type, Output)):
        named = option_of(parameter) or parameter.make_metavar(context)
        for path in _given(context, parameter):
            # A text that is no path may name a file all the same, as a run of 'compare' does.
            if not isinstance(parameter.type, Output):
                seen |= {_place(file): f"{named} names it too" for file in _files(path)}
            elif (place := _place(path)) in seen:
                raise UsageError(f"{option_of(parameter)} {str(path)!r}: {seen[place]}")
            else:
                seen[place] = f"{named} names it too"
    results = Path(context.params["results"])
    stored = [results / f"{FILE_NAME}{ending}" for ending in ("", "-wal", "-shm", "-journal")]
    check_free(context, stored, "stored results are there")
    check_no_report(context, lambda: _folders(results))


def check_free(context: click.Context, files: Iterable[Path], what: str) -> None:
    """Refuse an output that is one of these files, which the command reads or writes itself.

    Raises:
        UsageError: with what is there.
    """
    places = {_place(file) for file in files}
    for option, path in _outputs(context):
        if _place(path) in places:
            raise UsageError(f"{option} {str(path)!r}: {what}")


def check_no_report(context: click.Context, folders: Callable[[], Iterable[Path]]) -> None:
    """Refuse an output that a report in one of these folders has, too.

    Raises:
        UsageError: naming the file.
    """
    for option, path in _outputs(context):
        real = Path(os.path.realpath(path))
        is_plot = option == "--json" and real.suffix in PLOT_ENDINGS
        named_so = real.name in REPORT_FILES or is_plot
        if named_so and _place(real.parent) in map(_place, folders()):
            raise UsageError(f"{option} {str(path)!r}: the report keeps its own {real.name} there")


def _outputs(context: click.Context) -> list[tuple[str, str | Path]]:
    return [
        (option_of(parameter), path)
        for parameter in context.command.params
        if isinstance(parameter.type, NewFile)
        for path in _given(context, parameter)
    ]


def _files(path: str | Path) -> list[str | Path]:
    """Return the file of this name, or the modules of the folder, if it is one or the other."""
    if os.path.isfile(path):  # noqa: PTH113 (of any text)
        return [path]
    try:
        return list(Path(path).glob("*.py")) if os.path.isdir(path) else []  # noqa: PTH112
    except OSError:
        return []


def _folders(results: Path) -> list[Path]:
    try:
        return [path for path in results.iterdir() if path.is_dir()]
    except OSError:
        return []


def _place(path: str | Path) -> object:
    """Return what is equal for two names of one file; each device is a place of its own."""
    try:
        found = os.stat(path)  # noqa: PTH116 (of any text)
    except (OSError, ValueError):
        return os.path.realpath(path)
    is_data = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return (found.st_dev, found.st_ino) if is_data else object()


def _given(context: click.Context, parameter: click.Parameter) -> list[str | Path]:
    """Return the texts and paths that a parameter was given."""
    value = context.params.get(parameter.name or "")
    values = value if isinstance(value, tuple) else (value,)
    return [one for one in values if isinstance(one, str | Path) and one != STDOUT]
