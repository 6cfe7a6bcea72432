"""Stored runs put together, so that one report shows side by side what each of them measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from profiler.analysis.compare.walls import wall_key
from profiler.errors import UsageError
from profiler.facts import Environment, FrameworkFacts, Run, replace

__all__ = ["together"]

_AND = "_and_"


def together(runs: Sequence[Run]) -> Run:
    """Return one run that holds what all of these do, in their order.

    As of a framework, which is never in one process with another one, and often not in one
    installation.

    Raises:
        UsageError: if what they hold cannot stand side by side: made on different machines or with
            different versions of one framework, or the same point twice.
    """
    runs = list({run.id: run for run in runs}.values())
    if len(runs) == 1:
        return runs[0]
    for one, other in combinations(runs, 2):
        _check(one, other)
    return replace(
        runs[0],
        id=_AND.join(run.id for run in runs),
        name=_AND.join(run.name for run in runs),
        created_at=max(run.created_at for run in runs),
        command="; ".join(dict.fromkeys(run.command for run in runs)),
        environment=_environment(runs),
        finished=all(run.finished for run in runs),
        measurements=[one for run in runs for one in run.measurements],
        walls=[one for run in runs for one in run.walls],
    )


def _check(one: Run, other: Run) -> None:
    names = f"runs {one.name!r} and {other.name!r}"
    compare = f"'stepwall compare {one.name} {other.name}' shows what differs"
    machines = [f"{run.environment.cpu}, {run.environment.cpu_count} cores" for run in (one, other)]
    if machines[0] != machines[1]:
        raise UsageError(
            f"{names} were made on different machines ({' and '.join(machines)}): "
            "one report would set their times side by side"
        )
    for name, mine in one.environment.frameworks.items():
        theirs = other.environment.frameworks.get(name)
        if theirs is not None and mine.versions != theirs.versions:
            versions = f"{mine.versions_text}; {theirs.versions_text}"
            raise UsageError(f"{names} have different versions ({versions}): {compare}")
    held = _held(other)
    for key, scenario in _held(one).items():
        if key in held:
            raise UsageError(f"{names} both hold {scenario}: {compare}")
    sources = _sources(other)
    for key, (scenario, source) in _sources(one).items():
        if key in sources and sources[key] != (scenario, source):
            raise UsageError(
                f"{names} measured {scenario} from different sources: measure it again"
            )


def _held(run: Run) -> dict[str, str]:
    """Return the scenario of each point and wall, by a text that is equal for equal conditions."""
    points = (m.point for m in run.measurements)
    return {
        **{replace(one, family="", source="").key: one.scenario for one in points},
        **{wall_key(one): one.scenario for one in run.walls},
    }


def _sources(run: Run) -> dict[str, tuple[str, str]]:
    """Return scenario and source of each series."""
    points = (m.point for m in run.measurements)
    return {
        replace(one, steps=0, repeat=0, family="", source="").key: (one.scenario, one.source)
        for one in points
    }


def _environment(runs: Sequence[Run]) -> Environment:
    """Return what all were made with; where one thing differs, each of its values."""
    found = [run.environment for run in runs]
    frameworks: dict[str, FrameworkFacts] = {}
    for one in found:
        frameworks.update(one.frameworks)
    return replace(
        found[0],
        stepwall=_each(one.stepwall for one in found),
        python=_each(one.python for one in found),
        platform=_each(one.platform for one in found),
        source=_each(one.source for one in found if one.source) or None,
        frameworks=frameworks,
    )


def _each(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
