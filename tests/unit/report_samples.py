"""Made-up runs whose numbers follow closed forms, for the tests of the reports.

Unrolled scenarios have ``40 + 17 * steps`` nodes, looped ones 135; backprop holds
``KIB_PER_STEP`` KiB per step over a resident MiB.
"""

from __future__ import annotations

from collections.abc import Iterable

from profiler.analysis.results import RunResults
from profiler.facts import (
    Advice,
    Caveat,
    CaveatEffect,
    Certificate,
    Confirmation,
    DeviceMemory,
    Environment,
    Explanation,
    FrameworkFacts,
    GraphGrowth,
    GraphParts,
    GraphSize,
    GraphStage,
    HoldersOverStep,
    Holding,
    HostMemory,
    Measurement,
    MemoryOverStep,
    Outcome,
    PeakGrowth,
    Phase,
    PhaseFacts,
    PhaseRole,
    Point,
    Probe,
    Run,
    Schedule,
    Shortage,
    StageFacts,
    Status,
    StepTime,
    Theory,
    WallStatus,
    replace,
)

KIB, MIB = 1024, 1024 * 1024
KIB_PER_STEP = 96
DOUBLED = (8, 16, 32, 64, 128, 256)
OK = Outcome(status=Status.OK)
OOM = Outcome(
    status=Status.OOM_DEVICE,
    phase="first_step",
    reason="OOM when allocating tensor with shape[256,32,128] and type float",
    shortage=Shortage(
        op="gradients/rnn/cell/MatMul_7_grad/MatMul",
        op_type="MatMul",
        shape=[256, 32, 128],
        dtype="float32",
        device="CPU:0",
        allocator="bfc",
        requested_bytes=256 * 32 * 128 * 4,
        lines=["OOM when allocating tensor with shape[256,32,128] and type float", "[[node]]"],
    ),
)
RAN_OUT = "gradients/…/MatMul (MatMul) asked for [256,32,128] float32, 4.0 MiB"
CRASH = Outcome(status=Status.CRASHED, phase="build_gradients", signal="SIGSEGV", exit_code=None)
# A made-up framework: nothing in reports may depend on a real one.
FRAMEWORK = FrameworkFacts(
    name="sampleflow",
    title="SampleFlow",
    versions={"sampleflow": "2.21.0"},
    devices=["cpu"],
    allocators={"cpu": "sample allocator"},
    phases=[
        PhaseFacts(name="start", role=PhaseRole.OVERHEAD, title="start", detail="imports"),
        PhaseFacts(
            name="build_forward", role=PhaseRole.BUILD, title="forward graph", detail="objects"
        ),
        PhaseFacts(
            name="build_gradients", role=PhaseRole.BUILD, title="gradients", detail="the same"
        ),
        PhaseFacts(
            name="first_step", role=PhaseRole.FIRST_STEP, title="first step", detail="optimizer"
        ),
        PhaseFacts(name="steady", role=PhaseRole.STEADY, title="steady steps", detail="tensors"),
    ],
    stages=[
        StageFacts(name="built", title="as built", detail="operations"),
        StageFacts(name="library", title="in functions", detail="loop bodies"),
        StageFacts(name="executed", title="executed", detail="after the optimizer"),
    ],
    caveats=[
        Caveat(
            metric="first_step_time",
            effect=CaveatEffect.NO_EXTRAPOLATION,
            text="SampleFlow's optimizer takes more time per node, the longer the graph",
        ),
        *(
            Caveat(
                metric=metric,
                effect=CaveatEffect.SHORT_RUNS_DIFFER,
                text="SampleFlow folds constants of short graphs only",
            )
            for metric in ("backprop", "peak", "host")
        ),
    ],
)
ENVIRONMENT = Environment(
    stepwall="0.1.0",
    python="3.11.9",
    platform="Linux-6.1-x86_64",
    cpu="A CPU",
    cpu_count=2,
    memory_bytes=8 * 1024 * MIB,
    frameworks={"sampleflow": FRAMEWORK},
)
# 200 steps of 96 KiB of weight gradients over a MiB that is resident.
EXPLANATION = Explanation(
    steps=200,
    step="steady",
    part="backward",
    events=4_000,
    peak_bytes=(MIB + 200 * 96 * KIB) + 512 * KIB,
    resident_bytes=MIB,
    allocator_peak_bytes=(MIB + 200 * 96 * KIB) + 512 * KIB,
    allocator_resident_bytes=MIB,
    by_role={
        "weight gradients": 200 * 96 * KIB,
        "weights": MIB,
        "forward tensors kept for backward": 256 * KIB,
        "allocator rounding": 256 * KIB,
    },
    holdings=[
        Holding(
            role="weight gradients",
            op="gradients/rnn/cell/MatMul_grad/MatMul",
            op_type="MatMul",
            tensors=200,
            bytes=200 * 96 * KIB,
            each_bytes=96 * KIB,
            variable="rnn/cell/kernel",
            per_step_bytes=96 * KIB,
            per_step_tensors=1,
        ),
        Holding(
            role="weights",
            op="update/rnn/cell/kernel/Assign",
            op_type="Assign",
            tensors=1,
            bytes=MIB,
            each_bytes=MIB,
            variable="rnn/cell/kernel",
            per_step_bytes=0,
            per_step_tensors=0,
        ),
        Holding(
            role="forward tensors kept for backward",
            op="rnn/cell/concat",
            op_type="ConcatV2",
            tensors=3,
            bytes=256 * KIB,
        ),
    ],
    resident=[
        Holding(
            role="weights",
            op="update/rnn/cell/kernel/Assign",
            op_type="Assign",
            tensors=1,
            bytes=MIB,
            each_bytes=MIB,
            variable="rnn/cell/kernel",
        )
    ],
    over_step=MemoryOverStep(
        event=[0, 1_000, 2_500, 3_000],
        bytes={
            "weights": [MIB] * 4,
            "forward tensors kept for backward": [0, 4 * MIB, 256 * KIB, 0],
            "weight gradients": [0, 0, 200 * 96 * KIB, 0],
            "allocator rounding": [0, 0, 256 * KIB, 0],
        },
        backward=1_000,
        peak=2_500,
        holders=HoldersOverStep(
            ops=["update/rnn/cell/kernel/Assign", "gradients/rnn/cell/MatMul_grad/MatMul"],
            roles=["weights", "weight gradients"],
            largest=[[0, MIB], [0, MIB], [1, 200 * 96 * KIB, 0, MIB], [0, MIB]],
        ),
    ),
    graph=GraphParts(
        by_scope={"rnn/cell": 600, "gradients/rnn/cell": 800},
        forward={"MatMul": 200, "Tanh": 200, "Const": 200},
        backward={"MatMul": 400, "AddN": 200, "Const": 200},
    ),
    advice=[
        Advice(
            role="weight gradients",
            text="A loop adds them up as it goes and holds none.",
            measured="tests/integration/test_remedies.py",
        )
    ],
    theory=Theory(cells=["basic"], least_bytes=2 * MIB, all_bytes=8 * MIB),
    growth=PeakGrowth(
        between=[150, 200],
        bytes=97 * KIB,
        by_role={"weight gradients": 96 * KIB, "allocator rounding": KIB},
        linear=["weight gradients"],
    ),
    graph_growth=GraphGrowth(
        between=[150, 200], forward={"MatMul": 1, "Tanh": 1}, backward={"MatMul": 2, "AddN": 1}
    ),
)


