"""The data of every plot: one panel per scenario family, one series per label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from profiler.facts import Certificate, Status, WallStatus
from profiler.store.frames import LoadedRun, prediction_error

__all__ = [
    "Failure",
    "Metric",
    "Panel",
    "Series",
    "Spot",
    "Wall",
    "families",
    "labelled_walls",
    "panels",
]

Unit = Literal["nodes", "bytes", "seconds"]
_LIMIT_COLUMNS = {"device": "limit_bytes", "host": "host_limit_bytes"}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One plotted quantity: the sum of some columns of the measurements.

    Attributes:
        columns: columns of ``LoadedRun.measurements`` to add up.
        title: the quantity in a few words.
        unit: what is counted.
        wall_kind: the kind of wall (``device`` or ``host``) that bounds this quantity.
        from_failed: whether the value of a failed point is complete (a graph that was
            built is, the peak of a step that broke off is not).
    """

    columns: tuple[str, ...]
    title: str
    unit: Unit
    wall_kind: str | None = None
    from_failed: bool = False


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A measured value at one number of steps, over its repeats."""

    steps: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point that did not end well; ``value`` is where to mark it, None for the axis edge."""

    steps: int
    status: str
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Wall:
    """A wall certificate as marks.

    ``predicted`` is None where it is what was found; ``failed`` are the steps of the search's
    runs that did not survive, ``probes`` the peaks of those that did.
    """

    status: WallStatus
    limit_bytes: int
    last_ok: int | None
    first_oom: int | None
    predicted: int | None
    probes: tuple[Spot, ...]
    failed: tuple[int, ...] = ()

    @property
    def steps(self) -> int | None:
        """Where the wall is marked: at its survivor, else at its failure; None for no end."""
        return self.last_ok if self.last_ok is not None else self.first_oom


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a panel with its failed points and its walls."""

    label: str
    spots: tuple[Spot, ...] = ()
    failures: tuple[Failure, ...] = ()
    walls: tuple[Wall, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One metric of one scenario family; ``limits`` are the memory limits that apply to it."""

    family: str
    metric: Metric
    series: tuple[Series, ...]
    limits: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw: no value, no wall."""
        return not any(series.spots or series.walls for series in self.series)

    @property
    def steps(self) -> list[int]:
        """Every number of steps that has a mark."""
        found: list[int] = []
        for series in self.series:
            found += [spot.steps for spot in series.spots]
            found += [failure.steps for failure in series.failures]
            for wall in series.walls:
                ends = (wall.last_ok, wall.first_oom, wall.predicted, *wall.failed)
                found += [steps for steps in ends if steps is not None]
                found += [probe.steps for probe in wall.probes]
        return found

    @property
    def values(self) -> list[float]:
        """Every value that is drawn, limits included."""
        found: list[float] = list(self.limits)
        for series in self.series:
            probes = [probe for wall in series.walls for probe in wall.probes]
            found += [value for spot in (*series.spots, *probes) for value in (spot.low, spot.high)]
        return found


def labelled_walls(loaded: LoadedRun) -> list[tuple[str, Certificate]]:
    """Return each wall certificate of a run with its label."""
    labels = [] if loaded.walls.empty else list(loaded.walls["label"])
    return list(zip(labels, loaded.run.walls, strict=True))


def families(loaded: LoadedRun) -> dict[str, list[str]]:
    """Return the labels of each family, in the order of the run."""
    rows = loaded.measurements
    pairs = list(zip(rows["family"], rows["label"], strict=True))
    pairs += [(wall.family, label) for label, wall in labelled_walls(loaded)]
    found: dict[str, list[str]] = {}
    for family, label in dict.fromkeys(pairs):
        found.setdefault(str(family), []).append(str(label))
    return found


def panels(loaded: LoadedRun, metric: Metric) -> list[Panel]:
    """Return the panels of one metric, empty ones included, in the order of the run."""
    rows = _with_value(loaded.measurements, metric)
    if metric.wall_kind == "host":  # what had no such limit was never counted this way
        rows = rows[rows["host_limit_bytes"].notna()]
    walls = [item for item in labelled_walls(loaded) if item[1].kind == metric.wall_kind]
    return [
        Panel(
            family=family,
            metric=metric,
            series=tuple(
                _series(label, _of(rows, family, label), _marks(walls, family, label))
                for label in labels
            ),
            limits=_limits(rows, walls, family, metric),
        )
        for family, labels in families(loaded).items()
    ]


def _with_value(rows: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    values = rows[list(metric.columns)].astype("float64").sum(axis=1, skipna=False)
    if not metric.from_failed:
        values = values.where(rows["status"] == "ok")
    return rows[["family", "label", "steps", "status", *_LIMIT_COLUMNS.values()]].assign(
        value=values
    )


def _of(rows: pd.DataFrame, family: str, label: str) -> pd.DataFrame:
    return rows[(rows["family"] == family) & (rows["label"] == label)]


def _series(label: str, rows: pd.DataFrame, walls: tuple[Wall, ...]) -> Series:
    spots = _spots(rows)
    failed = rows[rows["status"] != "ok"].drop_duplicates(["steps", "status"])
    return Series(
        label=label,
        spots=spots,
        failures=tuple(
            Failure(steps=int(steps), status=str(status), value=_value_up_to(int(steps), spots))
            for steps, status in sorted(zip(failed["steps"], failed["status"], strict=True))
        ),
        walls=walls,
    )


def _spots(rows: pd.DataFrame) -> tuple[Spot, ...]:
    known = rows.dropna(subset=["value"]).astype({"steps": "int64"})
    by_steps = known.groupby("steps")["value"].agg(["median", "min", "max"])
    return tuple(
        Spot(steps=int(row[0]), median=float(row[1]), low=float(row[2]), high=float(row[3]))
        for row in by_steps.itertuples(name=None)
    )


def _value_up_to(steps: int, spots: Iterable[Spot]) -> float | None:
    values = [spot.median for spot in spots if spot.steps <= steps]
    return values[-1] if values else None


def _marks(walls: Iterable[tuple[str, Certificate]], family: str, label: str) -> tuple[Wall, ...]:
    return tuple(
        Wall(
            status=wall.status,
            limit_bytes=wall.limit_bytes,
            last_ok=wall.last_ok,
            first_oom=wall.first_oom,
            predicted=_misplaced(wall),
            failed=tuple(
                dict.fromkeys(p.steps for p in wall.probes if p.outcome.status is not Status.OK)
            ),
            probes=tuple(
                Spot(steps=p.steps, median=p.peak_bytes, low=p.peak_bytes, high=p.peak_bytes)
                for p in wall.probes
                if p.peak_bytes is not None and p.outcome.status is Status.OK
            ),
        )
        for name, wall in walls
        if name == label and wall.family == family
    )


def _misplaced(wall: Certificate) -> int | None:
    """Return the predicted steps where they are not what was found."""
    return int(wall.predicted) if wall.predicted is not None and prediction_error(wall) else None


def _limits(
    rows: pd.DataFrame,
    walls: Iterable[tuple[str, Certificate]],
    family: str,
    metric: Metric,
) -> tuple[int, ...]:
    limits = {wall.limit_bytes for _, wall in walls if wall.family == family}
    if metric.wall_kind is not None:
        known = rows[rows["family"] == family][_LIMIT_COLUMNS[metric.wall_kind]].dropna()
        limits |= {int(limit) for limit in known}
    return tuple(sorted(limits))
