"""What the commands said of a corpus scenario, turned into one row per check.

Plain functions over the documents that ``--json`` writes: nothing is run here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]
Cell = float | str | None

BUG = 1
# How both ends of a wall were found, by its status.
PROVEN = {"exact": "run", "replayed": "replayed"}
REFUSED = (2, 4)
# Of a scenario's graph and device memory, everything repeats exactly in the serial schedule.
_EXACT_GROUPS = ("graph", "device")
_TIMED = ("seconds",)
# Operations by which a graph changes a variable; what assigns initial values is left out.
_UPDATES = ("ResourceApply", "AssignSubVariableOp", "ResourceScatterSub")
# Assignments of these change a variable in a loop or a function's body as well.
_CHANGES = ("+", "-", "!", "*")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scenario of the corpus: its file, the lengths that are measured, the wall's limit.

    ``updates``: how often a training step changes a trainable variable, where the graph
    trains itself. ``multiple_of`` and ``at_least``: the lengths that its author allows.
    ``refuses``: what its code says at other lengths, where its author does not declare them.
    ``largest``: the role that must hold most at the longest length, where dimensions say so.
    """

    name: str
    file: str
    steps: tuple[int, ...]
    limit: str
    updates: int | None = None
    multiple_of: int = 1
    at_least: int = 1
    refuses: str | None = None
    largest: str | None = None

    @property
    def far(self) -> int:
        """The length that is predicted: 8 times the longest that is measured."""
        return 8 * self.steps[-1]

    def allows(self, steps: int) -> bool:
        """Say whether the author allows that length."""
        return steps >= self.at_least and steps % self.multiple_of == 0


@dataclass(frozen=True, kw_only=True)
class Done:
    """One command that ended: its exit code, what it wrote on stderr, its JSON document."""

    exit: int
    stderr: str = ""
    seconds: float = 0.0
    document: Any = None

    @property
    def why(self) -> str:
        """The last line on stderr that says anything."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.exit}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one check says of one scenario.

    ``holds`` is None where nothing is told; ``why`` says why, or what does not hold.
    """

    name: str
    holds: bool | None
    cells: Mapping[str, Cell] = field(default_factory=dict)
    why: str = ""


def isolation(case: Case, alone: Done, together: Done) -> Row:
    """Compare each point of the scenario's own run with that of the run of all files."""
    mine, others = _by_steps(alone, case.name), _by_steps(together, case.name)
    common = sorted(mine.keys() & others.keys())
    if not common:
        return Row(name=case.name, holds=None, why=_failed(alone, together))
    differing = [
        f"{name} at {steps:,} steps: {here} alone, {there} together"
        for steps in common
        for name, here, there in differences(mine[steps], others[steps])
    ]
    return Row(
        name=case.name,
        holds=not differing,
        cells={"points": len(common), "differing": len(differing)},
        why=differing[0] if differing else "",
    )


def differences(one: Document, other: Document) -> list[tuple[str, Any, Any]]:
    """Return ``(name, value, value)`` of all graph and device numbers that differ."""
    outcomes = (one["outcome"]["status"], other["outcome"]["status"])
    if outcomes[0] != outcomes[1]:
        return [("outcome", *outcomes)]
    left, right = ({g: dict(flat(d.get(g))) for g in _EXACT_GROUPS} for d in (one, other))
    return [
        (f"{group}.{name}", left[group].get(name), right[group].get(name))
        for group in _EXACT_GROUPS
        for name in sorted(left[group].keys() | right[group].keys())
        if left[group].get(name) != right[group].get(name)
    ]