def nodes(steps: int, *, unrolled: bool = True, per_step: int = 17) -> int:
    """Return the closed form of the graph's nodes."""
    return 40 + per_step * steps if unrolled else 135


def graph(total: int) -> GraphSize:
    """Return a graph of ``total`` nodes, a third of them forward."""
    forward = total // 3
    return GraphSize(
        stages=[
            GraphStage(
                name="built",
                nodes=total,
                parts={"forward": forward, "backward": total - forward},
                by_op={"MatMul": total - forward, "Tanh": forward},
                beside=["library"],
            ),
            GraphStage(name="library", nodes=0),
            GraphStage(name="executed", nodes=total - 7),
        ],
        serialized_bytes=100 * total,
    )


def phases(
    *, copies: int, host_bytes: int, first_step_s: float = 0.013, build_s: float = 0.007
) -> list[Phase]:
    """Return the phases of a point of ``copies`` cells; times are per copy.

    Two sevenths of the time to build are the forward graph's.
    """
    timed = (
        ("start", PhaseRole.OVERHEAD, 0.05, None),
        ("build_forward", PhaseRole.BUILD, build_s * 2 / 7 * copies, copies * 50 * KIB),
        ("build_gradients", PhaseRole.BUILD, build_s * 5 / 7 * copies, None),
        ("first_step", PhaseRole.FIRST_STEP, first_step_s * copies, None),
        ("steady", PhaseRole.STEADY, 0.01, host_bytes),
    )
    return [
        Phase(name=name, role=role, began_s=at, seconds=seconds, host_peak_bytes=peak)
        for at, (name, role, seconds, peak) in enumerate(timed)
    ]


