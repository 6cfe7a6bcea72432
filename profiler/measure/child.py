"""The child process of one job: it reads ``job.json`` from a folder and leaves its result there."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from profiler.errors import ScenarioError, UsageError
from profiler.facts import Outcome, Point, Status, Timeline, from_json, to_json
from profiler.frameworks import Engine, Mode, PredictionRequest, load_engine
from profiler.frameworks.recorder import LOG_FILE, Recorder
from profiler.limits import host_limit
from profiler.measure import outcomes as outcome
from profiler.planning.discovery import discover
from profiler.scenario import Scenario

JOB_FILE = "job.json"
SAMPLE_INTERVAL_S = 0.01
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ASK_PERSONALITY = 0xFFFFFFFF
_ADDR_NO_RANDOMIZE = 0x0040000


def run(folder: Path, parent: int) -> int:
    """Run the job in ``folder`` for process ``parent`` and return the exit code."""
    _redirect_output(folder / LOG_FILE)
    _die_with(parent)
    adopt_orphans()
    _be_first_to_be_killed()
    job = json.loads((folder / JOB_FILE).read_text())
    recorder = Recorder(folder)
    try:
        facts = _TASKS[job["task"]](job, recorder)
    except BaseException as error:  # noqa: BLE001 (whatever a scenario raises is its outcome)
        with contextlib.suppress(Exception):  # the scenario may have closed or filled the log
            traceback.print_exception(error)
        return _report(recorder, _outcome(job, error, recorder))
    return _report(recorder, Outcome(status=Status.OK), **facts)


def _report(recorder: Recorder, ended: Outcome, **facts: Any) -> int:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    try:
        recorder.finish(ended, **facts)
    except OSError:
        return outcome.UNWRITTEN
    return 0


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the one that started it dies (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def fix_addresses(module: str) -> None:
    """Start ``module`` again without address randomisation, where the kernel allows it (Linux).

    TensorFlow keeps graph nodes in sets ordered by address: with random addresses equal
    points may run their nodes in another order, and peak elsewhere.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "personality"):
        return
    current = libc.personality(_ASK_PERSONALITY)
    if current == -1 or current & _ADDR_NO_RANDOMIZE:
        return
    if libc.personality(current | _ADDR_NO_RANDOMIZE) != -1:
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606


def _redirect_output(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _be_first_to_be_killed() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _outcome(job: dict[str, Any], error: BaseException, recorder: Recorder) -> Outcome:
    phase = recorder.phase_name
    if isinstance(error, SystemExit):
        reason = f"the scenario called sys.exit({error.code!r})"
        return Outcome(status=Status.ERROR, phase=phase, reason=reason)
    engine = load_engine(job["engine"])
    cause = engine.cause(error)
    shortage = engine.device_oom(cause, recorder.log_path)
    return outcome.from_exception(cause, phase, shortage=shortage)


def _measure(job: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    point, engine, scenario = _prepared(job, recorder)
    recorder.take_baseline()

    def work() -> BaseException | None:
        try:
            engine.measure(
                point,
                lambda: scenario.build(point.steps, **point.parameters),
                recorder,
                from_json(Mode, job["mode"]),
            )
        except BaseException as error:  # noqa: BLE001 (re-raised by the caller)
            return error
        return None

    facts: dict[str, Any] = {}
    if job["timeline"]:
        error, facts = _sampled(work, recorder)
    else:
        error = work()
    if error is not None:
        recorder.put_all(facts)
        raise error
    return facts


def _sampled(
    work: Callable[[], BaseException | None], recorder: Recorder
) -> tuple[BaseException | None, dict[str, Any]]:
    """Run ``work`` while memory_profiler samples this process's resident memory."""
    from memory_profiler import memory_usage

    began = recorder.now()
    samples, error = memory_usage(
        (work, ()), interval=SAMPLE_INTERVAL_S, timestamps=True, retval=True
    )
    first = samples[0][1] if samples else 0.0
    timeline = Timeline(
        interval_s=SAMPLE_INTERVAL_S,
        time_s=[began + at - first for _, at in samples],
        rss_bytes=[round(mib * (1 << 20)) for mib, _ in samples],
        phases=recorder.began(),
    )
    return error, {"timeline": to_json(timeline)}


def _find(name: str, sources: list[str]) -> Scenario:
    catalog = discover(sources)
    if name in catalog.scenarios:
        return catalog.scenarios[name]
    for broken in catalog.broken:
        raise ScenarioError(broken)
    raise UsageError(f"no scenario {name!r}")


def _prepared(job: dict[str, Any], recorder: Recorder) -> tuple[Point, Engine, Scenario]:
    """Enter the job's limits, set its engine up, and find its scenario."""
    point = from_json(Point, job["point"])
    with recorder.phase("start"):
        if job["host_cap"] is not None:
            recorder.take_meter(host_limit.enter(job["host_cap"]))
        engine = load_engine(job["engine"])
        engine.prepare(point)
        return point, engine, _find(point.scenario, job["sources"])


def _explain(job: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    from profiler.explain.account import Recorded
    from profiler.explain.growth import explain

    point, engine, scenario = _prepared(job, recorder)

    def record(steps: int) -> Recorded:
        return engine.record(steps, lambda: scenario.build(steps, **point.parameters), recorder)

    batch = point.parameters.get("batch")
    explanation = explain(record, point.steps, batch=batch, alone=job["alone"])
    return {"explanation": to_json(explanation)}


def _forecast(job: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    point, engine, scenario = _prepared(job, recorder)
    foresight = engine.forecast(
        point,
        lambda steps: scenario.build(steps, **point.parameters),
        recorder,
        from_json(PredictionRequest, job["horizon"]),
    )
    return {"foresight": to_json(foresight)}


def _catalog(job: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    with recorder.phase("start"):
        catalog = discover(job["sources"])
    return {"catalog": catalog.to_json()}


def _describe(job: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    with recorder.phase("start"):
        return {"describe": load_engine(job["engine"]).describe()}


_TASKS: dict[str, Callable[[dict[str, Any], Recorder], dict[str, Any]]] = {
    "measure": _measure,
    "forecast": _forecast,
    "explain": _explain,
    "catalog": _catalog,
    "describe": _describe,
}


if __name__ == "__main__":
    fix_addresses("profiler.measure.child")
    sys.exit(run(Path(sys.argv[1]), int(sys.argv[2])))