def flat(value: Any, name: str = "") -> Iterable[tuple[str, Any]]:
    """Yield ``(dotted name, number or text)`` of everything in a JSON value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{name}[{index}]")
    else:
        yield name, value


def trained_once(case: Case, alone: Done) -> Row:
    """Count how often the graph updates trainable variables; a refusal in words is fine, too."""
    points = _by_steps(alone, case.name)
    told = [point for point in points.values() if point["outcome"]["status"] == "ok"]
    if not told:
        reasons = [point["outcome"].get("reason") for point in points.values()]
        said = next((reason for reason in reasons if reason), None)
        return Row(name=case.name, holds=bool(said), why=said or _failed(alone))
    found = {update_count(point) for point in told}
    return Row(
        name=case.name,
        holds=found == {case.updates},
        cells={"updates": max(found), "expected": case.updates},
        why="" if found == {case.updates} else "the step holds a second update",
    )


def update_count(point: Document) -> int:
    """Return how many operations of the graph and its functions update a variable."""
    stages = {stage["name"]: stage.get("by_op") or {} for stage in point["graph"]["stages"]}
    kept = (stages[name] for name in ("built", "library") if name in stages)
    return sum(count for by_op in kept for op, count in by_op.items() if op.startswith(_UPDATES))


def roles(case: Case, explained: Done) -> Row:
    """Compare the sum of all roles with the allocator's peak, and tell what has no role."""
    trace = (explained.document or {}).get("trace")
    if trace is None:
        return Row(name=case.name, holds=None, why=explained.why)
    total, peak = sum(trace["by_role"].values()), trace["allocator_peak_bytes"]
    unclassified = trace["by_role"].get("unclassified", 0) / total
    largest = max(trace["by_role"].items(), key=lambda item: item[1])
    equal = total == trace["peak_bytes"] == peak
    why = "" if equal else f"the roles add up to {total:,} B, the allocator says {peak:,} B"
    if case.largest not in {None, largest[0]}:
        why = f"most is {case.largest}, by its dimensions"
    return Row(
        name=case.name,
        holds=not why and unclassified <= 0.10,
        cells={
            "peak": peak,
            "sum": total,
            "unclassified": unclassified,
            "largest": f"{100 * largest[1] / total:.0f} % {largest[0]}",
        },
        why=why,
    )


def explains(case: Case, explained: Done) -> Row:
    """Tell whether ``explain`` ended well or was refused in words."""
    refused = explained.exit in REFUSED and "this is a bug" not in explained.stderr
    words = bool(explained.stderr.strip())
    return Row(
        name=case.name,
        holds=explained.exit == 0 or (refused and words),
        cells={"exit": explained.exit},
        why="" if explained.exit == 0 else explained.why,
    )


def wall_forecast(case: Case, predicted: Done, wall: Done) -> Row:
    """Compare the wall that ``predict`` gives with the one that was really found."""
    found = wall.document or {}
    if found.get("status") not in PROVEN:
        said = found.get("reason") or wall.why
        return Row(name=case.name, holds=None, why=f"no exact wall: {said}")
    last_ok, first_oom = found["last_ok"], found["first_oom"]
    cells: dict[str, Cell] = {
        "measured": case.steps[-1],
        "limit": case.limit,
        "survives": last_ok,
        "proof": PROVEN[found["status"]],
        "times": last_ok / case.steps[-1],
    }
    told = (predicted.document or {}).get("wall")
    if told is None:
        why = (predicted.document or {}).get("no_wall") or predicted.why
        return Row(name=case.name, holds=None, cells=cells, why=why)
    inside = told["low"] < first_oom and told["high"] >= last_ok
    error = wall_error(told["steps"], last_ok)
    span = (told["high"] - told["low"]) / (2 * told["steps"])
    recorded = max(told.get("learned_from") or [0])
    cells |= {"predicted": told["steps"], "span": span, "error": error, "recorded": recorded}
    return Row(
        name=case.name,
        holds=inside,
        cells=cells,
        why="" if inside else f"outside {told['low']:,.1f} to {told['high']:,.1f}",
    )


def wall_error(predicted: float, last_ok: int) -> float:
    """Return how far the predicted wall is from the real one; every part of a step is right."""
    return (math.floor(predicted) - last_ok) / last_ok