def measured(  # noqa: PLR0913 - a builder with defaults
    scenario: str = "static_rnn",
    steps: int = 8,
    *,
    family: str = "builds",
    unrolled: bool = True,
    per_step: int = 17,
    kib_per_step: float = KIB_PER_STEP,
    repeat: int = 0,
) -> Measurement:
    """Return a point that ended well."""
    backprop = int(kib_per_step * KIB * steps)
    copies = steps if unrolled else 10
    return Measurement(
        point=Point(
            framework=FRAMEWORK.name,
            scenario=scenario,
            family=family,
            parameters={"batch": 32, "units": 128},
            steps=steps,
            repeat=repeat,
        ),
        outcome=OK,
        seconds=1.5,
        graph=graph(nodes(steps, unrolled=unrolled, per_step=per_step)),
        phases=phases(copies=copies, host_bytes=2 * backprop + copies * 100 * KIB),
        step=StepTime(median_s=0.0001 * steps * (1 if unrolled else 1.4), steps=5),
        device=DeviceMemory(
            fed_bytes=32 * steps,
            resident_bytes=MIB,
            steady_peak_bytes=MIB + backprop,
            peak_bytes=MIB + backprop,
        ),
        host=HostMemory(baseline_bytes=400 * MIB),
    )


def with_step(measurement: Measurement, seconds: float) -> Measurement:
    """Return the point with this steady step."""
    return replace(measurement, step=StepTime(median_s=seconds, steps=5))


def skipped(measurement: Measurement, after: int) -> Measurement:
    """Return a point that was not run, for so many steps ran out of memory."""
    reason = f"{after} steps ran out of memory"
    outcome = Outcome(status=Status.SKIPPED, reason=reason)
    return Measurement(point=measurement.point, outcome=outcome, seconds=0)


def failed(measurement: Measurement, outcome: Outcome = OOM, *, built: bool = True) -> Measurement:
    """Return a point that failed: with its graph where it was built, without memory."""
    return replace(
        measurement,
        outcome=outcome,
        graph=measurement.graph if built else None,
        phases=measurement.phases[: 4 if built else 2],
        step=None,
        device=None,
        host=None,
        missing={"device.peak_bytes": "the step never ended"},
        log_tail="the last words of the child\nOOM!",
    )


def wall(
    scenario: str = "static_rnn",
    last_ok: int | None = 650,
    *,
    family: str = "builds",
    status: WallStatus = WallStatus.EXACT,
    kind: str = "device",
) -> Certificate:
    """Return a wall under 64 MiB that was predicted three steps too low."""
    limit = 64 * MIB
    first_oom = {WallStatus.EXACT: (last_ok or 0) + 1, WallStatus.AT_MOST: 1}.get(status)
    probes = [
        *(Probe(steps=s, outcome=OK, seconds=1.0, peak_bytes=MIB + s * 99 * KIB) for s in (40, 80)),
        *([Probe(steps=first_oom, outcome=OOM, seconds=11.0)] if first_oom else []),
        *(
            [Probe(steps=last_ok, outcome=OK, seconds=2.0, peak_bytes=limit - 99)]
            if last_ok
            else []
        ),
    ]
    return Certificate(
        framework=FRAMEWORK.name,
        scenario=scenario,
        family=family,
        parameters={"batch": 32, "units": 128},
        device="cpu",
        kind=kind,
        schedule=Schedule.SERIAL,
        limit_bytes=limit,
        status=status,
        last_ok=last_ok,
        first_oom=first_oom,
        predicted=last_ok - 3.0 if last_ok else None,
        predicted_from=[40, 80],
        probes=probes,
        seconds=15.0,
        reason="SIGSEGV under the limit" if status is WallStatus.UNPROVEN else None,
    )


def foreseen(wall: Certificate, by: str = "replay", margin: float = 4) -> Certificate:
    """Return a wall that says how it was predicted, and how far off that may be."""
    low, high = (wall.predicted or 0) - margin, (wall.predicted or 0) + margin
    return replace(wall, predicted_low=low, predicted_high=high, predicted_by=by)


