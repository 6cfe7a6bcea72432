"""The command line: one module per command, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

import click

import profiler
from profiler import endings
from profiler.cli import terminal
from profiler.errors import StepwallError, UsageError, did_you_mean, error_text
from profiler.plain_text import one_line

_COMMANDS = (
    "list",
    "profile",
    "wall",
    "explain",
    "predict",
    "versus",
    "check",
    "compare",
    "pin",
    "report",
    "plot",
    "runs",
    "doctor",
    "new",
    "try",
)
_EPILOG = """\b
Exit codes:
  0    fine (a wall that was found is a result)
  1    the tool itself failed
  2    bad input
  3    a budget is broken, or worse than a --fail rule allows
  4    a point ended in an error or an unexpected crash, or could not be explained or judged
  130  interrupted by Ctrl-C (finished points are kept)
  129, 131, 143  the same by SIGHUP, SIGQUIT or SIGTERM
  141  the program that read the output closed it
"""


class _Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            ctx.fail(f"no command {cmd_name!r}{did_you_mean(cmd_name, _COMMANDS)}")
        module = importlib.import_module(f"profiler.cli.{cmd_name}_")
        command: click.Command = module.command
        return command


@click.command(
    cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(profiler.__version__, prog_name="stepwall")
def stepwall() -> None:
    """Measure how a training graph grows with its time steps, and where memory ends."""
    try:
        Path.cwd()
    except OSError as error:  # it may be gone
        raise UsageError(f"the current folder: {error.strerror}") from None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its documented code."""
    sys.exit(exit_code(sys.argv[1:] if arguments is None else arguments))


def exit_code(arguments: list[str]) -> int:
    """Run the command line and return its documented code."""
    arguments = arguments or ["--help"]
    try:
        code = stepwall.main(arguments, prog_name="stepwall", standalone_mode=False)
    except click.ClickException as error:
        return _fail(one_line(error.format_message()), error.exit_code, arguments)
    except StepwallError as error:
        return _fail(str(error), error.exit_code, arguments)
    except (KeyboardInterrupt, click.Abort):
        return _ended()
    except (BrokenPipeError, SystemExit) as error:  # click makes the one of the other
        raise BrokenPipeError from error
    except Exception as error:  # noqa: BLE001 (the last resort, so that no traceback is shown)
        if endings.came():  # a library made the signal's exception another one
            return _ended()
        return _fail(_unexpected(error), StepwallError.exit_code, arguments)
    return code if isinstance(code, int) else 0


def _ended() -> int:
    return _fail(f"{endings.text()}; what had finished is kept", endings.exit_code(), [])


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:  # a full disk, no more files, no rights
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return f"this machine has nothing left for stepwall: {str(error) or 'out of memory'}"
    if isinstance(error, ImportError):  # a package is missing, or memory for one of its libraries
        last = str(error).strip().rpartition("\n")[2].strip()
        return f"a package that stepwall needs cannot be imported: {last}"
    return f"{error_text(error)} (this is a bug; --debug shows where)"


def _fail(message: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        terminal.tell(traceback.format_exc().rstrip("\n"))
    terminal.warn(message)
    return code
