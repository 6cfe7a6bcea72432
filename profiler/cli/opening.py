"""The opening of a run, written once: scenarios are listed, points checked, the run started."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.cli import terminal
from profiler.cli.common import Common, command_line, parse_settings
from profiler.cli.progress import Reporter, reporter, reporting
from profiler.errors import UsageError
from profiler.facts import Environment, Point, Run
from profiler.limits import machine
from profiler.measure.client import POINT_TIMEOUT_S, Client
from profiler.measure.launcher import Launchers
from profiler.measure.runner import Runner
from profiler.paths import scenario_source
from profiler.planning import points as planning
from profiler.planning.catalog import Listing, check_present, left_out
from profiler.store.runs import Store
from profiler.units import MIB


@dataclass(frozen=True, kw_only=True)
class Opening:
    """All that a run is opened with.

    Attributes:
        client: asks the children.
        store: keeps the results.
        report: shows progress.
        command: what the user typed.
    """

    client: Client
    store: Store
    report: Reporter
    command: str

    def run(self, points: Sequence[Point], *, name: str | None, resumed: Run | None = None) -> Run:
        """Start the run that these points belong to, or go on with the one that is resumed.

        Raises:
            UsageError: if a framework does not see a point's device, or the resumed run was
                made with other software, on another machine, or from other sources.
        """
        environment = self.environment(points)
        if resumed is None:
            return self.store.start_run(name, self.command, environment)
        _check_same(resumed, environment, self.store.points(resumed), points)
        return resumed

    def environment(self, points: Sequence[Point]) -> Environment:
        """Return this machine and its software, with the frameworks of the points.

        Raises:
            UsageError: if a framework does not see a point's device.
        """
        frameworks = self.client.describe(point.framework for point in points)
        for point in points:
            planning.check_device(point.device, [frameworks[point.framework]])
        return machine.environment(frameworks)

    def runner(self, run: Run, **hooks: Any) -> Runner:
        """Return a runner of the run that reports its points; ``hooks``: see ``Runner``."""
        return reporting(self.report, client=self.client, store=self.store, run=run, **hooks)


def _check_same(
    run: Run, environment: Environment, stored: Sequence[Point], points: Sequence[Point]
) -> None:
    """Refuse to mix numbers of two environments or sources in one run.

    Raises:
        UsageError: naming what differs.
    """
    differences = run.environment.differences(environment)
    if differences:
        what = "; ".join(differences)
        raise UsageError(f"run {run.name!r} cannot go on here: {what}. Start a new run")
    sources = {point.scenario: point.source for point in points}
    for point in stored:
        if point.source != sources.get(point.scenario, point.source):
            raise UsageError(
                f"run {run.name!r} measured {point.scenario} from another version of its source: "
                "start a new run"
            )


@contextlib.contextmanager
def opened(common: Common, *, timeout_s: float, name: str | None = None) -> Iterator[Opening]:
    """Open the store, the progress display and the client of a command that measures.

    Raises:
        UsageError: if a run of that name exists.
    """
    with (
        Store(common.results, create=True) as store,
        reporter(quiet=common.quiet, verbose=common.verbose) as report,
        open_client(common, timeout_s=timeout_s) as client,
    ):
        if name is not None:
            store.check_free(name)
        report.stage("loading scenarios")
        yield Opening(client=client, store=store, report=report, command=command_line())


@contextlib.contextmanager
def open_client(common: Common, *, timeout_s: float = POINT_TIMEOUT_S) -> Iterator[Client]:
    """Open a client of the user's scenario files; its children start when they are needed."""
    sources = tuple(scenario_source("--scenarios", Path(given)) for given in common.scenarios)
    with Launchers() as launchers:
        yield Client(launchers=launchers, sources=sources, timeout_s=timeout_s)


def chosen_scenarios(
    common: Common,
    client: Client,
    names: Sequence[str],
    given: Mapping[str, Any],
    group: planning.Group | None = None,
) -> list[Listing]:
    """Return the scenarios that a command is about, swept over the axis that it was given.

    Args:
        common: has the user's files.
        client: lists what they hold.
        names: their names, or none for those of the group.
        given: the command's measuring options, of which ``axis`` and ``settings`` are read.
        group: as ``points.select`` takes it.

    Raises:
        UsageError: if there is none that can be used, or one that cannot be swept so.
    """
    listings = planning.select(names, usable_scenarios(common, client, names), group)
    is_all = group is None or (group.suite in {None, planning.ALL} and not group.tags)
    if is_all and not names and not common.scenarios:
        for line in left_out(client.catalog()):
            terminal.warn(f"left out {line}")
    return planning.swept(listings, given["axis"], parse_settings(given["settings"]))


def usable_scenarios(
    common: Common, client: Client, wanted: Collection[str] = ()
) -> Mapping[str, Listing]:
    """Return the scenarios by name; broken ones, and broken files in folders, go to stderr.

    Args:
        common: has the user's files.
        client: lists what they hold.
        wanted: the scenarios that are asked for, all if empty; see ``Client.catalog``.

    Raises:
        UsageError: for files that were given by name and hold no scenario that can be used: a
            line for each mistake; for installed scenarios whose framework is not there.
    """
    catalog = client.catalog(wanted)
    check_present(catalog, wanted)
    given = {str(Path(source).resolve()) for source in common.scenarios if Path(source).is_file()}
    given -= {listing.file.path for listing in catalog.scenarios.values()}
    named = [line for line in catalog.broken if any(line.startswith(f"{file}:") for file in given)]
    for line in catalog.broken:
        if line not in named:
            terminal.warn(f"left out {line}")
    if named:
        raise UsageError("\n".join(named))
    if not catalog.scenarios and catalog.absent:
        raise UsageError("\n".join(left_out(catalog)))
    return catalog.scenarios


def note_rounding(given_bytes: int | None, point: Point) -> None:
    """Say on stderr if the limit was rounded down to what the framework takes."""
    limit = point.limit_bytes or point.host_limit_bytes
    if given_bytes is not None and limit is not None and limit != given_bytes:
        shown = f"{limit // MIB} MiB" if limit % MIB == 0 else f"{limit} bytes"
        terminal.warn(f"limit of {given_bytes} bytes rounded down to {shown}")
