"""The parent's one way to ask children for listings, measurements, explanations, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from profiler.errors import StepwallError, UsageError
from profiler.facts import (
    Explanation,
    FrameworkFacts,
    Measurement,
    Outcome,
    Point,
    RecordError,
    Status,
    WallPredictions,
    decode,
    replace,
)
from profiler.forecast.host import predict_host_wall
from profiler.frameworks import (
    Description,
    Framework,
    Mode,
    PredictionRequest,
    facts,
    installed,
    lacking,
)
from profiler.frameworks.recorder import ChildReport
from profiler.lengths import Lengths
from profiler.measure import outcomes
from profiler.measure.job import Job, Task
from profiler.measure.launcher import ByFramework, JobResult
from profiler.measure.pool import run_all
from profiler.planning.catalog import (
    Catalog,
    FileListing,
    Listing,
    check_present,
    merged,
    unknown_scenario,
)
from profiler.planning.files import ScenarioFile, scenario_files, scenario_names
from profiler.planning.sources import source_hash

T = TypeVar("T")
# Of one file: its scenarios, and a line for each that cannot be used.
_Listed = list[list[Listing] | str]

POINT_TIMEOUT_S = 600.0
_QUERY_TIMEOUT_S = 300.0
_LISTED_AT_ONCE = 4
_FULL = Mode()


@dataclass(kw_only=True)
class Client:
    """Children of each framework that know the user's scenario files.

    Attributes:
        launchers: what starts the children, by framework.
        sources: scenario files and folders, besides the shipped ones.
        timeout_s: seconds after which a point is killed.
    """

    launchers: ByFramework
    sources: tuple[str, ...] = ()
    timeout_s: float = POINT_TIMEOUT_S
    _catalog: Catalog | None = field(default=None, init=False)

    def catalog(self, wanted: Iterable[str] = (), *, installed_too: bool = True) -> Catalog:
        """Return the scenarios by name, and a line for each file or scenario that cannot be used.

        Each file is imported in a child of its own, once per client. Where the user's files, or
        the installed ones that name it, hold all that is wanted, no other file is imported, and
        no framework started that only these need.

        Args:
            wanted: the scenarios that are asked for, all if empty.
            installed_too: False: the user's files alone, whatever is wanted.

        Raises:
            StepwallError: if a framework's children cannot be started.
        """
        if self._catalog is None:
            # A file that is given twice, as alone and in its folder, is one file.
            found = list(dict.fromkeys(scenario_files(self.sources, installed())))
            own = [one for one in found if isinstance(one, str) or not one.is_installed]
            names = set(wanted)
            listed = self._listed(own)
            for some in ([one for one in found if _names(one, names)], found):
                if not installed_too or (names and names <= self._holds(listed)):
                    break
                listed |= self._listed([one for one in some if one not in listed])
            known = self._merged(listed[one] for one in found if one in listed)
            self._catalog = replace(known, absent=_absent(found))
        return self._catalog

    def describe(self, frameworks: Iterable[str]) -> dict[str, FrameworkFacts]:
        """Return what these frameworks say of themselves, by name."""
        return {name: self._described(installed()[name]) for name in dict.fromkeys(frameworks)}

    def measure(self, point: Point, *, mode: Mode = _FULL, timeline: bool = False) -> Measurement:
        """Measure one point in a child of its own; however that ends, it is a measurement.

        Args:
            point: what to measure.
            mode: how to measure it.
            timeline: sample its memory over time.
        """
        job = replace(self._job(Task.MEASURE, point), mode=mode, timeline=timeline)
        found = measurement(point, self._run(job))
        changed = self._changed(point)
        return replace(found, outcome=changed) if changed else found

    def predict_wall(
        self, point: Point, *, max_steps: int, cards: Sequence[int] = ()
    ) -> WallPredictions | Outcome:
        """Return the one wall under the point's limit; where a short run failed, how it ended.

        Args:
            point: the conditions; its steps do not matter.
            max_steps: the largest prediction.
            cards: other limits on the device's memory, under which walls are also predicted.
        """
        if point.host_limit_bytes is not None:
            found = predict_host_wall(
                lambda steps, scaled_to: self.measure(
                    replace(point, steps=steps), mode=Mode(inspect=False, scaled_to=scaled_to)
                ),
                limit_bytes=point.host_limit_bytes,
                max_steps=max_steps,
                lengths=self.lengths(point),
            )
            return found if isinstance(found, Outcome) else WallPredictions(walls=[found])
        if point.limit_bytes is None:
            return WallPredictions(walls=[None])
        request = PredictionRequest(
            limits_bytes=[point.limit_bytes],
            max_steps=max_steps,
            closely=True,
            cards_bytes=list(cards),
        )
        return self.predict_walls(point, request)

    def predict_walls(self, point: Point, request: PredictionRequest) -> WallPredictions | Outcome:
        """Return the point's device wall under each limit; else how the child ended.

        Args:
            point: the conditions; its steps and its own limits do not matter.
            request: the limits, and the largest steps.
        """
        # Under a limit, a recorded length near the wall would run out, after a long retry.
        point = replace(point, limit_bytes=None, host_limit_bytes=None)
        job = replace(self._job(Task.PREDICT, point), request=request)
        found = self._answer(WallPredictions, job)
        return self._changed(point) or found

    def explain(self, point: Point, *, alone: bool = False) -> Explanation | Outcome:
        """Say what is held at the peak of the point's training step; else how its child ended.

        Args:
            point: the training step, run once more with its allocations recorded.
            alone: run no shorter ones to see what a time step adds.
        """
        job = replace(self._job(Task.EXPLAIN, point), alone=alone)
        found = self._answer(Explanation, job)
        return self._changed(point) or found

    def traced(self, measurement: Measurement, *, alone: bool = True) -> Measurement:
        """Return the measurement with the explanation of its peak, or with why it has none."""
        if measurement.outcome.status is not Status.OK:
            return measurement
        found = self.explain(measurement.point, alone=alone)
        if isinstance(found, Explanation):
            return replace(measurement, trace=found)
        missing = {**measurement.missing, "trace": unexplained(found)}
        return replace(measurement, missing=missing)

    def _job(self, task: Task, point: Point) -> Job:
        """Return a job on the point, with the file that holds its scenario.

        Raises:
            UsageError: if no file holds it.
        """
        catalog = self.catalog()
        check_present(catalog, [point.scenario])
        if point.scenario not in catalog.scenarios:
            unknown = unknown_scenario(point.scenario, catalog.scenarios)
            raise UsageError("\n".join([unknown, *catalog.broken]))
        file = catalog.scenarios[point.scenario].file
        return Job(task=task, framework=point.framework, file=file, point=point)

    def lengths(self, point: Point) -> Lengths:
        """Return the lengths that the author of the point's scenario allows."""
        return self.catalog().scenarios[point.scenario].lengths.over(point.axis)

    def _changed(self, point: Point) -> Outcome | None:
        """Return an error if the scenario's source is no longer the point's; asked after its run.

        Children import what is there when they start: what they gave is not of this point.
        """
        listing = self.catalog().scenarios[point.scenario]
        if not point.source or not listing.source_files:
            return None
        try:
            now = source_hash(listing.source_files)
        except OSError:
            now = None
        if now == point.source:
            return None
        reason = f"{listing.file.path}: the source of {point.scenario} changed: start a new run"
        return Outcome(status=Status.ERROR, reason=reason)

    def _listed(self, files: list[ScenarioFile | str]) -> dict[ScenarioFile | str, _Listed]:
        found = run_all(lambda file, _: self._listings(file), files, _LISTED_AT_ONCE)
        return dict(zip(files, found, strict=True))

    def _holds(self, listed: Mapping[ScenarioFile | str, _Listed]) -> set[str]:
        return set(self._merged(listed.values()).scenarios)

    def _merged(self, found: Iterable[_Listed]) -> Catalog:
        listed = [one for of_file in found for one in of_file]
        return merged([*listed, *self._empty_folders(listed)])

    def _listings(self, file: ScenarioFile | str) -> _Listed:
        """Return the scenarios of a file, and a line for each that cannot be used, or for all."""
        if isinstance(file, str):
            return [file]
        needs = lacking(installed()[file.framework])
        if needs is not None:
            return [] if file.is_installed else [f"{file.path}: it {needs}"]
        job = Job(task=Task.LIST, framework=file.framework, file=file)
        found = self._asked(FileListing, job)
        if isinstance(found, Outcome):
            named = (found.reason or "").startswith((file.path, file.module or file.path))
            return [found.reason or "" if named else f"{file.path}: {found.sentence}"]
        nothing = not found.scenarios and not found.broken
        if nothing and not file.is_installed and file.path in self.sources:
            return [f"{file.path}: no scenario in it (decorate a function with @scenario)"]
        return [found.scenarios, *found.broken]

    def _empty_folders(self, listed: Iterable[list[Listing] | str]) -> Iterator[str]:
        """Yield a line on each folder in whose files there is neither a scenario nor an error."""
        found = [
            text
            for one in listed
            for text in ([one] if isinstance(one, str) else [item.file.path for item in one])
        ]
        for source in self.sources:
            if Path(source).is_dir() and not any(
                text.startswith((f"{source}/", f"{source}:")) for text in found
            ):
                yield f"{source}: no scenario in the *.py files of this folder"

    def _described(self, framework: Framework) -> FrameworkFacts:
        job = Job(task=Task.DESCRIBE, framework=framework.name)
        found = self._asked(Description, job)
        if isinstance(found, Outcome):
            raise StepwallError(f"{framework.title} cannot be used: {found.sentence}")
        return facts(framework, found)

    def _run(self, job: Job, timeout_s: float | None = None) -> JobResult:
        launcher = self.launchers[job.framework]
        return launcher.run(job, timeout_s=timeout_s or self.timeout_s)

    def _asked(self, kind: type[T], job: Job) -> T | Outcome:
        """Return the answer of a child that is asked about no point.

        One that was killed is asked again: if that came from without, the question is a good one.
        """
        found = self._answer(kind, job, timeout_s=_QUERY_TIMEOUT_S)
        if isinstance(found, Outcome) and found.was_killed:
            return self._answer(kind, job, timeout_s=_QUERY_TIMEOUT_S)
        return found

    def _answer(self, kind: type[T], job: Job, timeout_s: float | None = None) -> T | Outcome:
        """Return the child's answer, or how it ended without one."""
        ended = self._run(job, timeout_s)
        report, end = _read(ended)
        if report is None or not report.answer or end.status is not Status.OK:
            return end
        try:
            return decode(kind, report.answer)
        except RecordError as error:
            return outcomes.unreadable(ended.exit, error)


