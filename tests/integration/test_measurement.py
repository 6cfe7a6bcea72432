"""What a measurement holds is right: counts, bytes in closed form, and all of it repeatable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from fresh_launcher import FreshLaunchers

from profiler.facts import (
    DeviceMemory,
    GraphSize,
    GraphStage,
    HostMemory,
    Measurement,
    Outcome,
    Phase,
    PhaseRole,
    Record,
    Schedule,
    Status,
    Timeline,
    replace,
    to_json,
)
from profiler.measure.launcher import Launchers

COUNTED = True  # see counted.py

Measure = Callable[..., Measurement]
Sweep = dict[int, Measurement]

MIB = 1 << 20
FLOAT = 4  # bytes
CHUNK = 256  # bytes; the BFC allocator hands out whole chunks
BATCH, INPUTS, UNITS = 32, 64, 128
SWEPT = (8, 16, 32, 64)
LONGEST = SWEPT[-1]
PHASES = [
    "start",
    "build_forward",
    "build_gradients",
    "runtime",
    "initialize",
    "first_step",
    "steady",
    "inspect",
]


@pytest.fixture(scope="module")
def static(measure: Measure) -> Sweep:
    """Return an unrolled graph, measured over doubling steps."""
    return {steps: measure("static_rnn", steps=steps, timeline=True) for steps in SWEPT}


@pytest.fixture(scope="module")
def dynamic(measure: Measure) -> Sweep:
    """Return a loop, measured over doubling steps."""
    return {steps: measure("dynamic_rnn", steps=steps) for steps in SWEPT}


@pytest.fixture(scope="module")
def other_launchers() -> Iterator[Launchers]:
    """Return fork servers that no other test uses."""
    with Launchers() as launchers:
        yield launchers


@pytest.fixture(params=["static", "dynamic"])
def sweep(request: pytest.FixtureRequest) -> Sweep:
    """Return each of the two sweeps."""
    found: Sweep = request.getfixturevalue(request.param)
    return found


def graph(point: Measurement) -> GraphSize:
    """Return the graph of a point that has one."""
    assert point.graph is not None
    return point.graph


def device(point: Measurement) -> DeviceMemory:
    """Return the device memory of a point that has it."""
    assert point.device is not None
    return point.device


def host(point: Measurement) -> HostMemory:
    """Return the host memory of a point that has it."""
    assert point.host is not None
    return point.host


def built(point: Measurement) -> GraphStage:
    """Return the graph of a point as it was built."""
    stage = graph(point).built
    assert stage is not None
    return stage


def nodes(point: Measurement, stage: str) -> int:
    """Return the nodes of a point's graph at a stage."""
    found = graph(point).stage(stage)
    assert found is not None
    return found.nodes


def phase(point: Measurement, name: str) -> Phase:
    """Return a phase of a point that went through it."""
    (found,) = [one for one in point.phases if one.name == name]
    return found


def timeline_of(point: Measurement) -> Timeline:
    """Return the timeline of a point that has one."""
    assert point.timeline is not None
    return point.timeline


def number(value: int | None) -> int:
    """Return a number that must not be missing."""
    assert value is not None
    return value


