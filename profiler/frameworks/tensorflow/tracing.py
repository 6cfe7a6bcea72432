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
from profiler.frameworks.tensorflow.step import TrainingStep, build_step, run_step, run_traced

tf1 = tf.compat.v1

RECORDED_STEPS = 2  # the first one and a steady one: the others repeat that


class Tracer:
    """Builds training steps and records the allocations of their first runs."""

    def __init__(self, runtime: TensorFlowRuntime, point: Point, recorder: Recorder) -> None:
        """Take the runtime, prepared for the point, and what takes the phases."""
        self._runtime = runtime
        self._point = point
        self._recorder = recorder

    def recording(self, build: Callable[[], object]) -> Recording:
        """Return what a session asks for, up to its first steady step."""
        with tf.Graph().as_default() as graph:
            return self._record(self._built(graph, build), [])[0]

    def recorded(self, steps: int, build: Callable[[], object]) -> Recorded:
        """Return the same with what the graph says of it."""
        readings: list[tuple[int | None, int | None]] = []
        with tf.Graph().as_default() as graph:
            step = self._built(graph, build)
            recording, ran = self._record(step, readings, look_inside=True)
            names, events = recording.events()
            operations = graph.get_operations()
            backward = [item for item in operations if item.name in step.backward_names]
            forward = [
                item
                for item in operations
                if item.name not in step.backward_names and item.name not in step.copy_names
            ]
            return Recorded(
                steps=steps,
                ops=dataflow.ops(names, graph, step, ran),
                events=events,
                residents=[resident for resident, _ in readings],
                peaks=[peak for _, peak in readings],
                forward=[(item.name, item.type) for item in forward],
                backward=[(item.name, item.type) for item in backward],
                library=list(library.op_types(graph)),
                theory=theory.of(cells.found(step, ran), steps=steps),
                custom_gradients=step.custom_gradients,
                trains_itself=step.trains_itself,
                graph_bytes=library.serialized_bytes(graph),
            )

    def _built(self, graph: Any, build: Callable[[], object]) -> TrainingStep:
        return build_step(graph, build, self._recorder, copy_feeds=self._runtime.copies_feeds)

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
                session.run([tf1.global_variables_initializer()])
                for _ in range(RECORDED_STEPS):
                    resident = allocator.in_use()
                    readings.append((resident, run_step(session, step, allocator)))
            # After it: the runtime traces one thing at a time.
            seen = _flow(session, step) if look_inside else Flow()
        return recording, seen


def _flow(session: Any, step: TrainingStep) -> Flow:
    return flow.of_run(run_traced(session, step), session.graph)
