"""``stepwall check``: whether scenarios keep the budgets of a file."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profiler.cli import terminal
from profiler.cli.arguments import SECONDS, NewFile, PathType, check_free
from profiler.cli.common import (
    FAILED_POINT,
    OVER_BUDGET,
    Common,
    common_options,
    next_command,
)
from profiler.cli.opening import open_client, opened, usable_scenarios
from profiler.cli.output import check_run_name
from profiler.cli.progress import reporter
from profiler.errors import UsageError
from profiler.measure.client import POINT_TIMEOUT_S
from profiler.paths import read_text, write
from profiler.store.runs import Store

_MOST_MIB = 1

if TYPE_CHECKING:  # laws need NumPy, and --help does not
    from profiler.analysis.budgets.budget import Budget, Verdict
    from profiler.facts import Run


@click.command("check")
@click.argument("budgets", type=PathType(), metavar="BUDGETS.toml")
@click.option(
    "--timeout",
    type=SECONDS,
    default=POINT_TIMEOUT_S,
    show_default=True,
    help="Seconds after which a point is killed.",
)
@click.option("--name", metavar="RUN", help="Name of the run that is measured.")
@click.option("--run", "stored", metavar="RUN", help="Check this stored run and measure nothing.")
@click.option(
    "--html",
    type=NewFile(),
    help="Write a page with each limit, what was measured, and the run behind it.",
)
@common_options
def command(  # noqa: PLR0913 (one keyword per option)
    common: Common,
    *,
    budgets: Path,
    timeout: float,
    name: str | None,
    stored: str | None,
    html: Path | None,
) -> int:
    """Check whether scenarios keep their budgets: exit with 3 if not, with 4 if that is unknown."""
    check_run_name(name)
    if name is not None and stored is not None:
        raise UsageError(f"--name {name!r}: the run {stored!r} of --run has a name already")
    from profiler.analysis.budgets.tables import read_budgets, scenario_paths

    document = _document(budgets)
    wanted = read_budgets(document, str(budgets))
    named = scenario_paths(document.get("scenarios", []), budgets.parent, str(budgets))
    check_free(click.get_current_context(), map(Path, named), f"{budgets} reads it")
    common = replace(common, scenarios=(*common.scenarios, *named))
    if stored is None:
        run, verdicts = _check(common, wanted, timeout, name)
    else:
        run, verdicts = _check_stored(common, wanted, stored)
    _print(common, run, verdicts)
    if html is not None:
        from reports.pages.budgets import budget_page

        write("--html", html, budget_page(run, verdicts, budgets.name))
        common.echo(f"Wrote {html}")
    return _exit_code(verdicts)


def _document(path: Path) -> dict[str, Any]:
    text = read_text("budgets", path, most_mib=_MOST_MIB)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"budgets {str(path)!r}: {error}") from None


def _check(
    common: Common, wanted: list[Budget], timeout: float, name: str | None
) -> tuple[Run, list[Verdict]]:
    from profiler.analysis.budgets.check import planned
    from profiler.cli.budget_run import measure_budgets

    with opened(common, timeout_s=timeout, name=name) as opening:
        names = [one.scenario for one in wanted]
        plans = planned(wanted, usable_scenarios(common, opening.client, names))
        points = [point for one in plans for point in one.points]
        runner = opening.runner(opening.run(points, name=name))
        opening.report.stage(f"{len(plans)} budgets", points=points)
        return measure_budgets(plans, runner)


def _check_stored(common: Common, wanted: list[Budget], name: str) -> tuple[Run, list[Verdict]]:
    from profiler.analysis.budgets.check import judge_stored, planned

    with Store(common.results) as store:
        run = store.load(name, scenarios=[one.scenario for one in wanted])
    # A child lists the scenarios: budgets leave parameters at their defaults.
    with (
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_client(common) as client,
    ):
        report.stage("loading scenarios")
        names = [one.scenario for one in wanted]
        plans = planned(wanted, usable_scenarios(common, client, names))
    return run, judge_stored(plans, run)


def _print(common: Common, run: Run, verdicts: list[Verdict]) -> None:
    from profiler.analysis.budgets.budget import Ruling
    from reports.tables.budgets import verdict_document, verdict_grid, verdict_text

    common.table(verdict_grid(verdicts))
    common.write_json(verdict_document(run.name, verdicts))
    common.echo(f"next: {next_command(common, {}, 'report', run.name)}")
    for verdict in verdicts:
        if verdict.ruling is not Ruling.KEPT:
            terminal.warn(verdict_text(verdict))


def _exit_code(verdicts: list[Verdict]) -> int:
    from profiler.analysis.budgets.budget import Ruling

    rulings = {verdict.ruling for verdict in verdicts}
    if Ruling.BROKEN in rulings:
        return OVER_BUDGET
    return FAILED_POINT if Ruling.UNKNOWN in rulings else 0
