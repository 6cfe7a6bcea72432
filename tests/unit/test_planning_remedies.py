"""What can be tried on a step: other values of few, half the batch, and only where it is one."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.facts import (
    DeviceMemory,
    GraphSize,
    GraphStage,
    Measurement,
    Outcome,
    Point,
    Status,
    replace,
)
from profiler.parameters import Parameter, ParameterValue, Scalar
from profiler.planning.remedies import (
    Trial,
    batch_dimension,
    half_batches,
    of_framework,
    other_values,
)

STEPS, BATCH, WIDTH, WEIGHTS = 100, 32, 64, 4096


def parameter(name: str, default: ParameterValue, *choices: Scalar) -> Parameter:
    """Return a parameter of its default's type."""
    return Parameter(name=name, type=type(default).__name__, default=default, choices=choices)


def measured(*shapes: list[int], weights: int = WEIGHTS, **values: ParameterValue) -> Measurement:
    """Return a measurement with these parameters that fed arrays of these shapes."""
    point = Point(
        framework=samples.FRAMEWORK.name,
        scenario="fed",
        family="mine",
        parameters=values,
        steps=STEPS,
    )
    return Measurement(
        point=point,
        outcome=Outcome(status=Status.OK),
        seconds=1,
        device=DeviceMemory(weights_bytes=weights, peak_bytes=1 << 20),
        fed_shapes=list(shapes),
    )


def half(name: str, value: int, before: Measurement) -> Trial:
    """Return the trial of half that parameter."""
    (trial,) = half_batches([parameter(name, value)], before)
    return trial


def test_each_other_value_of_a_parameter_with_few_is_a_trial() -> None:
    """Numbers and texts without choices have too many."""
    parameters = [
        parameter("unroll", default=True),
        parameter("cell", "basic", "basic", "lstm", "gru"),
        parameter("units", 128),
        parameter("path", "x"),
    ]
    point = measured(unroll=True, cell="lstm", units=128, path="x").point
    trials = other_values(parameters, point)

    assert [trial.name for trial in trials] == ["unroll=false", "cell=basic", "cell=gru"]
    assert trials[0].point.parameters == {**point.parameters, "unroll": False}
    assert all(trial.changes for trial in trials)


def test_the_frameworks_own_ways_change_no_parameter() -> None:
    """They are named as they are."""
    point = measured().point

    assert of_framework(["tree"], point) == [Trial(name="tree", point=point, variant="tree")]


@pytest.mark.parametrize("name", ["batch", "samples", "n"])
def test_the_batch_is_found_whatever_its_name(name: str) -> None:
    """What is fed is half as long in its first dimension, the weights stay."""
    before = measured([BATCH, STEPS, WIDTH], [BATCH], [], **{name: BATCH, "units": 7})
    trial = half(name, BATCH, before)
    after = measured([BATCH // 2, STEPS, WIDTH], [BATCH // 2], [], **{name: BATCH // 2})

    assert trial.name == f"{name}={BATCH // 2}"
    assert trial.changes == "feeds half as much data"
    assert batch_dimension(trial, before, after) == 0


def test_after_the_time_the_batch_is_the_second_dimension() -> None:
    """As in time-major arrays."""
    before = measured([STEPS, BATCH, WIDTH], batch=BATCH)
    after = measured([STEPS, BATCH // 2, WIDTH], batch=BATCH // 2)

    assert batch_dimension(half("batch", BATCH, before), before, after) == 1


def test_what_only_a_small_part_of_the_fed_arrays_follows_is_no_batch() -> None:
    """As how far ahead a network looks: a third of the targets, and all of the inputs."""
    before = measured([STEPS, WIDTH, 4], [3, WIDTH], horizon=3)
    after = measured([STEPS, WIDTH, 4], [1, WIDTH], horizon=1)

    assert batch_dimension(half("horizon", 3, before), before, after) is None


def test_an_odd_batch_is_told_by_its_size() -> None:
    """A third is no half."""
    before = measured([3, STEPS], batch=3)
    trial = half("batch", 3, before)

    assert trial.changes == "feeds 1 instead of 3"
    assert batch_dimension(trial, before, measured([1, STEPS], batch=1)) == 0


@pytest.mark.parametrize(
    ("shape", "halved", "weights"),
    [
        ([BATCH, STEPS, WIDTH], [BATCH, STEPS, WIDTH], WEIGHTS),  # feeds follow it not at all
        ([BATCH, STEPS], [BATCH // 2, STEPS], WEIGHTS // 2),  # the weights do, too
        ([BATCH, STEPS], [BATCH // 2, STEPS // 2], WEIGHTS),  # so does another dimension
        ([BATCH, STEPS], [BATCH - 1, STEPS], WEIGHTS),  # not in proportion
        ([7, BATCH, WIDTH], [7, BATCH // 2, WIDTH], WEIGHTS),  # as memory that is attended to
        ([BATCH, STEPS], [BATCH // 2], WEIGHTS),
    ],
)
def test_what_is_no_batch_is_not_taken_for_one(
    shape: list[int], halved: list[int], weights: int
) -> None:
    """Whatever it is called."""
    before = measured(shape, batch=BATCH)
    after = measured(halved, weights=weights, batch=BATCH // 2)

    assert batch_dimension(half("batch", BATCH, before), before, after) is None


def test_what_changes_the_graph_is_no_batch() -> None:
    """Half the length of an unrolled network is fewer nodes."""
    before = measured([BATCH, STEPS, WIDTH], batch=BATCH)
    after = measured([BATCH // 2, STEPS, WIDTH], batch=BATCH // 2)
    big, less, small = (
        GraphSize(stages=[GraphStage(name="built", nodes=nodes)]) for nodes in (78, 76, 50)
    )
    trial = half("batch", BATCH, before)

    assert batch_dimension(trial, replace(before, graph=big), replace(after, graph=small)) is None
    assert batch_dimension(trial, replace(before, graph=big), replace(after, graph=less)) == 0


@pytest.mark.parametrize(
    ("shapes", "values"),
    [
        ([], {"batch": 32}),  # nothing is fed
        ([[]], {"batch": 32}),  # a number only
        ([[1, STEPS]], {"batch": 1}),  # there is no half
        ([[32, STEPS]], {"units": 33}),
        ([[32, STEPS]], {"flag": True, "rate": 32.0}),
    ],
)
def test_a_scenario_without_a_batch_gets_no_half_of_it(
    shapes: list[list[int]], values: dict[str, ParameterValue]
) -> None:
    """No parameter is a dimension of what is fed."""
    parameters = [parameter(name, value) for name, value in values.items()]

    before = replace(measured(*shapes).point, parameters=values)
    assert half_batches(parameters, replace(measured(*shapes), point=before)) == []


def test_an_equal_dimension_comes_before_a_multiple() -> None:
    """Two layers divide every even number."""
    parameters = [parameter("layers", 2), parameter("batch", 32), parameter("beam", 4)]
    found = half_batches(parameters, measured([32, STEPS], layers=2, batch=32, beam=4))
    flattened = half_batches(parameters, measured([96, 97], layers=5, batch=32, beam=7))

    assert [trial.name for trial in found] == ["batch=16"]
    assert [trial.name for trial in flattened] == ["batch=16"]
