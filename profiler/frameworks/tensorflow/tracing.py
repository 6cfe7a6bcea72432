"""Recording training steps: what a session asks the device's allocator for, event by event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from profiler.explain.account import Recorded
from profiler.facts import Point
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow import cells, dataflow, flow, library, phases, theory
from profiler.frameworks.tensorflow.allocations import Recording
from profiler.frameworks.tensorflow.flow import Flow
from profiler.frameworks.tensorflow.runtime import TensorFlowRuntime
from profiler.frameworks.tensorflow.step import TrainingStep, initialize, run_step, run_traced

tf1 = tf.compat.v1

Build = Callable[[Any], TrainingStep]
"""Builds a step in an empty graph."""

RECORDED_STEPS = 2  # the first one and a steady one: the others repeat that


class Tracer:
    """Builds training steps and records the allocations of their first runs."""

    def __init__(self, runtime: TensorFlowRuntime, point: Point, recorder: Recorder) -> None:
        """Take the runtime, prepared for the point, and what takes the phases."""
        self._runtime = runtime
        self._point = point
        self._recorder = recorder

    def recording(self, build: Build) -> Recording:
        """Return what a session asks for, up to its first steady step."""
        with tf.Graph().as_default() as graph:
            return self._record(build(graph), [])[0]

    def recorded(self, steps: int, build: Build) -> Recorded:
        """Return the same with what the graph says of it."""
        readings: list[tuple[int | None, int | None]] = []
        with tf.Graph().as_default() as graph:
            step = build(graph)
            recording, ran = self._record(step, readings, look_inside=True)
            names, events = recording.events()
            backward = [one for one in step.operations if one[0] in step.backward_names]
            forward = [one for one in step.operations if one[0] not in step.backward_names]
            return Recorded(
                steps=steps,
                ops=dataflow.ops(names, graph, step, ran),
                events=events,
                residents=[resident for resident, _ in readings],
                peaks=[peak for _, peak in readings],
                forward=forward,
                backward=backward,
                library=list(library.op_types(graph)),
                theory=theory.of(cells.found(step, ran), steps=steps),
                custom_gradients=step.custom_gradients,
                trains_itself=step.trains_itself,
                graph_bytes=library.serialized_bytes(graph),
            )

    def _record(
        self,
        step: TrainingStep,
        readings: list[tuple[int | None, int | None]],
        *,
        look_inside: bool = False,
    ) -> tuple[Recording, Flow]:
        allocator, recorder = self._runtime.allocator, self._recorder
        recording = Recording(allocator.device)
        with (
            recorder.phase(phases.RECORD),
            tf1.Session(config=self._runtime.config) as session,
        ):
            # Inside: what is released when the session ends is no part of a step.
            with recording.open(recorder.log_path.parent / "profile"):
                initialize(session, step)
                for _ in range(RECORDED_STEPS):
                    resident = allocator.in_use()
                    readings.append((resident, run_step(session, step, allocator)))
            # After it: the runtime traces one thing at a time.
            seen = _flow(session, step) if look_inside else Flow()
        return recording, seen


def _flow(session: Any, step: TrainingStep) -> Flow:
    return flow.of_run(run_traced(session, step), session.graph)