def value_forecast(case: Case, metric: str, predicted: Done, truth: float | None) -> Row:
    """Compare what ``predict`` gives of one metric with what was really measured."""
    values = {value["metric"]: value for value in (predicted.document or {}).get("values", [])}
    if truth is None:
        return Row(name=case.name, holds=None, why="it could not be measured at that length")
    if metric not in values:
        return Row(name=case.name, holds=None, why=predicted.why)
    told = values[metric]
    if told["value"] is None:
        return Row(name=case.name, holds=None, cells={"real": truth}, why=told["reason"] or "")
    inside = told["low"] <= truth <= told["high"]
    error = 0.0 if told["value"] == truth else told["value"] / truth - 1 if truth else math.inf
    span = (told["high"] - told["low"]) / (2 * told["value"]) if told["value"] else 0.0
    return Row(
        name=case.name,
        holds=inside,
        cells={"predicted": told["value"], "real": truth, "span": span, "error": error},
        why="" if inside else f"outside {told['low']:,.0f} to {told['high']:,.0f}",
    )


def price(case: Case, wall: Done) -> Row:
    """Return what the search cost in units of the two runs that prove its wall."""
    found = wall.document or {}
    if found.get("price") is None:
        return Row(name=case.name, holds=None, why=found.get("reason") or wall.why)
    failed = [probe for probe in found["probes"] if probe["outcome"] != "ok"]
    return Row(
        name=case.name,
        holds=found["price"] <= 4,
        cells={
            "price": found["price"],
            "probes": len(found["probes"]),
            "failed": len(failed),
            "seconds": found["seconds"],
        },
    )


def only_allowed(case: Case, done: Mapping[str, Done]) -> Row:
    """Tell which commands failed on a scenario that rules out some lengths, or ran such ones.

    Where its author does not declare them, its own error is what a command must say.
    """
    codes = {name: one.exit for name, one in done.items()}
    bad = {name: one.why for name, one in done.items() if one.exit != 0 and not _refused(case, one)}
    wall = done.get("wall")
    probes = (wall.document or {}).get("probes", []) if wall else []
    ran = {p["steps"] for p in probes if p["outcome"] != "error"}
    ruled_out = sorted(steps for steps in ran if not case.allows(steps))
    return Row(
        name=case.name,
        holds=not bad and not ruled_out,
        cells={**codes, "rule": _rule(case)},
        why="; ".join(f"{name}: {why}" for name, why in bad.items())
        or (f"ran {ruled_out[0]} steps" if ruled_out else ""),
    )


def _refused(case: Case, done: Done) -> bool:
    """Say whether a command ended with what the scenario's own code says of a length."""
    said = f"{done.stderr} {(done.document or {}).get('reason')}"
    return done.exit == REFUSED[1] and case.refuses is not None and case.refuses in said


def comparison(name: str, compared: Done) -> Row:
    """Tell whether a comparison of two equal runs claims any change."""
    if compared.document is None:
        return Row(name=name, holds=None, why=compared.why)
    rows = compared.document["rows"]
    told = [row for row in rows if row["mark"] in _CHANGES]
    first = f"{told[0]['scenario']}: {told[0]['metric']} {told[0]['mark']}" if told else ""
    return Row(
        name=name, holds=not told, cells={"numbers": len(rows), "changes": len(told)}, why=first
    )


def _rule(case: Case) -> str:
    multiple = f"multiples of {case.multiple_of}" if case.multiple_of > 1 else ""
    least = f"at least {case.at_least}" if case.at_least > 1 else ""
    return ", ".join(filter(None, (multiple, least)))


def _by_steps(done: Done, name: str) -> dict[int, Document]:
    found: Sequence[Document] = (done.document or {}).get("measurements", [])
    return {point["steps"]: point for point in found if point["scenario"] == name}


def _failed(*done: Done) -> str:
    return next((one.why for one in done if one.exit), "no point was measured")