def band(last_ok: int = 640, first_oom: int = 660) -> Certificate:
    """Return a wall whose ends held three times more, after one run that was cut short."""
    exact = wall(last_ok=last_ok)
    cut = Probe(steps=first_oom, outcome=replace(OOM, cut_short=True), seconds=1.0)
    again = [
        Probe(steps=steps, outcome=end, seconds=3.0, peak_bytes=peak, repeat=n)
        for steps, end, peak in ((last_ok, OK, 61 * MIB), (first_oom, OOM, None))
        for n in (1, 2, 3)
    ]
    return replace(
        exact,
        status=WallStatus.BAND,
        schedule=Schedule.PARALLEL,
        first_oom=first_oom,
        probes=[*exact.probes, cut, *again],
        confirmation=Confirmation(repeats=3, survived=3, ran_out=3),
    )


def replayed(wall: Certificate) -> Certificate:
    """Return the wall as one that no device was run for."""
    probes = [replace(probe, replayed=True) for probe in wall.probes]
    return replace(wall, status=WallStatus.REPLAYED, probes=probes)


def with_island(wall: Certificate, first: int, last: int) -> Certificate:
    """Return a wall beyond which a stretch survived, and what is next to it ran out."""
    ends = [(first - 1, OOM), (first, OK), (last, OK), (last + 1, OOM)]
    more = [Probe(steps=steps, outcome=end, seconds=1.0) for steps, end in ends]
    return replace(wall, probes=[*wall.probes, *more])


def run(measurements: Iterable[Measurement] = (), walls: Iterable[Certificate] = ()) -> Run:
    """Return a run of these facts."""
    return Run(
        id="0001",
        name="sample",
        created_at="2026-01-02T03:04:05+00:00",
        command="stepwall profile --steps 8:256:x2",
        environment=ENVIRONMENT,
        finished=True,
        measurements=list(measurements),
        walls=list(walls),
    )


def loaded(
    measurements: Iterable[Measurement] = (), walls: Iterable[Certificate] = ()
) -> RunResults:
    """Return the results of a run of these facts."""
    return RunResults(run(measurements, walls))


def contrast() -> RunResults:
    """Return the run that the product is about: one unrolled scenario and one loop."""
    return loaded(
        [
            *(measured("static_rnn", steps) for steps in DOUBLED),
            *(measured("dynamic_rnn", steps, unrolled=False, kib_per_step=64) for steps in DOUBLED),
        ],
        [wall("static_rnn", 650), wall("dynamic_rnn", 980)],
    )


def large() -> RunResults:
    """Return four scenarios of one family, eight of another, two failed points, walls."""
    points = [
        *_sweep("builds", "static_rnn", per_step=17, kib=96),
        *_sweep("builds", "dynamic_rnn", unrolled=False, kib=64),
        *_sweep("builds", "keras_unrolled", per_step=31, kib=120),
        *_sweep("builds", "while_loop", unrolled=False, kib=66),
    ]
    for index, shape in enumerate(("bottleneck", "wide_input", "small_batch", "stacked")):
        points += _sweep("shapes", f"{shape}_static", per_step=17 + 3 * index, kib=50 + 70 * index)
        points += _sweep("shapes", f"{shape}_dynamic", unrolled=False, kib=50 + 30 * index)
    return loaded([*map(_spoil, points)], _walls())


def _sweep(
    family: str, name: str, *, unrolled: bool = True, per_step: int = 17, kib: int = 96
) -> list[Measurement]:
    return [
        measured(name, steps, family=family, unrolled=unrolled, per_step=per_step, kib_per_step=kib)
        for steps in DOUBLED
    ]


def _spoil(measurement: Measurement) -> Measurement:
    place = (measurement.point.scenario, measurement.point.steps)
    if place == ("keras_unrolled", 256):
        return failed(measurement)
    if place == ("small_batch_static", 128):
        return failed(measurement, CRASH, built=False)
    return measurement


def _walls() -> list[Certificate]:
    return [
        wall("static_rnn", 650),
        wall("dynamic_rnn", 1021),
        wall("keras_unrolled", 520),
        wall("while_loop", 5000, status=WallStatus.AT_LEAST),
        *(wall(f"bottleneck_{way}", 1290, family="shapes") for way in ("static", "dynamic")),
        wall("wide_input_static", None, family="shapes", status=WallStatus.AT_MOST),
        wall("stacked_static", 244, family="shapes", status=WallStatus.UNPROVEN),
    ]
