"""The child process of one job: it reads ``job.json`` from a folder and leaves its result there."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from profiler.errors import PointError, StepwallError, UsageError, error_text, raised_at
from profiler.facts import (
    CardWall,
    Outcome,
    PeakPrediction,
    Point,
    Status,
    Timeline,
    WallPrediction,
    WallPredictions,
    decode,
    replace,
)
from profiler.frameworks import START, MakeSteps, Steps, framework, runtime, steps_maker
from profiler.frameworks.recorder import LOG_FILE, UNWRITTEN, Recorder
from profiler.lengths import STEPS, Lengths, counted
from profiler.limits import host_limit
from profiler.measure import loading, outcomes
from profiler.measure.job import JOB_FILE, Job, Task
from profiler.scenario import Scenario

SAMPLE_INTERVAL_S = 0.01
_VARIES = "what this schedule allocates varies from run to run: there is nothing to replay"


def run(folder: Path) -> int:
    """Run the job in ``folder`` and return the exit code."""
    _redirect_output(folder / LOG_FILE)
    _be_first_to_be_killed()
    job = decode(Job, (folder / JOB_FILE).read_text(encoding="utf-8"))
    recorder = Recorder(folder)
    try:
        _TASKS[job.task](job, recorder)
    except BaseException as error:  # noqa: BLE001 (whatever a scenario raises is its outcome)
        with contextlib.suppress(Exception):  # the scenario may have closed or filled the log
            traceback.print_exception(error)
        return _report(recorder, _outcome(job, error, recorder))
    return _report(recorder, Outcome(status=Status.OK))


def _report(recorder: Recorder, ended: Outcome) -> int:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    try:
        recorder.finish(ended)
    except OSError:
        return UNWRITTEN
    return 0


def _redirect_output(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):  # a locale may lack what a scenario prints
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]


def _be_first_to_be_killed() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def _outcome(job: Job, error: BaseException, recorder: Recorder) -> Outcome:
    """Return how the point ended that raised, with the line of the user's code if it has one."""
    found = _ended(job, error, recorder)
    return replace(found, where=_where(error, job)) if found.status is Status.ERROR else found


def _where(error: BaseException, job: Job) -> str | None:
    if job.file is None:
        return None
    own = loading.own_files(job.file, framework(job.framework))
    return raised_at(error, own.__contains__)


def _ended(job: Job, error: BaseException, recorder: Recorder) -> Outcome:
    phase = recorder.phase_name
    if isinstance(error, SystemExit):
        reason = f"the scenario called sys.exit({error.code!r})"
        return Outcome(status=Status.ERROR, phase=phase, reason=reason)
    if isinstance(error, StepwallError):  # it says all itself
        return Outcome(status=Status.ERROR, phase=phase, reason=error_text(error))
    loaded = runtime(job.framework)
    cause = loaded.cause(error)
    shortage = loaded.out_of_memory(cause, recorder.log_path)
    return outcomes.from_exception(cause, phase, shortage=shortage)


def _measure(job: Job, recorder: Recorder) -> None:
    steps, _ = _prepared(job, recorder)
    recorder.take_baseline()

    def work() -> BaseException | None:
        try:
            steps.measure(job.mode)
        except BaseException as error:  # noqa: BLE001 (re-raised by the caller)
            return error
        return None

    error = _sampled(work, recorder) if job.timeline else work()
    if error is not None:
        raise error


def _sampled(work: Callable[[], BaseException | None], recorder: Recorder) -> BaseException | None:
    """Run ``work`` while memory_profiler samples this process's resident memory."""
    from memory_profiler import memory_usage

    began = recorder.now()
    samples, error = memory_usage(
        (work, ()), interval=SAMPLE_INTERVAL_S, timestamps=True, retval=True
    )
    first = samples[0][1] if samples else 0.0
    recorder.timeline(
        Timeline(
            interval_s=SAMPLE_INTERVAL_S,
            time_s=[began + at - first for _, at in samples],
            rss_bytes=[round(mib * (1 << 20)) for mib, _ in samples],
        )
    )
    found: BaseException | None = error
    return found


def _point(job: Job) -> Point:
    if job.point is None:
        raise UsageError(f"a job to {job.task.value} names no point")
    return job.point


def _prepared(job: Job, recorder: Recorder) -> tuple[Steps, Lengths]:
    """Enter the job's limits, set its framework up, and return its scenario's steps and lengths."""
    point = _point(job)
    with recorder.phase(START):
        if job.host_cap is not None:
            recorder.take_meter(host_limit.enter(job.host_cap))
        loaded = runtime(job.framework)
        loaded.prepare(point)
        scenario = _scenario(job, point.scenario)

    def build(steps: int) -> object:
        if steps == point.steps:
            return scenario.built(steps, point.parameters, point.axis)
        try:
            return scenario.built(steps, point.parameters, point.axis)
        except MemoryError:
            raise
        except Exception as error:
            if loaded.out_of_memory(loaded.cause(error), recorder.log_path) is not None:
                raise
            raise PointError(_at_another_length(error, steps, job)) from error

    steps = _maker(job.framework, scenario)(loaded, point, build, recorder)
    return steps, scenario.lengths.over(point.axis)


