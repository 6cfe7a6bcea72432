"""The engine: a child's runtime is set up, started, and runs the training steps."""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf

from profiler.explain.account import Recorded
from profiler.facts import Point, Schedule, Shortage, WallPredictions
from profiler.forecast.replayed import Source, predict_each
from profiler.forecast.trace import Trace
from profiler.frameworks import Mode, PointError, PredictionRequest
from profiler.frameworks.log_watch import LogWatch
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.stall_watch import StallWatch
from profiler.frameworks.tensorflow import messages, shortage
from profiler.frameworks.tensorflow.allocator import Allocator
from profiler.frameworks.tensorflow.expectation import changes_from
from profiler.frameworks.tensorflow.step import (
    TrainingStep,
    build_step,
    count_library,
    keep_host_tensors_apart,
    run_step,
)
from profiler.frameworks.tensorflow.tracing import Tracer
from profiler.limits import host_memory, machine
from profiler.units import MIB

tf1 = tf.compat.v1

STEADY_STEPS = 5
# Constants that the executor's own constant folding made, and how large they may get.
_FOLDED_LABEL = "__cf__"
_MOST_FOLDED_BYTES = 10 << 20
# The allocator's book-keeping takes 8 host bytes per 256 bytes of a region, used or not.
_UNLIMITED_REGION_BYTES = 1 << 30
# What the graph optimizer makes to add up in place what an AddN would wait for.
_IN_PLACE = "TemporaryVariable"
_SUMMED_IN_PLACE = (
    "TensorFlow's graph optimizer made the sums of gradients add up in place: it expects the graph "
    "to need more than the device has, for which it takes 256 MiB on any CPU. Fewer steps may need "
    "more memory, and on a GPU this begins at another length"
)
_PACKAGES = ("tensorflow", "tf_keras", "keras", "numpy")


