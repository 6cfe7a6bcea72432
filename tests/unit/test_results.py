"""Facts survive JSON unchanged, and their derived numbers follow from their fields."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts import (
    Certificate,
    DeviceMemory,
    Environment,
    GraphSize,
    HostMemory,
    Measurement,
    Outcome,
    Point,
    Probe,
    Run,
    Schedule,
    Shortage,
    Status,
    Timeline,
    Times,
    WallStatus,
    from_json,
    to_json,
)
from profiler.scenario import Parameter

POINT = Point(scenario="toy", family="toys", parameters={"batch": 32, "deep": True}, steps=8)
TIMELINE = Timeline(interval_s=0.01, time_s=[0.0, 0.5], rss_bytes=[1, 2], phases={"build": 0.25})
FULL = replace(
    samples.measured(),
    timeline=TIMELINE,
    missing={"device.peak_bytes": "why"},
    notes=["a remark"],
    log_tail="the end",
)


def _through_json(fact: Any) -> Any:
    return from_json(type(fact), json.loads(json.dumps(to_json(fact))))


@pytest.mark.parametrize(
    "fact",
    [
        POINT,
        replace(POINT, limit_bytes=1 << 26, schedule=Schedule.PARALLEL, repeat=2),
        samples.OK,
        samples.OOM,
        Shortage(),
        Outcome(status=Status.CRASHED, signal="SIGSEGV", exit_code=3),
        samples.graph(176),
        GraphSize(forward_nodes=1, backward_nodes=2, total_nodes=3, by_op={}),
        Times(build_forward_s=0.5),
        DeviceMemory(fed_bytes=0),
        HostMemory(),
        TIMELINE,
        FULL,
        samples.failed(samples.measured()),
        Probe(steps=8, outcome=samples.OOM, seconds=11.5),
        *(samples.wall(status=status) for status in WallStatus),
        samples.wall(last_ok=None, status=WallStatus.AT_MOST),
        samples.ENVIRONMENT,
        samples.run([FULL], [samples.wall()]),
        Parameter(name="cell", type="str", default="a", choices=("a", "b")),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_every_fact_comes_back_from_json_as_it_was(fact: Any) -> None:
    """Enums, nested facts, lists, tuples, Nones and numbers included."""
    assert _through_json(fact) == fact


counts = st.integers(0, 1 << 50)
maybe = st.none() | counts
seconds = st.floats(0, 1e6)
values = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.builds(Point, parameters=st.dictionaries(st.text(), values)))
def test_any_point_comes_back_from_json(point: Point) -> None:
    """Whatever the parameters are called and hold."""
    assert _through_json(point) == point


@given(st.builds(Outcome))
def test_any_outcome_comes_back_from_json(outcome: Outcome) -> None:
    """Whatever the reason's text is."""
    assert _through_json(outcome) == outcome


@given(st.builds(Timeline, interval_s=seconds, time_s=st.lists(seconds)))
def test_any_timeline_comes_back_from_json(timeline: Timeline) -> None:
    """However many samples it has."""
    comparable = replace(timeline, phases={})

    assert _through_json(comparable) == comparable


@pytest.mark.parametrize("fact", [POINT, FULL, samples.wall(), samples.run([FULL])])
def test_a_field_that_is_not_known_is_ignored(fact: Any) -> None:
    """What a newer stepwall adds does not stop an older one."""
    data = {**to_json(fact), "from_the_future": {"x": 1}}

    assert from_json(type(fact), data) == fact


def test_a_field_that_is_absent_has_its_default() -> None:
    """What an older stepwall did not write yet does not stop a newer one."""
    data = to_json(replace(POINT, schedule=Schedule.SERIAL, repeat=0))
    del data["schedule"], data["repeat"]

    assert from_json(Point, data) == POINT


def test_json_holds_plain_values_only() -> None:
    """Enums become their texts, tuples lists, keys texts."""
    plain = to_json({1: (Status.OOM_HOST, None, [Schedule.SERIAL])})

    assert plain == {"1": ["oom_host", None, ["serial"]]}


@pytest.mark.parametrize("status", Status)
def test_memory_ran_out_on_the_device_or_on_the_host(status: Status) -> None:
    """No other end counts as memory."""
    assert status.is_oom == (status.value in {"oom_device", "oom_host"})


def test_backprop_memory_is_the_steady_peak_over_what_was_resident() -> None:
    """The first step's larger peak does not count."""
    memory = DeviceMemory(fed_bytes=0, resident_bytes=100, steady_peak_bytes=350, peak_bytes=900)

    assert memory.backprop_bytes == 350 - 100


@pytest.mark.parametrize("known", [{"resident_bytes": 1}, {"steady_peak_bytes": 1}, {}])
def test_backprop_memory_is_unknown_where_one_end_is(known: dict[str, int]) -> None:
    """It is never taken for zero."""
    assert DeviceMemory(fed_bytes=0, **known).backprop_bytes is None


@given(st.builds(HostMemory, **{f"{p}_peak_bytes": maybe for p in ("build", "gradients")}))
def test_the_hosts_peak_is_its_largest_phase(memory: HostMemory) -> None:
    """Phases that were not reached do not count, and none at all is unknown."""
    known = [memory.build_peak_bytes, memory.gradients_peak_bytes]
    known += [memory.initialize_peak_bytes, memory.first_step_peak_bytes, memory.steady_peak_bytes]
    present = [peak for peak in known if peak is not None]

    assert memory.peak_bytes == (max(present) if present else None)


def test_different_points_have_different_keys() -> None:
    """Every condition tells points apart."""
    points = [
        POINT,
        replace(POINT, scenario="other"),
        replace(POINT, steps=9),
        replace(POINT, parameters={"batch": 33, "deep": True}),
        replace(POINT, device="gpu"),
        replace(POINT, limit_bytes=1),
        replace(POINT, schedule=Schedule.PARALLEL),
        replace(POINT, repeat=1),
    ]

    assert len({point.key for point in points}) == len(points)


def test_a_key_survives_json() -> None:
    """A resumed run finds its points again."""
    assert _through_json(POINT).key == POINT.key


def test_equal_points_have_equal_keys() -> None:
    """The order in which parameters were given does not matter."""
    turned = replace(POINT, parameters=dict(reversed(POINT.parameters.items())))

    assert turned == POINT
    assert turned.key == POINT.key


def test_types_are_as_annotated_after_json() -> None:
    """Nested facts are facts again, not dicts."""
    run: Run = _through_json(samples.run([FULL], [samples.wall()]))

    assert isinstance(run.environment, Environment)
    assert isinstance(run.measurements[0], Measurement)
    assert isinstance(run.walls[0], Certificate)
    assert run.walls[0].status is WallStatus.EXACT
