"""Reading budgets: tables that users write, in a TOML file or as keywords of a pytest marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from profiler.analysis.budgets.budget import BUDGETED_METRICS, Budget
from profiler.errors import StepwallError, UsageError, did_you_mean
from profiler.facts import Schedule
from profiler.parameters import value_text
from profiler.paths import scenario_source
from profiler.planning import points as plan
from profiler.units import parse_size, parse_steps

DEFAULT_STEPS = "8:64:x2"
# One measurement of a noisy metric proves nothing.
NOISY_REPEATS = 3


def read_budgets(document: Mapping[str, Any], where: str) -> list[Budget]:
    """Return the budgets of a TOML document: tables ``[[budget]]`` and ``[defaults]`` for all.

    Args:
        document: as ``tomllib`` reads it.
        where: the file, for messages.

    Raises:
        UsageError: for a key or a value that cannot be used.
    """
    _check_keys(document, ("budget", "defaults", "scenarios"), where)
    tables = document.get("budget", [])
    if not tables or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise UsageError(f"{where}: write one or more [[budget]] tables")
    defaults = document.get("defaults", {})
    if not isinstance(defaults, dict):
        raise UsageError(f"{where}: defaults = {defaults!r}: write a [defaults] table")
    _check_keys(defaults, (*_SETTINGS, *BUDGETED_METRICS), f"{where}, defaults")
    return [
        read_budget({**defaults, **table}, f"{where}, budget {number}")
        for number, table in enumerate(tables, 1)
    ]


def read_budget(table: Mapping[str, Any], where: str) -> Budget:
    """Return the budget that a table of keys and values holds.

    Raises:
        UsageError: for a key or a value that cannot be used.
    """
    _check_keys(table, (*_SETTINGS, *BUDGETED_METRICS), where)
    settings = {key: _read(table, key, where, read) for key, read in _SETTINGS.items()}
    limits = {
        key: _read(table, key, where, BUDGETED_METRICS[key].read)
        for key in table
        if key in BUDGETED_METRICS
    }
    if settings["scenario"] is None:
        raise UsageError(f"{where}: scenario is missing")
    if not limits and settings["limit"] is None:
        raise UsageError(f"{where}: no limit: use one of {', '.join(BUDGETED_METRICS)}")
    schedule = settings["schedule"] or Schedule.SERIAL
    noisy = any(BUDGETED_METRICS[key].metric.is_noisy(schedule) for key in limits)
    return Budget(
        where=where,
        scenario=settings["scenario"],
        steps=tuple(settings["steps"] or parse_steps(DEFAULT_STEPS)),
        conditions=plan.Conditions(
            overrides=settings["parameters"] or {},
            device=settings["device"] or "cpu",
            limit_bytes=settings["limit"],
            schedule=schedule,
        ),
        repeats=settings["repeats"] or (NOISY_REPEATS if noisy else 1),
        limits=limits,
    )


def scenario_paths(given: object, folder: Path, where: str) -> list[str]:
    """Return the scenario files that a budget file or a marker names.

    Args:
        given: a path or several, as the user wrote them.
        folder: what they stand relative to.
        where: the file or the marker, for messages.

    Raises:
        UsageError: if they are no paths, or do not exist.
    """
    names = given if isinstance(given, list | tuple) else [given]
    if not all(isinstance(name, str | Path) for name in names):
        raise UsageError(
            f"{where}: scenarios = {given!r}: write one or more paths, such as ['mine.py']"
        )
    return [scenario_source(f"{where}: scenarios", folder / str(name)) for name in names]


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("write a scenario's name")
    return value


def _steps(value: object) -> list[int]:
    numbers = value if isinstance(value, list | tuple) else [value]
    return parse_steps(",".join(map(str, numbers)))


def _parameters(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UsageError("write a table, such as { units = 256 }")
    return {str(name): value_text(_tuple(item)) for name, item in value.items()}


def _tuple(item: Any) -> Any:
    return tuple(map(_tuple, item)) if isinstance(item, list | tuple) else item


def _device(value: object) -> str:
    return plan.parse_device(str(value))


def _schedule(value: object) -> Schedule:
    try:
        return Schedule(value)
    except ValueError:
        raise UsageError(f"use {' or '.join(item.value for item in Schedule)}") from None


def _limit(value: object) -> int:
    if not isinstance(value, str):
        raise UsageError("write a string with a unit, such as '64MiB'")
    return parse_size(value)


def _repeats(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("write a whole number of 1 or more")
    return value


_SETTINGS: dict[str, Callable[[object], Any]] = {
    "scenario": _name,
    "steps": _steps,
    "parameters": _parameters,
    "device": _device,
    "schedule": _schedule,
    "limit": _limit,
    "repeats": _repeats,
}


def _read(table: Mapping[str, Any], key: str, where: str, read: Callable[[object], Any]) -> Any:
    if key not in table:
        return None
    try:
        return read(table[key])
    except StepwallError as error:
        raise UsageError(f"{where}: {key} = {table[key]!r}: {error}") from None


def _check_keys(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise UsageError(f"{where}: no key {key!r}{did_you_mean(key, allowed)}")
