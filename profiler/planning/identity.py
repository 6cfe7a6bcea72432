"""Whether stored points are of today's scenario, and what differs where they are not."""

from __future__ import annotations

from collections.abc import Iterable

from profiler.facts import Environment, Point, Run, replace
from profiler.parameters import value_text


def conditions_of(point: Point) -> Point:
    """Return what equal points of any length share; of parallel ones, any repeat."""
    return replace(point, steps=0, repeat=0)


def lengths_of(points: Iterable[Point], conditions: Point) -> set[int]:
    """Return the lengths of those points that are of just these conditions."""
    return {point.steps for point in points if conditions_of(point) == conditions}


def difference(
    run: Run, points: Iterable[Point], conditions: Point, environment: Environment | None = None
) -> str | None:
    """Return in words why a run's points are not of these conditions; None where some are.

    Args:
        run: the run; its header is enough.
        points: what it measured of the scenario, or more.
        conditions: a point of the scenario as it is now, with steps and repeat 0.
        environment: this machine and its software; None: any will do.
    """
    scenario = conditions.scenario
    mine = (point for point in points if point.scenario == scenario)
    others = list({conditions_of(point).key: point for point in mine}.values())
    if not others:
        return f"run {run.name!r} has no {scenario!r}"
    words = min((_differing(conditions_of(one), conditions) for one in others), key=len)
    changes = run.environment.differences(environment) if environment else []
    if changes:
        words.append(f"in another environment ({'; '.join(changes)})")
    return f"run {run.name!r} measured {scenario} {' and '.join(words)}" if words else None


def _differing(stored: Point, now: Point) -> list[str]:
    """Return in words what of two points of one scenario differs."""
    words = []
    if stored.source != now.source:
        words.append("from another source")
    names = dict.fromkeys([*now.parameters, *stored.parameters])
    changed = [name for name in names if _text(stored, name) != _text(now, name)]
    if changed:
        was_all, now_all = (
            ", ".join(f"{name}={_text(point, name)}" for name in changed) for point in (stored, now)
        )
        words.append(f"with {was_all} (now {now_all})")
    if stored.device != now.device:
        words.append(f"on {stored.device} (now {now.device})")
    if stored.schedule is not now.schedule:
        words.append(f"in the {stored.schedule.value} schedule (now {now.schedule.value})")
    limits = [(one.limit_bytes, one.host_limit_bytes) for one in (stored, now)]
    if limits[0] != limits[1]:
        words.append("under another limit")
    if (stored.framework, stored.family) != (now.framework, now.family):
        words.append("of another file")
    return words


def _text(point: Point, name: str) -> str:
    """Return a parameter's value as ``--set`` takes it."""
    return value_text(point.parameters[name]) if name in point.parameters else "nothing"
