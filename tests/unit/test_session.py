"""However a child ends, and whatever it left, its point has a measurement."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.errors import StepwallError
from profiler.facts import HostMemory, Measurement, Outcome, Status, Times, from_json, to_json
from profiler.frameworks import Mode
from profiler.measure.client import Session, measurement
from profiler.measure.launcher import JobResult
from profiler.measure.outcomes import ProcessEnd
from profiler.scenario import Parameter

POINT = samples.measured().point
SECONDS = 2.5


def _ended(
    facts: dict[str, Any], *, status: int = 0, timed_out_s: float | None = None
) -> JobResult:
    return JobResult(
        facts=facts,
        exit=ProcessEnd(wait_status=status, timed_out_s=timed_out_s),
        seconds=SECONDS,
        log_tail="the last words",
    )


def _facts(outcome: Outcome) -> dict[str, Any]:
    """Return what a child that reported ``outcome`` leaves behind."""
    full = samples.measured()
    groups = {name: to_json(getattr(full, name)) for name in ("graph", "time", "device", "host")}
    extra = {"missing": {"device.x": "why"}, "notes": ["a remark"], "phase": "steady"}
    return {**groups, **extra, "outcome": to_json(outcome)}


class _FakeLauncher:
    """Ends every job as it is told, and remembers the jobs."""

    def __init__(self, ended: JobResult) -> None:
        self.ended = ended
        self.jobs: list[tuple[dict[str, Any], float]] = []

    def run(self, job: dict[str, Any], *, timeout_s: float) -> JobResult:
        """Return the end that was prepared."""
        self.jobs.append((job, timeout_s))
        return self.ended


def test_a_point_that_ended_well_has_all_its_facts() -> None:
    """Its output is noise and is not kept."""
    full = samples.measured()
    found = measurement(POINT, _ended(_facts(samples.OK)))

    assert found == Measurement(
        point=POINT,
        outcome=samples.OK,
        seconds=SECONDS,
        graph=full.graph,
        time=full.time,
        device=full.device,
        host=full.host,
        missing={"device.x": "why"},
        notes=["a remark"],
        log_tail=None,
    )


def test_a_point_that_failed_keeps_facts_and_last_words() -> None:
    """The outcome that the child wrote is taken as it is."""
    found = measurement(POINT, _ended(_facts(samples.OOM)))

    assert found.outcome == samples.OOM
    assert found.graph == samples.measured().graph
    assert found.log_tail == "the last words"


def test_a_child_that_died_leaves_what_it_had() -> None:
    """The phase that it had reached is the phase it died in."""
    facts = {"missing": {}, "notes": [], "phase": "gradients", "time": {"build_forward_s": 0.5}}
    found = measurement(POINT, _ended(facts, status=signal.SIGSEGV))

    assert found.outcome == Outcome(
        status=Status.CRASHED, phase="gradients", reason="died of SIGSEGV", signal="SIGSEGV"
    )
    assert found.time == Times(build_forward_s=0.5)
    assert (found.graph, found.device, found.host) == (None, None, None)
    assert found.log_tail == "the last words"


def test_a_child_that_left_nothing_is_a_measurement_too() -> None:
    """It exited with code 3 and not one fact."""
    found = measurement(POINT, _ended({}, status=3 << 8))

    assert found.outcome.status is Status.CRASHED
    assert (found.outcome.exit_code, found.outcome.phase) == (3, None)
    assert (found.missing, found.notes) == ({}, [])
    assert found.seconds == SECONDS


def test_a_child_that_was_killed_for_its_time_timed_out_whatever_it_wrote() -> None:
    """It may have written its outcome and then hung."""
    found = measurement(POINT, _ended(_facts(samples.OK), status=signal.SIGKILL, timed_out_s=9.0))

    assert found.outcome == Outcome(
        status=Status.TIMEOUT, phase="steady", reason="still running after 9 s"
    )
    assert found.log_tail == "the last words"


_GROUPS = ["outcome", "graph", "time", "device", "host", "timeline", "missing", "notes", "phase"]
_FIELDS = ["status", "ok", "by_op", "forward_nodes", "fed_bytes", "baseline_bytes", "time_s"]
_NAMES = st.sampled_from([*_GROUPS, *_FIELDS])
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=6),
)


@given(st.dictionaries(_NAMES, _ANY_JSON))
def test_whatever_a_child_wrote_there_is_a_measurement(facts: dict[str, Any]) -> None:
    """It can be stored and comes back as it was."""
    found = measurement(POINT, _ended(facts))

    assert from_json(Measurement, to_json(found)) == found
    assert found.outcome.status is not Status.OK or found.device is not None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"outcome": 7}, "'7' where dict was expected"),
        ({"outcome": {"status": "splendid"}}, "'splendid' is not a valid Status"),
        ({"outcome": {}}, "missing 1 required keyword-only argument: 'status'"),
        ({"outcome": {"status": "ok"}}, "it says ok, and nothing of the device's memory"),
        ({"device": {"fed_bytes": "many"}}, "'many' where int was expected"),
        ({"device": {"fed_bytes": True}}, "'True' where int was expected"),
        ({"time": {"build_forward_s": None}}, "'None' where float was expected"),
        ({"graph": []}, "'[]' where dict was expected"),
        ({"notes": "text"}, "'text' where list was expected"),
        ({"missing": ["why"]}, "where dict was expected"),
        ({"timeline": {"interval_s": 1, "time_s": 7}}, "'7' where list was expected"),
    ],
)
def test_facts_of_another_shape_are_a_crash_that_says_so(facts: dict[str, Any], why: str) -> None:
    """None of them is kept: who wrote one wrong thing may have written more."""
    good = {"phase": "build", "host": {"baseline_bytes": 7}}
    found = measurement(POINT, _ended(good | facts, status=3 << 8))
    end = found.outcome

    assert (end.status, end.exit_code, found.host) == (Status.CRASHED, 3, None)
    assert str(end.reason).startswith("left an unreadable result: ")
    assert why in str(end.reason)
    assert found.log_tail == "the last words"


def test_what_a_newer_child_adds_is_ignored() -> None:
    """Groups and fields alike."""
    facts = {"host": {"baseline_bytes": 7, "inspect_peak_bytes": 8}, "from_the_future": {}}
    found = measurement(POINT, _ended(facts))

    assert found.host == HostMemory(baseline_bytes=7)


def test_measuring_sends_the_point_and_the_sources() -> None:
    """The job is plain JSON; the session's time limit goes with it."""
    launcher = _FakeLauncher(_ended(_facts(samples.OK)))
    session = Session(launcher=launcher, sources=("mine.py",), timeout_s=33.0)
    found = session.measure(POINT, mode=Mode(inspect=False), timeline=True)

    assert found.outcome == samples.OK
    assert launcher.jobs == [
        (
            {
                "task": "measure",
                "engine": "tensorflow",
                "sources": ["mine.py"],
                "point": to_json(POINT),
                "mode": {"inspect": False, "whole": True, "like": None},
                "timeline": True,
            },
            33.0,
        )
    ]


