"""Run in an interpreter of its own: what TensorFlow's allocator did, beside the replay of it.

Arguments: the scenario, its parameters as JSON, and three numbers of steps. The last line printed
is a JSON object; see ``test_forecast.py``.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import tempfile
from pathlib import Path

from profiler.errors import ScenarioError
from profiler.facts import Point
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import Unrolling
from profiler.frameworks import framework, installed
from profiler.frameworks.allocators.bfc import Region, replay
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow.runtime import TensorFlowRuntime
from profiler.frameworks.tensorflow.tracing import Tracer
from profiler.frameworks.tensorflow.training import GraphSteps
from profiler.measure import loading
from profiler.planning.files import ScenarioFile, scenario_files
from profiler.scenario import Scenario
from profiler.units import MIB

LIMIT = 256 * MIB


def elsewhere(trace: Trace, addresses: list[int]) -> int:
    """Return how many allocations the replay does not put where the allocator put them."""
    region, held, count = Region(LIMIT), dict[int, int](), 0
    for number, size in trace.events:
        if size:
            held[number] = region.allocate(size)
            count += held[number] != addresses[number] - min(addresses)
        else:
            region.release(held.pop(number))
    return count


def shipped(name: str) -> Scenario:
    """Return the shipped scenario of that name."""
    for file in scenario_files([], installed()):
        assert isinstance(file, ScenarioFile)
        with contextlib.suppress(ScenarioError):
            return loading.load(file, framework(file.framework), name)
    raise LookupError(name)


def main(name: str, parameters: str, *lengths: str) -> None:
    """Record a training step of each length, replay it, and print what differs."""
    point = Point(
        framework="tensorflow",
        scenario=name,
        family="builds",
        parameters=json.loads(parameters),
        steps=0,
        limit_bytes=LIMIT,
    )
    runtime = TensorFlowRuntime()
    runtime.prepare(point)
    scenario = shipped(name)
    traces: list[Trace] = []
    found: dict[str, list[int | None]] = {"allocations": [], "elsewhere": [], "peaks": []}
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        runtime.start(recorder)
        steps_of = GraphSteps(
            runtime, point, lambda steps: scenario.built(steps, point.parameters), recorder
        )
        tracer = Tracer(runtime, point, recorder)
        for steps in map(int, lengths):
            recording = tracer.recording(functools.partial(steps_of.built, steps=steps))
            traces.append(recording.trace())
            found["allocations"].append(len(traces[-1].labels))
            found["elsewhere"].append(elsewhere(traces[-1], recording.addresses()))
            found["peaks"].append(runtime.allocator.peak())
    first, second, last = map(int, lengths)
    predicted = Unrolling(traces[0], traces[1], (first, second)).at(last)
    found["replayed_peaks"] = [replay(trace, LIMIT).peak for trace in traces]
    found["tops"] = [replay(trace, LIMIT).top for trace in (traces[-1], predicted)]
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
