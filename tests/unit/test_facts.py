"""Facts survive JSON unchanged, what is no fact is refused by name, derived numbers follow."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from profiler.facts import (
    Certificate,
    DeviceMemory,
    Environment,
    Explanation,
    FrameworkFacts,
    GraphSize,
    GraphStage,
    HostMemory,
    Measurement,
    Outcome,
    Phase,
    PhaseRole,
    Point,
    Probe,
    RecordError,
    Run,
    Schedule,
    Shortage,
    Status,
    StepTime,
    Timeline,
    WallPredictions,
    WallStatus,
    convert,
    decode,
    encode,
    replace,
    to_json,
)
from profiler.facts.codec import key
from profiler.frameworks.recorder import ChildReport
from profiler.measure.job import Job
from profiler.parameters import Parameter
from profiler.planning.catalog import Listing

POINT = Point(
    framework="sampleflow",
    scenario="toy",
    family="toys",
    parameters={"batch": 32, "deep": True},
    steps=8,
)
TIMELINE = Timeline(interval_s=0.01, time_s=[0.0, 0.5], rss_bytes=[1, 2])
FULL = replace(
    samples.measured(),
    timeline=TIMELINE,
    missing={"device.peak_bytes": "why"},
    notes=["a remark"],
    log_tail="the end",
)


def _through_json(fact: Any) -> Any:
    return decode(type(fact), encode(fact))


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
        StepTime(median_s=0.5, steps=3),
        DeviceMemory(),
        HostMemory(),
        TIMELINE,
        FULL,
        samples.failed(samples.measured()),
        Probe(steps=8, outcome=samples.OOM, seconds=11.5),
        *(samples.wall(status=status) for status in WallStatus),
        samples.wall(last_ok=None, status=WallStatus.AT_MOST),
        samples.FRAMEWORK,
        samples.ENVIRONMENT,
        samples.EXPLANATION,
        samples.run([FULL], [samples.wall()]),
        Parameter(name="cell", type="str", default="a", choices=("a", "b")),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_every_fact_comes_back_from_json_as_it_was(fact: Any) -> None:
    """Enums, nested facts, lists, tuples, Nones and numbers included."""
    assert _through_json(fact) == fact


_TEXTS = st.text(max_size=5)


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 (a type each)
    """Return what the codec must carry for a type: all that its annotations allow."""
    match kind:
        case inspect.StructType():
            return st.builds(kind.cls, **{one.name: _values(one.type) for one in kind.fields})
        case inspect.UnionType():
            return st.one_of(*map(_values, kind.types))
        case inspect.ListType():
            return st.lists(_values(kind.item_type), max_size=2)
        case inspect.VarTupleType():
            return st.lists(_values(kind.item_type), max_size=2).map(tuple)
        case inspect.DictType():
            return st.dictionaries(_TEXTS, _values(kind.value_type), max_size=2)
        case inspect.IntType():
            least = -(1 << 63) if kind.ge is None else kind.ge
            return st.integers(least, (1 << 63) - 1 if kind.le is None else kind.le)
        case inspect.FloatType():
            return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.StrType():
            return _TEXTS
    raise TypeError(kind)


@settings(max_examples=30)
@given(_values(inspect.type_info(Measurement)))
def test_any_measurement_comes_back_from_json(measurement: Measurement) -> None:
    """To the last digit, whatever its texts hold; and as the same record by its plain values."""
    assert _through_json(measurement) == measurement
    assert convert(Measurement, to_json(measurement)) == measurement
    assert json.loads(json.dumps(to_json(measurement), allow_nan=False)) == to_json(measurement)


@settings(max_examples=10)
@pytest.mark.parametrize(
    "kind", [Certificate, ChildReport, Environment, Explanation, Job, Listing, WallPredictions]
)
@given(data=st.data())
def test_any_record_that_is_sent_or_stored_comes_back(kind: type, data: st.DataObject) -> None:
    """Whatever its fields hold."""
    record = data.draw(_values(inspect.type_info(kind)))

    assert _through_json(record) == record


@pytest.mark.parametrize("fact", [POINT, FULL, samples.wall(), samples.run([FULL])])
def test_a_field_that_is_not_known_is_refused(fact: Any) -> None:
    """A newer stepwall's facts are not read as if they were ours."""
    data = {**to_json(fact), "from_the_future": {"x": 1}}

    with pytest.raises(RecordError, match="unknown field `from_the_future`"):
        convert(type(fact), data)
    with pytest.raises(RecordError, match="unknown field `from_the_future`"):
        decode(type(fact), json.dumps(data))


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (Outcome, {"status": "splendid"}, r"Invalid enum value 'splendid' - at `\$.status`"),
        (Outcome, {}, "missing required field `status`"),
        (DeviceMemory, {"peak_bytes": -1}, r"`int` >= 0 - at `\$.peak_bytes`"),
        (DeviceMemory, {"peak_bytes": "many"}, r"got `str` - at `\$.peak_bytes`"),
        (DeviceMemory, {"peak_bytes": True}, r"got `bool` - at `\$.peak_bytes`"),
        (DeviceMemory, {"peak_bytes": 1.5}, r"at `\$.peak_bytes`"),
        (DeviceMemory, {"peak_bytes": 1 << 63}, r"at `\$.peak_bytes`"),
        (StepTime, {"median_s": None, "steps": 1}, r"got `null` - at `\$.median_s`"),
        (StepTime, {"median_s": -0.1, "steps": 1}, r">= 0.0 - at `\$.median_s`"),
        (GraphSize, {"stages": [{"name": "a", "nodes": "b"}]}, r"at `\$.stages\[0\].nodes`"),
        (GraphStage, {"name": "a", "nodes": 1, "by_op": {"x": -1}}, r"at `\$.by_op\[...\]`"),
        (Measurement, [], "Expected `object`, got `array`"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    kind: type, data: Any, message: str
) -> None:
    """As a text and as plain values alike."""
    with pytest.raises(RecordError, match=message):
        convert(kind, data)
    with pytest.raises(RecordError, match=message):
        decode(kind, json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "no JSON", b"\xff", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """However deep, and in whatever bytes."""
    with pytest.raises(RecordError):
        decode(Measurement, text)


def test_a_field_that_is_absent_has_its_default() -> None:
    """And one that has it is not written: most fields of most facts are empty."""
    assert decode(Point, encode(POINT)) == POINT
    assert set(json.loads(encode(POINT))) == {
        *("framework", "scenario", "family", "parameters", "steps"),
    }


def test_plain_values_hold_every_field() -> None:
    """Enums become their texts, tuples lists, keys texts."""
    plain = to_json({1: (Status.OOM_HOST, None, [Schedule.SERIAL])})

    assert plain == {"1": ["oom_host", None, ["serial"]]}
    assert set(to_json(POINT)) == {field.name for field in msgspec.structs.fields(Point)}


@pytest.mark.parametrize("status", Status)
def test_memory_ran_out_on_the_device_or_on_the_host(status: Status) -> None:
    """No other end counts as memory."""
    assert status.is_oom == (status.value in {"oom_device", "oom_host"})


@pytest.mark.parametrize("status", Status)
def test_what_was_not_run_has_not_failed(status: Status) -> None:
    """Every other end but a good one is a failure."""
    assert status.is_failure == (status.value not in {"ok", "skipped"})


def test_backprop_memory_is_the_steady_peak_over_what_was_resident() -> None:
    """The first step's larger peak does not count."""
    memory = DeviceMemory(resident_bytes=100, steady_peak_bytes=350, peak_bytes=900)

    assert memory.backprop_bytes == 350 - 100


@pytest.mark.parametrize("known", [{"resident_bytes": 1}, {"steady_peak_bytes": 1}, {}])
def test_backprop_memory_is_unknown_where_one_end_is(known: dict[str, Any]) -> None:
    """It is never taken for zero."""
    assert DeviceMemory(**known).backprop_bytes is None


def _phases(*peaks: tuple[PhaseRole, int | None]) -> list[Phase]:
    return [
        Phase(name=f"p{at}", role=role, began_s=at, seconds=1.0, host_peak_bytes=peak)
        for at, (role, peak) in enumerate(peaks)
    ]


@given(st.lists(st.tuples(st.sampled_from(PhaseRole), st.none() | st.integers(0, 99)), max_size=6))
def test_the_hosts_peak_is_that_of_its_largest_phase(
    peaks: list[tuple[PhaseRole, int | None]],
) -> None:
    """Overhead and phases that were not reached do not count; none at all is unknown."""
    measurement = replace(FULL, phases=_phases(*peaks))
    known = [peak for role, peak in peaks if role is not PhaseRole.OVERHEAD and peak is not None]

    assert measurement.host_peak_bytes == (max(known) if known else None)


def test_the_seconds_of_a_role_are_those_of_its_phases_together() -> None:
    """Unknown where one of them did not end, or where there is none."""
    ended = replace(FULL, phases=_phases((PhaseRole.BUILD, 1), (PhaseRole.BUILD, 2)))
    broken = replace(ended, phases=[ended.phases[0], replace(ended.phases[1], seconds=None)])

    assert ended.seconds_of(PhaseRole.BUILD) == 2.0
    assert broken.seconds_of(PhaseRole.BUILD) is None
    assert ended.seconds_of(PhaseRole.STEADY) is None


def test_building_has_a_time_once_another_phase_began() -> None:
    """Until then more of it may follow."""
    building = replace(FULL, phases=_phases((PhaseRole.BUILD, 1)))
    built = replace(FULL, phases=_phases((PhaseRole.BUILD, 1), (PhaseRole.FIRST_STEP, 1)))

    assert (building.build_s, built.build_s) == (None, 1.0)


def test_different_points_have_different_keys() -> None:
    """Every condition tells points apart."""
    points = [
        POINT,
        replace(POINT, framework="other"),
        replace(POINT, scenario="other"),
        replace(POINT, steps=9),
        replace(POINT, parameters={"batch": 33, "deep": True}),
        replace(POINT, device="gpu"),
        replace(POINT, limit_bytes=1),
        replace(POINT, host_limit_bytes=1),
        replace(POINT, schedule=Schedule.PARALLEL),
        replace(POINT, repeat=1),
        replace(POINT, source="abc"),
    ]

    assert len({point.key for point in points}) == len(points)


@settings(max_examples=30)
@given(_values(inspect.type_info(Point)))
def test_a_key_survives_json(point: Point) -> None:
    """A resumed run finds its points again; and a key is the point itself."""
    assert _through_json(point).key == point.key
    assert decode(Point, point.key) == point


def test_a_default_that_was_made_elsewhere_changes_no_key() -> None:
    """``cpu`` from a user's text is another object than the default."""
    read = json.loads('{"device": "cpu"}')["device"]

    assert replace(POINT, device=read).key == POINT.key


def test_equal_points_have_equal_keys() -> None:
    """The order in which parameters were given does not matter."""
    turned = replace(POINT, parameters=dict(reversed(POINT.parameters.items())))

    assert turned == POINT
    assert turned.key == POINT.key


def test_the_key_of_a_point_over_steps_is_as_it_was_before_other_axes() -> None:
    """So that a run which was stored then goes on now; another axis is another point."""
    assert "axis" not in POINT.key
    assert decode(Point, POINT.key) == POINT
    assert replace(POINT, axis="units").key == key(replace(POINT, axis="units"))


def test_types_are_as_annotated_after_json() -> None:
    """Nested facts are facts again, not dicts."""
    run: Run = _through_json(samples.run([FULL], [samples.wall()]))

    assert isinstance(run.environment.frameworks["sampleflow"], FrameworkFacts)
    assert isinstance(run.measurements[0], Measurement)
    assert isinstance(run.walls[0], Certificate)
    assert run.walls[0].status is WallStatus.EXACT


class TestEnvironments:
    """What makes the numbers of two environments hard to compare."""

    def test_equal_ones_do_not_differ(self) -> None:
        """Nor do a device more, or other texts of the framework."""
        richer = replace(samples.FRAMEWORK, devices=["cpu", "gpu:0 H200"], caveats=[])
        other = replace(samples.ENVIRONMENT, frameworks={richer.name: richer})

        assert samples.ENVIRONMENT.differences(other) == []

    def test_each_difference_is_named_with_both_sides(self) -> None:
        """Machine, Python, stepwall, and every package of a framework that both have."""
        newer = replace(samples.FRAMEWORK, versions={"sampleflow": "3"})
        other = replace(
            samples.ENVIRONMENT, cpu_count=64, python="3.13", frameworks={newer.name: newer}
        )

        assert samples.ENVIRONMENT.differences(other) == [
            "cores: 2 before, 64 now",
            "Python: 3.11.9 before, 3.13 now",
            "sampleflow: sampleflow 2.21.0 before, sampleflow 3 now",
        ]

    def test_a_framework_that_one_side_alone_has_is_no_difference(self) -> None:
        """No number of the other side is of it."""
        assert samples.ENVIRONMENT.differences(replace(samples.ENVIRONMENT, frameworks={})) == []


def test_one_thread_at_a_time_works_out_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """In two threads at once msgspec has crashed the process."""
    inside, most = 0, 0

    class Slow:
        def __init__(self, _: object) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

        def decode(self, _: object) -> None:
            return None

    monkeypatch.setattr(msgspec.json, "Decoder", Slow)
    kinds = [type(f"Kind{number}", (), {}) for number in range(8)]
    with ThreadPoolExecutor(len(kinds)) as pool:
        list(pool.map(lambda kind: decode(kind, "{}"), kinds))

    assert most == 1
