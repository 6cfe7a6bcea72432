"""Remedies are run on the very step that is explained, and told as they were measured."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import report_samples as samples
import stub_framework

from profiler.facts import (
    DeviceMemory,
    Explanation,
    Measurement,
    Outcome,
    Point,
    Remedy,
    Schedule,
    Status,
    StepTime,
    replace,
)
from profiler.frameworks import Mode
from profiler.measure.remedies import tried
from profiler.parameters import Parameter

STEPS, WIDTH, KIB = 200, 8, 1 << 10
PARAMETERS = [
    Parameter(name="batch", type="int", default=32),
    Parameter(name="loop", type="bool", default=False),
]
Peaks = Callable[[Point], int | None]


class _Client:
    """Measures a step that takes as much as ``peak`` says; None: it runs out of memory."""

    def __init__(self, peak: Peaks, *, parameters: list[Parameter] = PARAMETERS) -> None:
        self._peak = peak
        self._parameters = parameters
        self.asked: list[tuple[Point, Mode]] = []

    def catalog(self) -> Any:
        listing = SimpleNamespace(parameters=self._parameters)
        return SimpleNamespace(scenarios={"mine": listing})

    def measure(self, point: Point, *, mode: Mode) -> Measurement:
        self.asked.append((point, mode))
        peak = self._peak(point)
        status = Status.OK if peak is not None else Status.OOM_DEVICE
        batch = point.parameters.get("batch", 1)
        assert isinstance(batch, int)
        return Measurement(
            point=point,
            outcome=Outcome(status=status),
            seconds=1,
            step=StepTime(median_s=0.5, steps=5),
            device=DeviceMemory(peak_bytes=peak, weights_bytes=KIB),
            fed_shapes=[[batch, point.steps, WIDTH]],
        )


def measured(client: Any, trace: Explanation = samples.EXPLANATION) -> Measurement:
    """Return the step as it is, explained."""
    values = {one.name: one.default for one in client.catalog().scenarios["mine"].parameters}
    point = Point(
        framework=stub_framework.NAME,
        scenario="mine",
        family="mine",
        parameters=values,
        steps=STEPS,
    )
    found: Measurement = client.measure(point, mode=Mode())
    client.asked.clear()
    return replace(found, trace=trace)


def remedies(client: Any) -> list[Remedy]:
    """Return what was tried."""
    trace = tried(client, measured(client)).trace
    assert trace is not None
    return trace.remedies


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_framework.install(monkeypatch)


def _halved_by_a_loop(point: Point) -> int:
    """Return 1 KiB per sample, half of it in a loop; in parallel a loop takes a quarter more."""
    peak = KIB * int(str(point.parameters["batch"]))
    if point.parameters["loop"]:
        return 5 * peak // 4 if point.schedule is Schedule.PARALLEL else peak // 2
    return peak


def test_half_the_batch_and_each_other_setting_is_measured_at_the_explained_length() -> None:
    """With the peaks before and after, and the time of a step."""
    client = _Client(_halved_by_a_loop)
    half, loop = remedies(client)

    assert (half.name, half.changes) == ("batch=16", "feeds half as much data")
    assert (half.before_bytes, half.peak_bytes, half.share) == (32 * KIB, 16 * KIB, -0.5)
    assert (half.before_s, half.step_s) == (0.5, 0.5)
    assert (loop.name, loop.share) == ("loop=true", -0.5)
    assert {point.steps for point, _ in client.asked} == {STEPS}
    assert not any(mode.inspect for _, mode in client.asked)


def test_a_sign_that_the_parallel_schedule_contradicts_is_no_gain() -> None:
    """Three runs of each, in that schedule."""
    half, loop = remedies(_Client(_halved_by_a_loop))

    assert half.parallel_bytes == []
    assert loop.parallel_before_bytes == [32 * KIB] * 3
    assert loop.parallel_bytes == [40 * KIB] * 3
    assert (loop.parallel_sign, loop.is_contradicted) == (1, True)


def test_what_changes_little_is_not_run_in_parallel() -> None:
    """Less than a hundredth is neither gain nor loss."""
    client = _Client(lambda _: 32 * KIB, parameters=PARAMETERS[1:])
    (loop,) = remedies(client)

    assert (loop.share, loop.parallel_bytes) == (0, [])
    assert len(client.asked) == 1


def test_a_number_that_is_not_fed_is_no_batch() -> None:
    """Its run says nothing and is not told."""
    client = _Client(lambda _: KIB, parameters=[Parameter(name="units", type="int", default=1)])

    assert remedies(client) == []
    assert client.asked == []


def test_a_setting_that_cannot_run_says_why() -> None:
    """A trial that runs out of memory is a result, too."""
    peak = {False: KIB, True: None}
    client = _Client(lambda point: peak[bool(point.parameters["loop"])], parameters=PARAMETERS[1:])
    (loop,) = remedies(client)

    assert (loop.peak_bytes, loop.share) == (None, None)
    assert loop.reason == "oom_device"


def test_of_very_many_settings_the_rest_is_named() -> None:
    """Nothing is left out in silence."""
    choices = tuple(range(20))
    client = _Client(
        lambda _: KIB, parameters=[Parameter(name="kind", type="int", default=0, choices=choices)]
    )
    trace = tried(client, measured(client)).trace  # type: ignore[arg-type]

    assert trace is not None
    assert len(trace.remedies) == 10
    assert "kind=11" in trace.missing["remedies"]
    assert "kind=19" in trace.missing["remedies"]


def test_the_frameworks_own_ways_are_tried_where_it_offers_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mode says which."""
    monkeypatch.setattr(stub_framework.StubFramework, "variants", lambda *_: ["tree"])
    client = _Client(lambda _: KIB, parameters=[])
    (tree,) = remedies(client)

    assert tree.name == "tree"
    assert [mode.variant for _, mode in client.asked] == ["tree"]


def test_without_an_explanation_nothing_is_tried() -> None:
    """There is no peak to lower."""
    client = _Client(_halved_by_a_loop)
    plain = replace(measured(client), trace=None)

    assert tried(client, plain) == plain  # type: ignore[arg-type]
    assert client.asked == []