def test_the_catalog_comes_from_a_child() -> None:
    """Scenarios by name, and a line for each file that cannot be used."""
    toy = {
        "name": "toy",
        "family": "toys",
        "summary": "Build a toy.",
        "parameters": [{"name": "batch", "type": "int", "default": 32, "choices": []}],
        "source": "toys.py:1",
    }
    facts = {"catalog": {"scenarios": [toy], "broken": ["odd.py: why"]}}
    found, broken = Session(launcher=_FakeLauncher(_ended(facts))).catalog()

    assert found["toy"].parameters == [Parameter(name="batch", type="int", default=32)]
    assert broken == ["odd.py: why"]


def test_the_description_comes_from_a_child() -> None:
    """Versions and devices as the framework sees them."""
    description = {"versions": {"tensorflow": "2.21.0"}, "devices": ["CPU:0"]}
    launcher = _FakeLauncher(_ended({"describe": description}))

    assert Session(launcher=launcher).describe() == description


@pytest.mark.parametrize("ask", [Session.catalog, Session.describe])
def test_a_question_that_its_child_does_not_survive_is_one_error(ask: Any) -> None:
    """The reason, and the child's last words below it."""
    launcher = _FakeLauncher(_ended({}, status=signal.SIGSEGV))
    with pytest.raises(StepwallError) as caught:
        ask(Session(launcher=launcher))

    assert str(caught.value) == ("the framework's child failed: died of SIGSEGV\nthe last words")
