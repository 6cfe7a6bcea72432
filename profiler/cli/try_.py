"""``stepwall try``: say what is wrong with a scenario, in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from profiler.analysis.review import Review, judged, raised_at_build
from profiler.cli.arguments import SECONDS, Source
from profiler.cli.common import (
    FAILED_POINT,
    Common,
    common_options,
    next_command,
    parse_settings,
)
from profiler.cli.opening import open_client
from profiler.cli.progress import reporter
from profiler.errors import UsageError
from profiler.facts import SCHEMA, Point, Schedule, Status, to_json
from profiler.facts import replace as changed
from profiler.frameworks import Mode, framework
from profiler.lengths import Lengths
from profiler.measure.client import Client
from profiler.planning import points as planning
from profiler.planning.catalog import Listing
from profiler.units import MIB, size_option

_STEPS = (8, 16)
# With many divisors: an author's rule for lengths may well allow one of them.
_COMPOSITE = (240, 128)
_TIMEOUT_S = 60.0
# A wall is worth a look under so many times what a short training step needs.
_LIMIT_OVER_PEAK = 8
_LEAST_LIMIT = 16 * MIB


@click.command("try")
@click.argument("path", metavar="FILE", type=Source())
@click.option("--set", "settings", multiple=True, metavar="K=V", help="Set a parameter.")
@click.option(
    "--timeout",
    type=SECONDS,
    default=_TIMEOUT_S,
    show_default=True,
    help="Seconds after which a point is killed.",
)
@common_options
def command(common: Common, *, path: str, settings: tuple[str, ...], timeout: float) -> int:
    """Build each scenario of FILE at two short lengths, and say what is wrong.

    FILE holds scenarios of your own; a folder of such files will do. Nothing is stored.
    """
    common = replace(common, scenarios=(path, *common.scenarios))
    conditions = planning.Conditions(overrides=parse_settings(settings))
    with (
        reporter(quiet=common.quiet, verbose=False) as report,
        open_client(common, timeout_s=timeout) as client,
    ):
        report.stage("loading scenarios")
        catalog = client.catalog(installed_too=False)
        listings = list(catalog.scenarios.values())
        report.stage("trying scenarios", len(listings))
        reviews = []
        for listing in listings:
            report.doing(listing.name)
            reviews.append(_tried(client, listing, conditions))
            report.done(listing.name)
    _print(common, reviews, catalog.broken)
    _print_next(common, path, settings, reviews)
    common.write_json(
        {"schema": SCHEMA, "scenarios": list(map(to_json, reviews)), "broken": catalog.broken}
    )
    if not all(review.is_usable for review in reviews):
        return FAILED_POINT
    return UsageError.exit_code if catalog.broken else 0


def _tried(client: Client, listing: Listing, conditions: planning.Conditions) -> Review:
    short, long = (
        planning.point(listing, conditions, steps=steps) for steps in listing.lengths.spread(_STEPS)
    )
    runs = [client.measure(short)]
    if runs[0].outcome.status is Status.OK or raised_at_build(runs[0]):
        runs.append(client.measure(long))
    if all(map(raised_at_build, runs)):
        built_at = _built_at(client, long, listing.lengths)
        return judged(runs, source=listing.source, built_at=built_at)
    repeats = framework(short.framework).repeatable[Schedule.SERIAL]
    fine = all(run.outcome.status is Status.OK for run in runs)
    again = client.measure(short) if fine and repeats else None
    return judged(runs, again, source=listing.source)


def _built_at(client: Client, point: Point, lengths: Lengths) -> list[int]:
    """Return the smallest and the largest length beyond the point's that the scenario is built at.

    Empty where there is none among a few: then its mistake is hardly about the length.
    """

    def can_be_built(steps: int) -> bool:
        run = client.measure(changed(point, steps=steps), mode=Mode(inspect=False))
        return not raised_at_build(run)

    longer = [steps for steps in _COMPOSITE if steps > point.steps and lengths.allow(steps)]
    longest = next(filter(can_be_built, longer), None)
    if longest is None:
        return []
    divisors = [n for n in range(point.steps + 1, longest) if longest % n == 0 and lengths.allow(n)]
    smallest = next(filter(can_be_built, divisors), longest)
    return sorted({smallest, longest})


def _print(common: Common, reviews: Sequence[Review], broken: Iterable[str]) -> None:
    from reports.texts.review import review_lines

    here = f"{Path.cwd()}/"
    for line in broken:
        common.echo(line.replace(here, ""))
        common.complain(line)
    for review in reviews:
        said = [line.replace(here, "") for line in review_lines(review)]
        for line in said:
            common.echo(line)
        if not review.is_usable:
            common.complain("; ".join(line.strip() for line in said))


def _print_next(
    common: Common, path: str, settings: tuple[str, ...], reviews: Sequence[Review]
) -> None:
    usable = [review for review in reviews if review.is_usable]
    best = next((review for review in usable if review.grows), next(iter(usable), None))
    if best is None:
        again = next_command(replace(common, scenarios=()), {"settings": settings}, "try", path)
        common.echo(f"next: fix it, then {again}")
        return
    given = {"settings": settings}
    common.echo(f"next: {next_command(common, given, 'profile', best.scenario)}")
    limit = size_option(_limit(best))
    common.echo(f"      {next_command(common, given, 'wall', best.scenario, '--limit', limit)}")


def _limit(review: Review) -> int:
    """Return a power of two of bytes that leaves the scenario room to grow."""
    peak = max(point.peak_bytes or 0 for point in review.points)
    limit = _LEAST_LIMIT
    while limit < _LIMIT_OVER_PEAK * peak:
        limit *= 2
    return limit