def chunks(floats: int) -> int:
    """Return the bytes that the allocator hands out for so many floats."""
    return -(-floats * FLOAT // CHUNK) * CHUNK


def is_complete(group: Record) -> bool:
    """Whether no field of a record is None."""
    return None not in to_json(group).values()


class TestGraph:
    """Counted nodes."""

    def test_unrolled_graph_grows_by_the_same_nodes_per_step(self, static: Sweep) -> None:
        """Forward, backward and total nodes are exactly affine in the steps."""
        counts = {
            steps: {**built(point).parts, "total": built(point).nodes}
            for steps, point in static.items()
        }

        for part in ("forward", "backward", "total"):
            slope = (counts[16][part] - counts[8][part]) / 8
            assert slope > 0
            assert slope == (counts[32][part] - counts[16][part]) / 16
            assert slope == (counts[64][part] - counts[32][part]) / 32

    def test_loop_has_the_same_graph_at_any_length(self, dynamic: Sweep) -> None:
        """Nodes by kind and by type, library and executed nodes do not depend on the steps."""
        sizes = [replace(graph(point), serialized_bytes=None) for point in dynamic.values()]

        assert sizes == [sizes[0]] * len(SWEPT)

    def test_parts_add_up(self, sweep: Sweep) -> None:
        """Forward and backward nodes, and the counts by type, sum to the total."""
        points = list(sweep.values())

        for point in points:
            stage = built(point)
            assert stage.parts.keys() == {"forward", "backward"}
            assert sum(stage.parts.values()) == stage.nodes
            assert sum(stage.by_op.values()) == stage.nodes
            assert nodes(point, "executed") > 0
            assert number(graph(point).serialized_bytes) > stage.nodes

    def test_unrolled_graph_has_its_products_per_step(self, static: Sweep) -> None:
        """A step multiplies once forward, and backward by the kernel and by its input."""
        products = {steps: built(point).by_op["MatMul"] for steps, point in static.items()}

        assert products == {steps: 3 * steps for steps in SWEPT}

    def test_only_a_loop_has_library_nodes(self, static: Sweep, dynamic: Sweep) -> None:
        """The loop's body is a function in the graph's library."""
        assert {nodes(point, "library") for point in static.values()} == {0}
        assert all(nodes(point, "library") > 0 for point in dynamic.values())


class TestDeviceMemory:
    """Bytes of the allocator."""

    @pytest.mark.parametrize("scenario", ["static_rnn", "dynamic_rnn"])
    @pytest.mark.parametrize(
        ("cell", "kernels"),
        [
            ("basic", [(INPUTS + UNITS, UNITS)]),
            ("lstm", [(INPUTS + UNITS, 4 * UNITS)]),
            ("gru", [(INPUTS + UNITS, 2 * UNITS), (INPUTS + UNITS, UNITS)]),
        ],
    )
    def test_weights_are_the_cells_variables(
        self, measure: Measure, scenario: str, cell: str, kernels: list[tuple[int, int]]
    ) -> None:
        """Kernels and biases in whole chunks, and two scalars of each kernel's initializer."""
        point = measure(scenario, steps=2, cell=cell)

        kernel_bytes = sum(chunks(rows * columns) for rows, columns in kernels)
        bias_bytes = sum(chunks(columns) for _, columns in kernels)
        # A uniform initializer keeps its range and its minimum as constants.
        constants = 2 * CHUNK * len(kernels)
        assert device(point).weights_bytes == kernel_bytes + bias_bytes + constants

    def test_weights_are_rounded_to_chunks(self, measure: Measure) -> None:
        """Odd sizes take whole chunks: (3 + 5) x 5 floats one, 5 floats another."""
        point = measure("static_rnn", steps=2, inputs=3, units=5)

        assert device(point).weights_bytes == CHUNK + CHUNK + 2 * CHUNK

    def test_feeds_are_the_inputs(self, sweep: Sweep) -> None:
        """A float per sample, step and input is fed."""
        fed = {steps: device(point).fed_bytes for steps, point in sweep.items()}

        assert fed == {steps: BATCH * steps * INPUTS * FLOAT for steps in SWEPT}

    def test_peaks_are_in_order(self, sweep: Sweep) -> None:
        """Weights lie within what is resident, that and the forward part within the peak."""
        memories = [device(point) for point in sweep.values()]

        for memory in memories:
            weights, resident = number(memory.weights_bytes), number(memory.resident_bytes)
            forward, peak = number(memory.forward_peak_bytes), number(memory.peak_bytes)
            assert weights <= resident <= forward <= peak
            assert peak == max(
                number(memory.first_step_peak_bytes), number(memory.steady_peak_bytes)
            )
            assert number(memory.backprop_bytes) > 0

    def test_largest_allocation_holds_all_outputs(self, static: Sweep) -> None:
        """The stack of every step's outputs is one tensor, and nothing exceeds the peak."""
        memories = {steps: device(point) for steps, point in static.items()}

        for steps, memory in memories.items():
            largest = number(memory.largest_allocation_bytes)
            assert BATCH * steps * UNITS * FLOAT <= largest <= number(memory.peak_bytes)

    def test_peak_holds_inputs_and_outputs_of_all_steps(self, sweep: Sweep) -> None:
        """Backprop needs every step's input and output at least, beside the weights."""
        memories = {steps: device(point) for steps, point in sweep.items()}

        for steps, memory in memories.items():
            kept = BATCH * steps * (INPUTS + UNITS) * FLOAT
            assert number(memory.peak_bytes) >= number(memory.weights_bytes) + kept


class TestRepeats:
    """The serial schedule gives the same point twice, to the byte."""

    @pytest.mark.parametrize(
        ("scenario", "cell"),
        [("static_rnn", "gru"), ("dynamic_rnn", "lstm")],
    )
    def test_through_any_launcher(
        self, measure: Measure, other_launchers: Launchers, scenario: str, cell: str
    ) -> None:
        """Two fork servers and a fresh interpreter agree on every node and every byte."""
        points = [
            measure(scenario, steps=12, cell=cell),
            measure(scenario, steps=12, cell=cell),
            measure(scenario, steps=12, cell=cell, launchers=other_launchers),
            measure(scenario, steps=12, cell=cell, launchers=FreshLaunchers()),
        ]

        assert [point.outcome for point in points] == [Outcome(status=Status.OK)] * len(points)
        not_here = {"limit_bytes": 0, "reserved_peak_bytes": 0, "left_out": ""}
        assert is_complete(replace(device(points[0]), **not_here))
        for point in points[1:]:
            assert graph(point) == graph(points[0])
            assert device(point) == device(points[0])

    def test_parallel_schedule_measures_the_same_graph(
        self, measure: Measure, static: Sweep
    ) -> None:
        """With the framework's own threads the point works, and the built graph is the same."""
        point = measure("static_rnn", steps=8, schedule=Schedule.PARALLEL)

        assert point.outcome == Outcome(status=Status.OK)
        assert graph(point) == graph(static[8])
        assert device(point).weights_bytes == device(static[8]).weights_bytes


class TestHostMemory:
    """The kernel's view."""

    def test_every_phase_has_a_peak(self, sweep: Sweep) -> None:
        """On Linux no field is missing but those of a host limit, which there is none."""
        points = list(sweep.values())
        found = [
            replace(host(point), limit_bytes=0, limit_by="", capped_peak_bytes=0)
            for point in points
        ]

        assert all(is_complete(memory) for memory in found)
        assert all(is_complete(phase) for point in points for phase in point.phases[1:])
        assert all(point.missing == {} for point in points)

    def test_first_step_of_a_longer_unrolled_graph_takes_more(self, static: Sweep) -> None:
        """Graph optimizer and executor take host memory for every node."""
        peaks = {
            steps: number(phase(point, "first_step").host_peak_bytes)
            for steps, point in static.items()
        }

        # At least what the step's tensors take, which on CPU are host memory too.
        added = number(device(static[64]).peak_bytes) - number(device(static[8]).peak_bytes)
        assert peaks[64] - peaks[8] > added

    def test_baseline_is_what_the_server_had_loaded(self, static: Sweep) -> None:
        """The framework itself is no part of a point: baselines differ by less than 16 MiB."""
        baselines = [number(host(point).baseline_bytes) for point in static.values()]

        assert max(baselines) - min(baselines) < 16 * MIB
        assert min(baselines) > 64 * MIB


class TestTimes:
    """The clock."""

    def test_every_phase_takes_time(self, sweep: Sweep) -> None:
        """All times are positive, and lie within the point's own seconds."""
        points = list(sweep.values())

        for point in points:
            seconds = [phase.seconds or 0 for phase in point.phases]
            assert min(seconds) > 0
            assert sum(seconds) < point.seconds
            assert point.build_s == point.seconds_of(PhaseRole.BUILD) == sum(seconds[1:3])
            assert point.step is not None
            assert point.step.steps == 5
            assert 0 < point.step.median_s < (point.seconds_of(PhaseRole.STEADY) or 0)

    def test_timeline_runs_through_the_phases(self, static: Sweep) -> None:
        """Samples and phases are in order of time."""
        point = static[LONGEST]
        timeline = timeline_of(point)

        assert [phase.name for phase in point.phases] == PHASES
        began = [phase.began_s for phase in point.phases]
        assert began == sorted(set(began))
        assert len(timeline.time_s) == len(timeline.rss_bytes) > 1
        assert timeline.time_s == sorted(set(timeline.time_s))
        assert timeline.time_s[-1] > phase(point, "steady").began_s

    def test_timeline_agrees_with_the_kernels_peak(self, static: Sweep) -> None:
        """No sample before the inspection exceeds what the kernel says, none lies far below."""
        point = static[LONGEST]
        timeline, memory = timeline_of(point), host(point)

        sampled = [
            resident
            for at, resident in zip(timeline.time_s, timeline.rss_bytes, strict=True)
            if at < phase(point, "inspect").began_s
        ]
        baseline = number(memory.baseline_bytes)
        highest = max(
            number(phase(point, name).host_peak_bytes) for name in ("first_step", "steady")
        )
        # Both are read from the kernel's per-thread counters, which are some pages late.
        slack = MIB
        assert baseline - slack <= min(sampled)
        assert max(sampled) <= baseline + number(memory.runtime_bytes) + highest + slack
        assert max(sampled) > baseline + number(memory.runtime_bytes)


class TestLimit:
    """A cap of the device memory."""

    def test_that_fits_holds(self, measure: Measure, static: Sweep) -> None:
        """A limit above the unlimited peak is recorded, kept, and changes no graph."""
        limit = 16 * MIB
        point = measure("static_rnn", steps=LONGEST, limit_bytes=limit)

        assert number(device(static[LONGEST]).peak_bytes) < limit
        assert point.outcome == Outcome(status=Status.OK)
        assert device(point).limit_bytes == limit
        assert number(device(point).peak_bytes) <= limit
        assert graph(point) == graph(static[LONGEST])

    def test_that_does_not_fit_is_an_out_of_memory_point(
        self, measure: Measure, static: Sweep
    ) -> None:
        """It says which tensor found no room, and keeps what had been counted."""
        point = measure("static_rnn", steps=LONGEST, limit_bytes=4 * MIB)

        assert point.outcome.status is Status.OOM_DEVICE
        assert point.outcome.phase in {"first_step", "steady"}
        assert re.search(
            r"OOM .* shape\[\d+(,\d+)*\] .* allocator \w*bfc", str(point.outcome.reason)
        )
        whole = graph(static[LONGEST])
        reached = [stage for stage in whole.stages if stage.name != "executed"]
        assert graph(point) == replace(whole, stages=reached)
        assert device(point).peak_bytes is None

    def test_that_is_far_too_small_is_an_out_of_memory_point(self, measure: Measure) -> None:
        """Also where a constant of the optimized graph is the first that finds no room."""
        limit = MIB
        point = measure("static_rnn", steps=LONGEST, limit_bytes=limit)

        # The gradient of the mean of squares starts from one constant of all outputs.
        assert limit <= BATCH * LONGEST * UNITS * FLOAT
        assert point.outcome.status is Status.OOM_DEVICE


@pytest.mark.parametrize(("steps", "noted"), [(8, False), (56, True)])
def test_sums_that_the_optimizer_makes_in_place_are_noted(
    measure: Callable[..., Measurement], steps: int, *, noted: bool
) -> None:
    """It does so where it expects more than 256 MiB; a longer sequence then needs less."""
    units, inputs = 1024, 64
    kernels = steps * (inputs + units) * units * 4
    measured = measure("seq_to_vec_static", steps=steps, units=units)

    assert (kernels > 200 << 20) == noted
    assert measured.device is not None
    assert any("in place" in note for note in measured.notes) == noted
    assert ((measured.device.peak_bytes or 0) < kernels) == noted
