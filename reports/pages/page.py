"""One self-contained HTML page out of a run: data first, then one template."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jinja2

from profiler.analysis.results import RunResults
from profiler.facts import Certificate, FrameworkFacts, Measurement, Run, Status, WallStatus
from profiler.lengths import STEPS, counted
from profiler.parameters import describe_parameters
from reports.tables.grid import Grid, measurement_grid, outcome_sentence, probe_grid, wall_grid
from reports.tables.laws import law_grid
from reports.tables.trade_offs import NOTE, TradeOffTable, trade_off_tables
from reports.tables.versus import versus_grid
from reports.texts.certificate import (
    confirmation_text,
    held_text,
    learned_text,
    limit_text,
    miss_text,
    peaks_text,
    predicted_text,
    price_text,
    room_text,
    wall_schedules_text,
    zone_text,
)
from reports.texts.explanation import ExplanationSection, explained_steps, explanation_section
from reports.texts.findings import Findings, findings
from reports.texts.numbers import DASH, axes_text, bytes_text, count_text, steps_text

__all__ = ["FailedPoint", "Gap", "Page", "Picture", "Pictures", "WallCard", "page", "render"]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A plot as SVG bytes, with its heading and its line of explanation."""

    name: str
    title: str
    caption: str
    svg: bytes

    @property
    def address(self) -> str:
        """The picture as a data address: separate documents, so that SVG ids cannot clash."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode()


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The plots of the whole run: of walls over parameters, laws, choices, each explanation."""

    whole: Sequence[Picture] = ()
    walls: Sequence[Picture] = ()
    laws: Sequence[Picture] = ()
    choices: Sequence[Picture] = ()
    explaining: Mapping[str, Sequence[Picture]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WallCard:
    """One wall certificate as texts; ends and prediction are None where unknown."""

    label: str
    axis: str
    status: str
    proof: str
    conditions: str
    survives: str | None
    runs_out: str | None
    predicted: str | None
    facts: tuple[tuple[str, str], ...]
    probes: Grid


@dataclass(frozen=True, kw_only=True)
class FailedPoint:
    """One failed point: which, how it ended, what the framework said of it, the last lines."""

    label: str
    steps: str
    ending: str
    said: str | None
    log_tail: str | None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A field that some points do not have, or a note on them, and why."""

    field: str
    reason: str
    points: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything that the page shows, as texts."""

    name: str
    date: str
    axes: str
    swept: tuple[tuple[str, str], ...]
    summary: str
    command: str
    findings: Findings
    walls: tuple[WallCard, ...]
    wall_table: Grid
    table: Grid
    laws: Grid
    versus: Grid
    trade_offs: tuple[TradeOffTable, ...]
    trade_off_note: str
    explanations: tuple[ExplanationSection, ...]
    failures: tuple[FailedPoint, ...]
    gaps: tuple[Gap, ...]
    environment: tuple[tuple[str, str], ...]


_PROOFS = {
    WallStatus.EXACT: "both ends were really run",
    WallStatus.BAND: "each end held every time; outcomes in between varied from run to run",
    WallStatus.AT_LEAST: "nothing failed up to the most that was allowed",
    WallStatus.AT_MOST: "even the first length ran out",
    WallStatus.UNPROVEN: "the first failing run was no memory failure",
}


_SWEPT = {STEPS: "The number of time steps of the sequence: what is varied."}
_OTHER_SWEPT = "What is varied: the first argument of the scenario's function."


def page(results: RunResults) -> Page:
    """Return the texts of a run's page."""
    run = results.run
    return Page(
        name=run.name,
        date=_date(run.created_at),
        axes=axes_text(results.axes),
        swept=tuple((axis, _SWEPT.get(axis, _OTHER_SWEPT)) for axis in results.axes),
        summary=_summary(run),
        command=run.command,
        findings=findings(results),
        walls=tuple(
            _wall_card(label, wall, run.framework(wall.framework)) for label, wall in results.walls
        ),
        wall_table=wall_grid(results),
        table=measurement_grid(results),
        laws=law_grid(results),
        versus=versus_grid(results),
        trade_offs=tuple(trade_off_tables(results)),
        trade_off_note=NOTE,
        explanations=tuple(map(explanation_section, explained_steps(results))),
        failures=tuple(
            _failed_point(label, m)
            for label, m in results.measurements
            if m.outcome.status.is_failure
        ),
        gaps=_gaps(results.measurements),
        environment=_environment(run),
    )


def render(data: Page, pictures: Pictures) -> str:
    """Return the page as one HTML document that needs no other file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("reports.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(page=data, pictures=pictures)


def _summary(run: Run) -> str:
    skipped = sum(m.outcome.status is Status.SKIPPED for m in run.measurements)
    count = len(run.measurements) - skipped
    scenarios = len(
        {*(m.point.scenario for m in run.measurements), *(wall.scenario for wall in run.walls)}
    )
    parts = [
        f"{count_text(count)} measurement{_plural(count)}",
        f"{scenarios} scenario{_plural(scenarios)}",
        f"{len(run.walls)} wall{_plural(len(run.walls))}",
    ]
    if skipped:
        parts.append(f"{count_text(skipped)} point{_plural(skipped)} skipped")
    if not run.finished:
        parts.append("interrupted: some points are not measured yet")
    return " · ".join(parts)


def _date(stamp: str) -> str:
    zone = " UTC" if stamp.endswith(("+00:00", "Z")) else ""
    return stamp[:16].replace("T", " ") + zone


def _plural(count: int) -> str:
    return "" if count == 1 else "s"


def _failed_point(label: str, measurement: Measurement) -> FailedPoint:
    shortage = measurement.outcome.shortage
    return FailedPoint(
        label=label,
        steps=steps_text(measurement.point.steps, measurement.point.axis),
        ending=outcome_sentence(measurement.outcome),
        said="\n".join(shortage.lines) if shortage else None,
        log_tail=measurement.log_tail,
    )


def _wall_card(label: str, wall: Certificate, framework: FrameworkFacts) -> WallCard:
    return WallCard(
        label=label,
        status=wall.status.value.replace("_", " "),
        proof=wall.reason or _PROOFS[wall.status],
        conditions=f"{wall.kind} memory limited to {limit_text(wall)} · {wall.device} · "
        f"{wall.schedule.value} · {describe_parameters(wall.parameters)}",
        survives=None if wall.last_ok is None else count_text(wall.last_ok),
        axis=wall.axis,
        runs_out=None if wall.first_oom is None else count_text(wall.first_oom),
        predicted=_prediction(wall),
        facts=tuple(_wall_facts(wall, framework)),
        probes=probe_grid(wall),
    )


def _prediction(wall: Certificate) -> str | None:
    if wall.predicted is None:
        return None
    return "predicted " + ": ".join(filter(None, (_predicted_steps(wall), miss_text(wall))))


def _predicted_steps(wall: Certificate) -> str:
    predicted = predicted_text(wall)
    return DASH if predicted is None else counted(predicted, wall.axis)


def _wall_facts(wall: Certificate, framework: FrameworkFacts) -> list[tuple[str, str]]:
    failure = wall.failure
    words = failure.outcome.reason if failure and failure.outcome.shortage else None
    facts = [
        ("predicted", ", ".join(filter(None, (_predicted_steps(wall), learned_text(wall))))),
        ("error of the prediction", miss_text(wall) or DASH),
        ("peak of the survivor", peaks_text(wall) or DASH),
        ("what holds it", held_text(wall, framework)),
        ("in the parallel schedule", wall_schedules_text(wall, framework)),
        ("between the two", zone_text(wall)),
        ("the failing run", outcome_sentence(failure.outcome) if failure else DASH),
        ("left unused", room_text(wall)),
        ("in the framework's words", words),
        ("confirmation", confirmation_text(wall)),
        ("price of the search", price_text(wall)),
    ]
    return [(name, text) for name, text in facts if text is not None]


def _gaps(labelled: Sequence[tuple[str, Measurement]]) -> tuple[Gap, ...]:
    """Group the missing fields and the notes by their reason, and name the points."""
    found: dict[tuple[str, str], list[str]] = {}
    for label, m in labelled:
        lines = [*m.missing.items(), *(("note", note) for note in m.notes)]
        for line in lines:
            at = steps_text(m.point.steps, m.point.axis)
            found.setdefault(line, []).append(f"{label} at {at}")
    return tuple(
        Gap(field=field, reason=reason, points=_named(points))
        for (field, reason), points in found.items()
    )


def _named(points: Sequence[str]) -> str:
    shown = ", ".join(points[:3])
    return shown if len(points) <= 3 else f"{shown} and {len(points) - 3} more"  # noqa: PLR2004


def _environment(run: Run) -> tuple[tuple[str, str], ...]:
    machine = run.environment
    frameworks = machine.frameworks.values()
    rows = [
        ("stepwall", machine.stepwall),
        *((one.title, one.versions_text) for one in frameworks),
        ("Python", machine.python),
        ("platform", machine.platform),
        ("processor", f"{machine.cpu} · {machine.cpu_count} cores"),
        ("memory", bytes_text(machine.memory_bytes)),
        ("devices", ", ".join(dict.fromkeys(name for one in frameworks for name in one.devices))),
        ("source", machine.source or ""),
    ]
    return tuple((name, value) for name, value in rows if value)