def _at_another_length(error: Exception, steps: int, job: Job) -> str:
    """Return what the scenario raised at a length that the user did not ask for, and where."""
    place = _where(error, job)
    where = "" if place is None else f" ({Path(place).name})"
    return f"at {counted(steps, _point(job).axis)}: {error_text(error)}{where}"


def _scenario(job: Job, name: str) -> Scenario:
    if job.file is None:
        raise UsageError(f"scenario {name!r}: no file defines it")
    return loading.load(job.file, framework(job.framework), name)


def _maker(framework_name: str, scenario: Scenario) -> MakeSteps:
    """Return what makes the scenario's steps: by its return annotation, else the first kind's."""
    kinds = framework(framework_name).kinds
    annotated = [kind for kind in kinds if loading.returned_type(kind) is scenario.returns]
    return steps_maker([*annotated, *kinds][0])


def _explain(job: Job, recorder: Recorder) -> None:
    from profiler.explain.growth import explain

    steps, lengths = _prepared(job, recorder)
    explanation = explain(steps.record, _point(job).steps, alone=job.alone, lengths=lengths)
    if lengths.axis != STEPS:  # the equations of cells, and advice, are about time steps
        recorder.answer(replace(explanation, axis=lengths.axis, theory=None))
        return
    try:
        advice = framework(job.framework).advice(explanation)
        explanation = replace(explanation, advice=advice)
    except Exception as error:  # noqa: BLE001 (what holds the peak is known all the same)
        missing = {**explanation.missing, "advice": error_text(error)}
        explanation = replace(explanation, missing=missing)
    recorder.answer(explanation)


def _predict(job: Job, recorder: Recorder) -> None:
    from profiler.forecast.replayed import Forecasts

    steps, lengths = _prepared(job, recorder)
    request = job.request
    if request is None:
        raise UsageError("a job to predict walls names no limits")
    found: list[WallPrediction | str] = [_VARIES] * len(request.limits_bytes)
    peak: PeakPrediction | str = _VARIES
    backprop: PeakPrediction | str = _VARIES
    begin = None
    cards: list[CardWall] = []
    cards_s = 0.0
    forecasts = Forecasts(steps.traces(), lengths)
    caveats = steps.caveats(lengths) if request.changes or request.cards_bytes else []
    varies = not framework(job.framework).repeatable[_point(job).schedule]
    if not varies:
        found = forecasts.walls(request.limits_bytes, request.max_steps)
        if request.closely:
            begin = forecasts.near_wall(found[0], request.limits_bytes[0], request.max_steps)
        at = request.peak_at or _first_wall(found)
        if request.peak:
            peak = forecasts.peak(at) if at else "no wall is predicted"
            backprop = forecasts.backprop(at) if at else peak
        if request.cards_bytes:
            start = time.perf_counter()
            cards = forecasts.cards(request.cards_bytes, caveats)
            cards_s = time.perf_counter() - start
    else:
        kept = forecasts.kept(request.cards_bytes)
        cards = [
            CardWall(limit_bytes=limit, kept_bytes=one, reason=_VARIES)
            for limit, one in zip(request.cards_bytes, kept, strict=True)
        ]
    recorder.answer(
        WallPredictions(
            walls=[None if isinstance(wall, str) else wall for wall in found],
            varies=varies,
            begin=begin,
            reasons=[wall if isinstance(wall, str) else None for wall in found],
            peak=None if isinstance(peak, str) else peak,
            backprop=None if isinstance(backprop, str) else backprop,
            no_peak=peak if isinstance(peak, str) else None,
            caveats=caveats if request.changes else [],
            cards=cards,
            cards_seconds=cards_s,
        )
    )


def _first_wall(found: Sequence[WallPrediction | str]) -> int | None:
    wall = found[0] if found else ""
    return None if isinstance(wall, str) else int(wall.steps)


def _list(job: Job, recorder: Recorder) -> None:
    if job.file is None:
        raise UsageError("a job to list scenarios names no file")
    with recorder.phase(START):
        recorder.answer(loading.listed(job.file, framework(job.framework)))


def _describe(job: Job, recorder: Recorder) -> None:
    with recorder.phase(START):
        recorder.answer(runtime(job.framework).describe())


_TASKS: dict[Task, Callable[[Job, Recorder], None]] = {
    Task.MEASURE: _measure,
    Task.PREDICT: _predict,
    Task.EXPLAIN: _explain,
    Task.LIST: _list,
    Task.DESCRIBE: _describe,
}
