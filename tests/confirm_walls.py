"""Runs both ends of stored walls again, each in a fresh interpreter, without the search.

    python tests/confirm_walls.py RESULTS [--scenarios PATH]...
    make confirm RESULTS=results

RESULTS is a results folder, or a file that ``stepwall wall --json`` or ``stepwall profile
--json`` wrote. Of every exact wall in it, ``last_ok`` must survive and ``first_oom`` run out of
the memory that was limited. Two ends run at a time: a failing one waits 10 s without using a
core. There is one line per wall on stdout; the exit code is 0 if all of them hold, 1 if one does
not, and 2 where there is none to confirm.

Nothing is shared with what found the walls but the child that measures one point: no search, no
fork server, no database but the one that is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from fresh_launcher import FreshLaunchers

from profiler.errors import StepwallError
from profiler.facts import Certificate, Outcome, Point, Status, WallStatus, convert
from profiler.frameworks import Mode
from profiler.measure.client import Client
from profiler.store.runs import Store

AT_ONCE = 2
DOES_NOT_HOLD = 1
_OUT_OF_MEMORY = {"device": Status.OOM_DEVICE, "host": Status.OOM_HOST}


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.argument("results", type=click.Path(exists=True, path_type=Path))
@click.option("--scenarios", metavar="PATH", multiple=True, help="As it was given to stepwall.")
def main(results: Path, scenarios: tuple[str, ...]) -> None:
    """Confirm the walls and exit."""
    try:
        walls = {_title(wall): wall for wall in _walls(results) if wall.status is WallStatus.EXACT}
    except (StepwallError, TypeError, ValueError) as error:
        raise click.UsageError(f"{results}: {error}") from error
    if not walls:
        raise click.UsageError(f"{results}: no exact wall to confirm")
    sources = tuple(str(Path(source).resolve()) for source in scenarios)
    client = Client(launchers=FreshLaunchers(), sources=sources)
    sys.exit(0 if _confirm(client, walls.values()) else DOES_NOT_HOLD)


def _walls(results: Path) -> Iterator[Certificate]:
    if results.is_dir():
        with Store(results) as store:
            for summary in store.summaries():
                yield from store.load(summary.id).walls
    else:
        document = json.loads(results.read_text())
        for wall in document.get("walls", [document]):
            known = {name: wall[name] for name in Certificate.__struct_fields__ if name in wall}
            # What documents add to these two is of no use here.
            yield convert(Certificate, {**known, "probes": [], "explanation": None})


def _confirm(client: Client, walls: Iterable[Certificate]) -> bool:
    """Run both ends of all walls, print a line for each, and say whether all of them hold."""
    client.catalog()  # else each thread would list the scenarios for itself
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        runs = [
            (wall, [pool.submit(_end, client, point) for point in _ends(wall)]) for wall in walls
        ]
        held = [_confirmed(wall, ends) for wall, ends in runs]
    return all(held)


def _ends(wall: Certificate) -> list[Point]:
    on_host = wall.kind == "host"
    conditions: dict[str, Any] = {
        "framework": wall.framework,
        "scenario": wall.scenario,
        "family": wall.family,
        "parameters": wall.parameters,
        "device": wall.device,
        "schedule": wall.schedule,
        "limit_bytes": None if on_host else wall.limit_bytes,
        "host_limit_bytes": wall.limit_bytes if on_host else None,
    }
    return [Point(steps=steps or 0, **conditions) for steps in (wall.last_ok, wall.first_oom)]


def _end(client: Client, point: Point) -> Outcome:
    return client.measure(point, mode=Mode(inspect=False)).outcome


def _confirmed(wall: Certificate, runs: list[Future[Outcome]]) -> bool:
    survivor, failure = (run.result() for run in runs)
    holds = survivor.status is Status.OK and failure.status is _OUT_OF_MEMORY[wall.kind]
    ends = f"{wall.last_ok} {survivor.status.value}, {wall.first_oom} {failure.status.value}"
    click.echo(f"{'holds' if holds else 'FAILS'}  {_title(wall)}: {ends}")
    for end in (survivor, failure):
        if not holds and end.reason:
            click.echo(f"       {end.reason}")
    return holds


def _title(wall: Certificate) -> str:
    parameters = "".join(f" {name}={value}" for name, value in wall.parameters.items())
    limit = f"{wall.limit_bytes} bytes of {wall.kind} memory"
    ends = f"{wall.last_ok}/{wall.first_oom}"
    return f"{wall.scenario}{parameters} on {wall.device}, {wall.schedule.value}, {limit}, {ends}"


if __name__ == "__main__":
    main()
