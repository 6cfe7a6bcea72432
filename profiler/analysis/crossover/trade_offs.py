"""What moves a wall, and what it costs: the builds of a family against its first one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from profiler.analysis.crossover.costs import UNKNOWN_COST, BuildCost, Cost, is_beaten
from profiler.facts import Certificate, WallStatus


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """One step time over another; ``low`` and ``high`` are None where the noise is not known."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """How far one build goes under a limit, and what it costs at one length.

    Args:
        build: its costs at that length.
        wall: its wall under the limit; None if it was not searched.
        further: its wall over the first build's; None unless both are exact.
        slower: its step time over the first build's; None if one is not known.
        is_best: whether no other build goes further in no more time, or as far in less. None if
            noise hides that, or a number or its wall is missing.
    """

    build: BuildCost
    wall: Certificate | None
    further: float | None
    slower: Ratio | None
    is_best: bool | None

    @property
    def parallel(self) -> tuple[float, float] | None:
        """How much more device memory the parallel schedule takes, the least and the most.

        Of a shorter step, as shares of the serial peak; None where that is not known.
        """
        check = self.wall.schedules if self.wall else None
        shares = check.shares if check else []
        return (shares[0], shares[-1]) if shares else None


def trade_offs(builds: Sequence[BuildCost], *, kind: str, limit_bytes: int) -> list[TradeOff]:
    """Return every build's trade-off under one limit, the furthest first.

    Args:
        builds: of one family at one length; the first one is what the others are compared with.
        kind: of the walls, ``device`` or ``host``.
        limit_bytes: theirs.
    """
    walls = [_wall(one, kind, limit_bytes) for one in builds]
    pairs = [(_reach(wall), _step_time(one)) for one, wall in zip(builds, walls, strict=True)]
    found = [
        TradeOff(
            build=one,
            wall=wall,
            further=_ratio(_exact(wall), _exact(walls[0])),
            slower=_slower(_step_time(one), _step_time(builds[0])),
            is_best=_is_best(pair, [other for other in pairs if other is not pair])
            if wall
            else None,
        )
        for one, wall, pair in zip(builds, walls, pairs, strict=True)
    ]
    return sorted(found, key=lambda one: (one.wall is None, -_steps(one.wall)))


def searched(builds: Iterable[BuildCost]) -> list[tuple[str, int]]:
    """Return the kind and the limit of all walls of two builds or more, in their order."""
    found = [{(wall.kind, wall.limit_bytes) for wall in one.walls} for one in builds]
    every = dict.fromkeys((w.kind, w.limit_bytes) for one in builds for w in one.walls)
    return [one for one in every if sum(one in of_build for of_build in found) > 1]


def _wall(one: BuildCost, kind: str, limit_bytes: int) -> Certificate | None:
    return next((w for w in one.walls if (w.kind, w.limit_bytes) == (kind, limit_bytes)), None)


def _reach(wall: Certificate | None) -> Cost:
    """Return the wall as a cost, of which less is better: minus the steps that survive."""
    if wall is None:
        return UNKNOWN_COST
    steps = -_steps(wall)
    low: float = steps
    if wall.status in (WallStatus.AT_LEAST, WallStatus.REPLAYED, WallStatus.UNPROVEN):
        low = -math.inf
    elif wall.status is WallStatus.BAND:
        low = -(wall.first_oom or 0)
    return Cost(value=steps, low=low, high=steps)


def _steps(wall: Certificate | None) -> int:
    return wall.last_ok or 0 if wall is not None else 0


def _exact(wall: Certificate | None) -> float | None:
    return wall.last_ok if wall is not None and wall.status is WallStatus.EXACT else None


def _step_time(one: BuildCost) -> Cost:
    return one.costs.get("step_time", UNKNOWN_COST)


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None


def _slower(one: Cost, base: Cost) -> Ratio | None:
    value = _ratio(one.value, base.value)
    if value is None or one is base:
        return None if value is None else Ratio(value=1, low=1, high=1)
    # The interval of a law may reach below 0, where no time is: then it says nothing.
    if any(cost.low is None or cost.low <= 0 for cost in (one, base)):
        return Ratio(value=value, low=None, high=None)
    return Ratio(value=value, low=_ratio(one.low, base.high), high=_ratio(one.high, base.low))


def _is_best(pair: tuple[Cost, Cost], others: Iterable[tuple[Cost, Cost]]) -> bool | None:
    beaten = [is_beaten(list(zip(pair, other, strict=True))) for other in others]
    return False if True in beaten else None if None in beaten else True