class TensorFlowEngine:
    """Measures ``Training`` graphs; see ``profiler.frameworks.Engine``."""

    def __init__(self) -> None:
        """Make an engine whose runtime has not been started."""
        self._allocator = Allocator()
        self._config = tf1.ConfigProto()
        self._region_bytes: int | None = None
        self._started = False
        self._graph: Any = None

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""
        kind, _, index = point.device.partition(":")
        if point.schedule is Schedule.SERIAL:
            self._serialize()
        if kind == "gpu":
            self._use_gpu(int(index or 0), point.limit_bytes)
            return
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        keep_host_tensors_apart()
        if point.host_limit_bytes is not None:
            self._use_default_allocator(point)
            return
        ceiling = point.limit_bytes or max(machine.available_bytes(), MIB)
        os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "1"
        os.environ["TF_CPU_BFC_MEM_LIMIT_IN_MB"] = str(ceiling // MIB)
        self._region_bytes = point.limit_bytes or min(ceiling, _UNLIMITED_REGION_BYTES)

    def _use_default_allocator(self, point: Point) -> None:
        # As any training process would: BFC's reserved region would count under a host limit.
        if point.limit_bytes is not None:
            raise PointError("on CPU a point has a device limit or a host limit, not both")
        if point.schedule is Schedule.SERIAL:
            host_memory.steady_malloc()
        self._allocator = Allocator(is_complete=False)

    def _serialize(self) -> None:
        # All are needed for peaks that repeat to the byte: by default the executor takes
        # ready nodes in an order that depends on addresses and on measured kernel times.
        os.environ["TF_DETERMINISTIC_ORDER"] = "1"
        self._config.inter_op_parallelism_threads = -1  # every node in the caller's thread
        # A kernel split over threads may free its scratch memory after the next one has begun.
        self._config.intra_op_parallelism_threads = 1

    def _use_gpu(self, index: int, limit: int | None) -> None:
        # CUDA reads this when it is first touched, which is in this child: the point sees
        # one GPU only, so that both of TensorFlow's ways to ask for devices agree.
        offered = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = offered.split(",")[index] if offered else str(index)
        if limit is not None:
            (gpu,) = tf.config.list_physical_devices("GPU")
            memory = tf.config.LogicalDeviceConfiguration(memory_limit=limit // MIB)
            tf.config.set_logical_device_configuration(gpu, [memory])
            virtual = self._config.gpu_options.experimental.virtual_devices.add()
            virtual.memory_limit_mb.append(limit // MIB)
        self._allocator = Allocator("GPU:0")

    def _start(self, recorder: Recorder) -> None:
        """Start the runtime, unless it has been.

        Only after the graph was built: with a running runtime the small constants of
        TensorFlow's shape inference would come from the measured allocator.
        """
        if self._started:
            return
        self._started = True
        if self._region_bytes is not None:
            self._reserve_one_region(self._region_bytes, recorder)
        self._allocator.start(recorder)

    def _reserve_one_region(self, size: int, recorder: Recorder) -> None:
        """Make the CPU's allocator take its memory as one region, as it does on a GPU.

        By default it grows by regions of doubling size, whose seams waste memory in an
        order that depends on addresses. A temporary variable reserves without touching a
        page; an op with a fed shape would not do, the shape's copy takes a region first.
        """
        with tf.Graph().as_default():
            reserved = tf.raw_ops.TemporaryVariable(
                shape=[size // MIB, MIB], dtype=tf.uint8, var_name="reserved"
            )
            free = tf.raw_ops.DestroyTemporaryVariable(ref=reserved, var_name="reserved").op
            try:
                with tf1.Session(config=self._config) as session:
                    session.run(free)
            except tf.errors.ResourceExhaustedError:
                recorder.note("the machine would not reserve the allocator's memory as one region")

    def measure(
        self,
        point: Point,
        build: Callable[[], Any],
        recorder: Recorder,
        mode: Mode,
    ) -> None:
        """Build, count, run and look inside; see ``profiler.frameworks.Engine``."""
        if mode.like is not None:
            self._fold_at_most(_MOST_FOLDED_BYTES * point.steps // mode.like)
        with tf.Graph().as_default() as graph:
            self._graph = graph
            step = build_step(graph, build, recorder, copy_feeds=self._region_bytes is not None)
            fed = sum(array.nbytes for array in step.feeds.values())
            recorder.put("device", fed_bytes=fed, limit_bytes=point.limit_bytes)
            with recorder.phase("runtime"):
                self._start(recorder)
            recorder.raise_baseline("runtime_bytes")
            give_up = functools.partial(shortage.give_up, graph, recorder)
            try:
                with contextlib.ExitStack() as watches:
                    watches.enter_context(
                        LogWatch(recorder.log_path, messages.ABORT_MARKER, give_up)
                    )
                    if not mode.whole:
                        cut_short = functools.partial(shortage.cut_short, recorder)
                        watches.enter_context(StallWatch(cut_short))
                    self._run(step, recorder, inspect=mode.inspect)
            finally:
                count_library(graph, recorder)

    def forecast(
        self,
        point: Point,
        build: Callable[[int], Any],
        recorder: Recorder,
        horizon: PredictionRequest,
    ) -> WallPredictions:
        """Predict walls from small points; see ``profiler.frameworks.Engine``."""
        if point.schedule is not Schedule.SERIAL:
            return WallPredictions(walls=[None] * len(horizon.limits_bytes))
        self._start(recorder)
        tracer = self._tracer()

        def record(steps: int, folded_bytes: int | None) -> Trace:
            self._fold_at_most(folded_bytes or _MOST_FOLDED_BYTES)
            return tracer.recording(lambda: build(steps), recorder).trace()

        source = Source(
            record=record, folded_label=_FOLDED_LABEL, most_folded_bytes=_MOST_FOLDED_BYTES
        )
        walls = predict_each(source, limits_bytes=horizon.limits_bytes, max_steps=horizon.max_steps)
        # On a GPU the card's own memory sets that length.
        asked = horizon.changes and point.device == "cpu"
        changes = self._changes_from(build, recorder) if asked else None
        return WallPredictions(walls=walls, changes_from=changes)

    def _changes_from(self, build: Callable[[int], Any], recorder: Recorder) -> int | None:
        def step_graph(steps: int) -> tuple[Any, list[Any]]:
            with tf.Graph().as_default() as graph:
                copy_feeds = self._region_bytes is not None
                step = build_step(graph, lambda: build(steps), recorder, copy_feeds=copy_feeds)
                return graph, [step.loss, step.update]

        return changes_from(step_graph)

    def record(self, steps: int, build: Callable[[], Any], recorder: Recorder) -> Recorded:
        """Record one training step; see ``profiler.frameworks.Engine``."""
        self._start(recorder)
        return self._tracer().recorded(steps, build, recorder)

    def _tracer(self) -> Tracer:
        return Tracer(self._config, self._allocator, copy_feeds=self._region_bytes is not None)

    def _fold_at_most(self, size: int) -> None:
        """Fold no constant of more than ``size`` bytes."""
        options = self._config.graph_options.optimizer_options
        options.max_folded_constant_in_bytes = max(1, size)

    def _run(self, step: TrainingStep, recorder: Recorder, *, inspect: bool) -> None:
        with contextlib.ExitStack() as stack:
            with recorder.phase("initialize"):
                session = stack.enter_context(tf1.Session(config=self._config))
                session.run([tf1.global_variables_initializer()])
            recorder.put("time", initialize_s=recorder.seconds("initialize"))
            recorder.put("device", weights_bytes=self._allocator.in_use())
            self._train(session, step, recorder)
            if inspect:
                with recorder.phase("inspect"), shortage.excused(recorder):
                    self._look_inside(session, step, recorder)

    def _train(self, session: Any, step: TrainingStep, recorder: Recorder) -> None:
        with recorder.phase("first_step"):
            first_peak = run_step(session, step, self._allocator)
        first_s = recorder.seconds("first_step")
        recorder.put("time", first_step_s=first_s)
        recorder.put("device", first_step_peak_bytes=first_peak)
        residents, peaks, seconds = [], [], []
        with recorder.phase("steady"):
            for _ in range(STEADY_STEPS):
                residents.append(self._allocator.in_use())
                start = time.perf_counter()
                peaks.append(run_step(session, step, self._allocator))
                seconds.append(time.perf_counter() - start)
        recorder.put("time", step_s=statistics.median(seconds), steady_steps=len(seconds))
        known = [peak for peak in peaks if peak is not None]
        if first_peak is not None and known:
            recorder.put(
                "device",
                resident_bytes=residents[peaks.index(max(known))],
                steady_peak_bytes=max(known),
                peak_bytes=max(first_peak, *known),
            )

    def _look_inside(self, session: Any, step: TrainingStep, recorder: Recorder) -> None:
        self._allocator.reset()
        session.run(step.loss, step.feeds)
        recorder.put("device", forward_peak_bytes=self._allocator.peak())
        metadata = _trace(session, step)
        nodes = (node for part in metadata.partition_graphs for node in part.node)
        executed = [node for node in nodes if node.name not in step.copy_names]
        step.check_backprop(executed)
        by_op = dict(Counter(node.op for node in executed).most_common())
        recorder.put("graph", executed_nodes=len(executed), executed_by_op=by_op)
        built = {operation.type for operation in session.graph.get_operations()}
        if _IN_PLACE in by_op and _IN_PLACE not in built:
            recorder.note(_SUMMED_IN_PLACE)
        largest = _largest_allocation(metadata, self._allocator.device)
        recorder.put("device", largest_allocation_bytes=largest)

    def cause(self, error: BaseException) -> BaseException:
        """Return the runtime's own error, which TensorFlow wraps into one of graph stacks."""
        inner = error.__context__
        return (
            inner if type(inner) is type(error) and isinstance(error, tf.errors.OpError) else error
        )

    def device_oom(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what the allocator could not give, or None for any other error."""
        return shortage.device_oom(error, log, self._graph)

    def describe(self) -> dict[str, Any]:
        """Return the versions, and the devices that TensorFlow sees."""
        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [str(item.get("device_name", "unknown")) for item in details]
        return {
            "versions": {name: version(name) for name in _PACKAGES},
            "devices": ["cpu", *(f"gpu:{index} {name}" for index, name in enumerate(names))],
        }


def _trace(session: Any, step: TrainingStep) -> Any:
    options = tf1.RunOptions(trace_level=tf1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    metadata = tf1.RunMetadata()
    session.run([step.loss, step.update], step.feeds, options=options, run_metadata=metadata)
    return metadata


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
