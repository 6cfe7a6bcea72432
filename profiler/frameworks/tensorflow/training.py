"""Steps that a session runs in a TensorFlow 1 graph: trained or only run forward."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from profiler.explain.account import Recorded
from profiler.facts import Caveat, CaveatEffect, GraphStage, Point, StepTime
from profiler.forecast.recordings import TraceSource
from profiler.forecast.trace import Trace
from profiler.frameworks import Mode, PointError
from profiler.frameworks.allocators.bfc import BestFitCoalescing
from profiler.frameworks.calls import PARTS, Reading, grown
from profiler.frameworks.log_watch import LogWatch
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.stall_watch import StallWatch
from profiler.frameworks.tensorflow import advice, messages, phases, shortage
from profiler.frameworks.tensorflow.expectation import changes_from
from profiler.frameworks.tensorflow.runtime import MOST_FOLDED_BYTES, TensorFlowRuntime
from profiler.frameworks.tensorflow.step import (
    TrainingStep,
    UnreadableRunError,
    build_step,
    fed_bytes,
    initialize,
    record_bytes,
    run_step,
    run_traced,
)
from profiler.frameworks.tensorflow.tracing import RECORDED_STEPS, Tracer
from profiler.lengths import Lengths
from profiler.limits import host_memory
from profiler.scenario import Training

tf1 = tf.compat.v1

STEADY_STEPS = 5
# To see growth per call: up to so many steps, as far as they take no longer than this.
_CALLS, _WATCH_S = 50, 1.0
_METHODS = {
    advice.TREE: tf1.AggregationMethod.EXPERIMENTAL_TREE,
    advice.ACCUMULATE_N: tf1.AggregationMethod.EXPERIMENTAL_ACCUMULATE_N,
}
_FOLDED_LABEL = "__cf__"
# kMaxConstantSize of the graph optimizer's constant folding, which no option changes.
_MOST_COMPUTED_BYTES = 100 << 10
# Iterations of a while loop that run at once, by default.
_AHEAD = 32
# What the graph optimizer makes to add up in place what an AddN would wait for.
_IN_PLACE = "TemporaryVariable"
_SUMMED_IN_PLACE = (
    "TensorFlow's graph optimizer sums gradients in place here: it expects the graph to need more "
    "than the device has, which it takes to be 256 MiB on any CPU. Fewer steps may need "
    "more memory, and on a GPU this begins at another length"
)
_MAY_SUM_IN_PLACE = "TensorFlow's graph optimizer may sum gradients in place"


class GraphSteps:
    """The steps of one scenario that builds a graph; see ``frameworks.Steps``.

    Attributes:
        starts_first: whether the scenario needs a runtime that has been started.
    """

    starts_first = False

    def __init__(
        self,
        runtime: TensorFlowRuntime,
        point: Point,
        build: Callable[[int], object],
        recorder: Recorder,
    ) -> None:
        """Take the runtime, prepared for the point, and what builds its scenario."""
        self._runtime = runtime
        self._point = point
        self._build = build
        self._recorder = recorder
        self._tracer = Tracer(runtime, point, recorder)

    def built(self, graph: Any, steps: int, method: str | None = None) -> TrainingStep:
        """Build the step of this length in the graph.

        Args:
            graph: the empty default graph.
            steps: the length.
            method: one of the framework's variants, for what has no gradients of its own.
        """

        def build() -> object:
            with self._runtime.building():
                training = self._build(steps)
            if method is None or not isinstance(training, Training):
                return training
            gradients = functools.partial(tf1.gradients, aggregation_method=_METHODS[method])
            return dataclasses.replace(training, gradients=gradients)

        return build_step(graph, build, self._recorder, copy_feeds=self._runtime.copies_feeds)

    def measure(self, mode: Mode) -> None:
        """Build, count, run and look inside; see ``frameworks.Steps``."""
        runtime, point, recorder = self._runtime, self._point, self._recorder
        if mode.scaled_to is not None:
            runtime.fold_at_most(MOST_FOLDED_BYTES * point.steps // mode.scaled_to)
        if self.starts_first:
            self._start()
        with tf.Graph().as_default() as graph:
            runtime.graph = graph
            step = self.built(graph, point.steps, mode.variant)
            fed = sum(map(fed_bytes, step.feeds.values()))
            recorder.device(fed_bytes=fed, limit_bytes=point.limit_bytes)
            recorder.fed(array.shape for array in step.feeds.values())
            if not self.starts_first:
                self._start()
            give_up = functools.partial(shortage.give_up, graph, recorder)
            try:
                with contextlib.ExitStack() as watches:
                    watches.enter_context(
                        LogWatch(recorder.log_path, messages.ABORT_MARKER, give_up)
                    )
                    # A kernel on a card leaves this process without work, too.
                    if not mode.whole and not point.on_card:
                        cut_short = functools.partial(shortage.cut_short, recorder)
                        watches.enter_context(StallWatch(cut_short))
                    self._run(step, inspect=mode.inspect)
            finally:
                record_bytes(graph, recorder)

    def record(self, steps: int) -> Recorded:
        """Record one training step; see ``frameworks.Steps``."""
        self._runtime.start(self._recorder)

        def in_parts(graph: Any) -> TrainingStep:
            step = self.built(graph, steps)
            if step.compiled_name is not None:  # nothing of its block would be in the account
                raise PointError(phases.COMPILED)
            return step

        return self._tracer.recorded(steps, in_parts)

    def traces(self) -> TraceSource:
        """Return where the allocations of short runs come from; see ``frameworks.Steps``."""
        self._runtime.start(self._recorder)

        def record(steps: int, folded_bytes: int | None) -> Trace:
            self._runtime.fold_at_most(folded_bytes or MOST_FOLDED_BYTES)
            recording = self._tracer.recording(lambda graph: self.built(graph, steps))
            return recording.trace(more_runs=1 + STEADY_STEPS - RECORDED_STEPS)

        return TraceSource(
            record=record,
            allocator=BestFitCoalescing(),
            folded_label=_FOLDED_LABEL,
            most_folded_bytes=MOST_FOLDED_BYTES,
            most_computed_bytes=_MOST_COMPUTED_BYTES,
            ahead=_AHEAD,
        )

    def caveats(self, lengths: Lengths) -> list[Caveat]:
        """Return from where on the optimizer may change the graph; see ``frameworks.Steps``."""
        if self._point.on_card:  # on a GPU the card's own memory sets that length
            return []

        def step_graph(steps: int) -> tuple[Any, list[Any]]:
            with tf.Graph().as_default() as graph:
                return graph, self.built(graph, steps).fetches

        first = changes_from(step_graph, lengths)
        if first is None:
            return []
        return [
            Caveat(
                metric=metric,
                effect=CaveatEffect.UPPER_BOUND,
                text=_MAY_SUM_IN_PLACE,
                from_steps=first,
            )
            for metric in ("backprop", "peak", "host")
        ]

    def _start(self) -> None:
        with self._recorder.phase(phases.RUNTIME):
            self._runtime.start(self._recorder)
        self._recorder.raise_baseline()

    def _run(self, step: TrainingStep, *, inspect: bool) -> None:
        recorder = self._recorder
        with contextlib.ExitStack() as stack:
            with recorder.phase(phases.INITIALIZE):
                session = stack.enter_context(tf1.Session(config=self._runtime.config))
                initialize(session, step)
            recorder.device(weights_bytes=self._runtime.allocator.in_use())
            self._train(session, step)
            if inspect:
                recorder.lift_host_limit()
                with recorder.phase(phases.INSPECT), shortage.excused(recorder):
                    self._look_inside(session, step)
                    self._watch_calls(session, step)

    def _train(self, session: Any, step: TrainingStep) -> None:
        recorder, allocator = self._recorder, self._runtime.allocator
        compiled_peak = None
        if step.compiled_name is not None:
            with recorder.phase(phases.COMPILE):
                compiled_peak = run_step(session, step, allocator)
        with recorder.phase(phases.FIRST_STEP):
            first_peak = run_step(session, step, allocator)
        if first_peak is not None and compiled_peak is not None:
            first_peak = max(first_peak, compiled_peak)
        recorder.device(first_step_peak_bytes=first_peak)
        residents, peaks, seconds = [], [], []
        with recorder.phase(phases.STEADY):
            for _ in range(STEADY_STEPS):
                residents.append(allocator.in_use())
                start = time.perf_counter()
                peaks.append(run_step(session, step, allocator))
                seconds.append(time.perf_counter() - start)
        recorder.step(StepTime(median_s=statistics.median(seconds), steps=len(seconds)))
        known = [peak for peak in peaks if peak is not None]
        if first_peak is not None and known:
            recorder.device(
                resident_bytes=residents[peaks.index(max(known))],
                steady_peak_bytes=max(known),
                peak_bytes=max(first_peak, *known),
            )

    def _look_inside(self, session: Any, step: TrainingStep) -> None:
        recorder, allocator = self._recorder, self._runtime.allocator
        if step.compiled_name is not None:
            recorder.missing("device.forward_peak_bytes", phases.COMPILED)
            recorder.note(phases.COMPILED)
        elif step.has_other_losses:
            recorder.missing("device.forward_peak_bytes", phases.SEVERAL_LOSSES)
        else:
            allocator.reset()
            session.run(step.forward_fetches, step.feeds)
            recorder.device(forward_peak_bytes=allocator.peak())
        try:
            metadata = run_traced(session, step)
        except UnreadableRunError as error:
            for field in shortage.INSPECTED[1:]:
                recorder.missing(field, str(error))
            return
        nodes = (node for part in metadata.partition_graphs for node in part.node)
        executed = [node for node in nodes if node.name not in step.copy_names]
        step.check_backprop(executed)
        by_op = dict(Counter(node.op for node in executed).most_common())
        recorder.stage(GraphStage(name=phases.EXECUTED, nodes=len(executed), by_op=by_op))
        built = {operation.type for operation in session.graph.get_operations()}
        if _IN_PLACE in by_op and _IN_PLACE not in built:
            recorder.note(_SUMMED_IN_PLACE)
        largest = _largest_allocation(metadata, allocator.device)
        recorder.device(largest_allocation_bytes=largest)

    def _watch_calls(self, session: Any, step: TrainingStep) -> None:
        """Run some more steps, and say what grows with them."""
        recorder, allocator = self._recorder, self._runtime.allocator
        each = recorder.report.step.median_s if recorder.report.step else _WATCH_S
        more = min(_CALLS - STEADY_STEPS, int(_WATCH_S / each))
        if more < PARTS:
            return

        def read(calls: int) -> Reading:
            nodes = len(session.graph.get_operations())
            return Reading(calls, allocator.in_use(), host_memory.resident_bytes(), nodes)

        readings = [read(STEADY_STEPS)]
        try:
            for part in range(1, PARTS + 1):
                upto = STEADY_STEPS + more * part // PARTS
                for _ in range(upto - readings[-1].calls):
                    run_step(session, step, allocator)
                readings.append(read(upto))
        except tf.errors.ResourceExhaustedError:
            recorder.note(f"it ran out of memory within {more} more steps: memory grows per call")
        else:
            for text in grown(readings):
                recorder.note(text)


def _largest_allocation(metadata: Any, device: str) -> int | None:
    return max(
        (
            record.alloc_bytes
            for stats in metadata.step_stats.dev_stats
            if stats.device.endswith(device)
            for node in stats.node_stats
            for memory in node.memory
            for record in memory.allocation_records
        ),
        default=None,
    )