def _names(file: ScenarioFile | str, wanted: set[str]) -> bool:
    """Whether the text of an installed file has a scenario that is wanted."""
    if isinstance(file, str) or not file.is_installed or not wanted:
        return False
    return not wanted.isdisjoint(scenario_names(Path(file.path)))


def _absent(files: Iterable[ScenarioFile | str]) -> dict[str, str]:
    """Return what the installed scenarios need whose framework is not there, by their names."""
    found = [one for one in files if isinstance(one, ScenarioFile) and one.is_installed]
    needs = {name: lacking(installed()[name]) for name in {file.framework for file in found}}
    return {
        name: text
        for file in found
        if (text := needs[file.framework]) is not None
        for name in scenario_names(Path(file.path))
    }


def unexplained(ended: Outcome) -> str:
    """Return why a training step has no explanation, from how the child that made it ended."""
    return f"the run that records the allocations ended with {ended.status.value}: {ended.reason}"


def measurement(point: Point, ended: JobResult) -> Measurement:
    """Return what a child's end says of its point; what cannot be read counts as nothing."""
    report, end = _read(ended)
    if point.host_limit_bytes is not None:
        end = outcomes.of_host(end, ended.exit, on_gpu=point.on_card)
    if report is not None and end.status is Status.OK and report.device is None:
        end = outcomes.unreadable(ended.exit, "it says ok, but reports no device memory")
    found = report or ChildReport()
    return Measurement(
        point=point,
        outcome=end,
        seconds=ended.seconds,
        phases=found.phases,
        graph=found.graph,
        step=found.step,
        device=found.device,
        host=found.host,
        timeline=found.timeline,
        missing=found.missing,
        notes=found.notes,
        fed_shapes=found.fed_shapes,
        log_tail=None if end.status is Status.OK else ended.log_tail,
    )


def _read(ended: JobResult) -> tuple[ChildReport | None, Outcome]:
    """Return what a child left, None where that is no report, and how it ended."""
    report: ChildReport | None = None
    unreadable: RecordError | None = None
    if ended.report:
        try:
            report = decode(ChildReport, ended.report)
        except RecordError as error:
            unreadable = error
    if report is not None and report.outcome is not None and ended.exit.timed_out_s is None:
        return report, report.outcome
    if unreadable is not None and ended.exit.timed_out_s is None:
        return None, outcomes.unreadable(ended.exit, unreadable)
    phase = report.last_phase if report else None
    return report, outcomes.from_exit(ended.exit, phase, log_tail=ended.log_tail)
