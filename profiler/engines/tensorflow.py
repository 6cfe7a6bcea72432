"""TensorFlow: graphs in a ``tf.compat.v1.Session``, on the BFC allocator on CPU and GPU."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import tensorflow as tf

from profiler import machine
from profiler.engines import PointError
from profiler.log_watch import LogWatch
from profiler.recorder import Recorder
from profiler.registry import Training
from profiler.results import Outcome, Point, Schedule, Status
from profiler.units import MIB

tf1 = tf.compat.v1

STEADY_STEPS = 5
# Small enough never to make a sound loss diverge within the few measured steps.
LEARNING_RATE = 1e-4
_INSPECTED = (
    "device.forward_peak_bytes",
    "device.largest_allocation_bytes",
    "graph.executed_nodes",
)
# What the runtime logs when an allocation failed for good and it gives the step up.
_OOM_MARKER = "is aborting with status: RESOURCE_EXHAUSTED"
_NO_CONSTANT = "Cannot parse tensor from proto"
_ALIGNMENT = 64  # bytes; TensorFlow uses a fed array in place only where it is aligned so
# The allocator's book-keeping takes 8 host bytes per 256 bytes of a region, used or not.
_UNLIMITED_REGION_BYTES = 1 << 30
_PACKAGES = ("tensorflow", "tf_keras", "keras", "numpy")
# Nodes that do no work of their own: they may be all that is left of a folded backward part.
_BUFFERLESS = {"Const", "Identity", "NoOp", "ReadVariableOp", "VarHandleOp", "_Arg", "_Retval"}


def engine() -> TensorFlowEngine:
    """Return the engine."""
    return TensorFlowEngine()


class TensorFlowEngine:
    """Measures ``Training`` graphs; see ``profiler.engines.Engine``."""

    def __init__(self) -> None:
        """Make an engine whose runtime has not been started."""
        self._device = "CPU:0"
        self._config = tf1.ConfigProto()
        self._region_bytes: int | None = None

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""
        kind, _, index = point.device.partition(":")
        if point.schedule is Schedule.SERIAL:
            self._serialize()
        if kind == "gpu":
            self._use_gpu(int(index or 0), point.limit_bytes)
            return
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        ceiling = point.limit_bytes or max(machine.available_bytes(), MIB)
        os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "1"
        os.environ["TF_CPU_BFC_MEM_LIMIT_IN_MB"] = str(ceiling // MIB)
        self._region_bytes = point.limit_bytes or min(ceiling, _UNLIMITED_REGION_BYTES)

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
        self._device = "GPU:0"

    def _start(self, recorder: Recorder) -> None:
        """Start the runtime.

        Only after the graph was built: with a running runtime the small constants of
        TensorFlow's shape inference would come from the measured allocator.
        """
        if self._region_bytes is not None:
            self._reserve_one_region(self._region_bytes, recorder)
        tf.config.experimental.reset_memory_stats(self._device)

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
        *,
        inspect: bool,
    ) -> None:
        """Build, count, run and look inside; see ``profiler.engines.Engine``."""
        with tf.Graph().as_default() as graph:
            step = _build(graph, build, recorder)
            fed = sum(array.nbytes for array in step.feeds.values())
            recorder.put("device", fed_bytes=fed, limit_bytes=point.limit_bytes)
            with recorder.phase("runtime"):
                self._start(recorder)
            recorder.raise_baseline("runtime_bytes")
            give_up = functools.partial(_give_up, graph, recorder)
            try:
                with LogWatch(recorder.log_path, _OOM_MARKER, give_up):
                    self._run(step, recorder, inspect=inspect)
            finally:
                _count_library(graph, recorder)

    def _run(self, step: _Step, recorder: Recorder, *, inspect: bool) -> None:
        with contextlib.ExitStack() as stack:
            with recorder.phase("initialize"):
                session = stack.enter_context(tf1.Session(config=self._config))
                session.run([tf1.global_variables_initializer()])
            recorder.put("time", initialize_s=recorder.seconds("initialize"))
            recorder.put("device", weights_bytes=self._in_use())
            self._train(session, step, recorder)
            if inspect:
                with recorder.phase("inspect"):
                    self._look_inside(session, step, recorder)

    def _train(self, session: Any, step: _Step, recorder: Recorder) -> None:
        with recorder.phase("first_step"):
            first_peak = self._step(session, step)
        first_s = recorder.seconds("first_step")
        recorder.put("time", first_step_s=first_s)
        recorder.put("device", first_step_peak_bytes=first_peak)
        residents, peaks, seconds = [], [], []
        with recorder.phase("steady"):
            for _ in range(STEADY_STEPS):
                residents.append(self._in_use())
                start = time.perf_counter()
                peaks.append(self._step(session, step))
                seconds.append(time.perf_counter() - start)
        peak = max(peaks)
        recorder.put("time", step_s=statistics.median(seconds), steady_steps=len(seconds))
        recorder.put(
            "device",
            resident_bytes=residents[peaks.index(peak)],
            steady_peak_bytes=peak,
            peak_bytes=max(peak, first_peak),
        )

    def _step(self, session: Any, step: _Step) -> int:
        """Run one training step and return the device's peak bytes during it."""
        tf.config.experimental.reset_memory_stats(self._device)
        loss, _ = session.run([step.loss, step.update], step.feeds)
        if not math.isfinite(loss):
            raise PointError(f"the loss is {loss}: a step that diverges measures nothing")
        return self._peak()

    def _look_inside(self, session: Any, step: _Step, recorder: Recorder) -> None:
        tf.config.experimental.reset_memory_stats(self._device)
        session.run(step.loss, step.feeds)
        recorder.put("device", forward_peak_bytes=self._peak())
        metadata = _trace(session, step)
        executed = [node for part in metadata.partition_graphs for node in part.node]
        step.check_backprop(executed)
        recorder.put("graph", executed_nodes=len(executed))
        recorder.put("device", largest_allocation_bytes=_largest_allocation(metadata, self._device))

    def _in_use(self) -> int:
        return int(tf.config.experimental.get_memory_info(self._device)["current"])

    def _peak(self) -> int:
        return int(tf.config.experimental.get_memory_info(self._device)["peak"])

    def cause(self, error: BaseException) -> BaseException:
        """Return the runtime's own error, which TensorFlow wraps into one of graph stacks."""
        inner = error.__context__
        return (
            inner if type(inner) is type(error) and isinstance(error, tf.errors.OpError) else error
        )

    def device_oom(self, error: BaseException) -> str | None:
        """Return what the allocator could not give, or None for any other error."""
        if isinstance(error, tf.errors.ResourceExhaustedError):
            lines = str(error).splitlines()
            return next((line.strip() for line in lines if "OOM when" in line), lines[0])
        # A constant that Grappler folded and the allocator has no room for ends like this.
        if isinstance(error, tf.errors.InvalidArgumentError) and _NO_CONSTANT in str(error):
            return f"OOM when making a constant of the optimized graph{_node_of(str(error))}"
        return None

    def describe(self) -> dict[str, Any]:
        """Return the versions, and the devices that TensorFlow sees."""
        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [str(item.get("device_name", "unknown")) for item in details]
        return {
            "versions": {name: version(name) for name in _PACKAGES},
            "devices": ["cpu", *(f"gpu:{index} {name}" for index, name in enumerate(names))],
        }


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One training step in a graph: what to run, what to feed, and what backprop added."""

    loss: Any
    update: Any
    feeds: dict[Any, Any]
    backward_names: frozenset[str]
    update_names: frozenset[str]

    def check_backprop(self, executed: Iterable[Any]) -> None:
        """Raise PointError unless the executed graph holds backward work and every update.

        TensorFlow prunes what no update needs: such a step would run nothing and seem free.
        """
        names = {node.name for node in executed}
        lost = self.update_names - names
        if lost:
            raise PointError(f"the executed step lacks updates of variables: {sorted(lost)}")
        working = (node.name for node in executed if node.op not in _BUFFERLESS)
        if not any(self._is_backward(name) for name in working):
            raise PointError("the executed step holds no backward node: no backprop was measured")

    def _is_backward(self, name: str) -> bool:
        if name in self.update_names:
            return False
        parts = name.split("/")
        # A lowered loop's nodes lie under the name of the loop that was built.
        return any("/".join(parts[:end]) in self.backward_names for end in range(1, len(parts) + 1))


def _build(graph: Any, build: Callable[[], Any], recorder: Recorder) -> _Step:
    with recorder.phase("build"):
        training = build()
    if not isinstance(training, Training):
        raise PointError(f"the scenario returned {type(training).__name__}, not Training")
    forward = len(graph.get_operations())
    recorder.put("time", build_forward_s=recorder.seconds("build"))
    with recorder.phase("gradients"):
        variables, gradients = _gradients(training)
        optimizer = tf1.train.GradientDescentOptimizer(LEARNING_RATE)
        update = optimizer.apply_gradients(zip(gradients, variables, strict=True))
    recorder.put("time", build_gradients_s=recorder.seconds("gradients"))
    operations = graph.get_operations()
    recorder.put(
        "graph",
        forward_nodes=forward,
        backward_nodes=len(operations) - forward,
        total_nodes=len(operations),
        by_op=dict(Counter(operation.type for operation in operations).most_common()),
    )
    return _Step(
        loss=training.loss,
        update=update,
        feeds={tensor: _fed(array) for tensor, array in training.feeds.items()},
        backward_names=frozenset(operation.name for operation in operations[forward:]),
        update_names=frozenset(operation.name for operation in update.control_inputs),
    )


def _fed(value: Any) -> np.ndarray[Any, Any]:
    """Return the array where TensorFlow must copy it to the device in every step.

    On CPU an aligned array is used in place, so that its bytes would count or not as
    chance aligns it; on a GPU it is always copied.
    """
    array = np.asarray(value)
    if array.dtype.hasobject:
        return array
    room = np.empty(array.nbytes + 2 * _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT + _ALIGNMENT // 4
    placed = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    placed[...] = array
    return placed


def _gradients(training: Training) -> tuple[Sequence[Any], Sequence[Any]]:
    variables = tf1.trainable_variables()
    if not variables:
        raise PointError("the scenario builds no trainable variable: there is nothing to train")
    if training.loss.shape.rank not in {0, None}:
        raise PointError(f"the loss must be a scalar, its shape is {training.loss.shape}")
    gradients = (training.gradients or tf1.gradients)(training.loss, variables)
    if len(gradients) != len(variables):
        raise PointError(f"{len(gradients)} gradients came for {len(variables)} variables")
    without = [
        variable.op.name
        for variable, gradient in zip(variables, gradients, strict=True)
        if gradient is None
    ]
    if without:
        raise PointError(f"the loss does not depend on variables: {', '.join(without)}")
    return variables, gradients


def _count_library(graph: Any, recorder: Recorder) -> None:
    definition = graph.as_graph_def()
    nodes = sum(len(function.node_def) for function in definition.library.function)
    recorder.put("graph", library_nodes=nodes, graph_bytes=definition.ByteSize())


def _give_up(graph: Any, recorder: Recorder, line: str) -> None:
    """End the process with the outcome that the runtime has just logged.

    The failed step itself returns only after every other node that is ready has tried and
    failed too, at 10 s each: minutes, for an unrolled graph.
    """
    _count_library(graph, recorder)
    reason = line.removeprefix(_OOM_MARKER).strip(": ")
    if recorder.phase_name == "inspect":
        for field in _INSPECTED:
            recorder.missing(field, "the extra run that measures it ran out of memory")
        recorder.finish(Outcome(status=Status.OK))
    else:
        recorder.finish(
            Outcome(
                status=Status.OOM_DEVICE,
                phase=recorder.phase_name,
                reason=reason.partition("\n")[0] + _node_of(line),
            )
        )
    os._exit(0)


def _node_of(message: str) -> str:
    node = re.search(r"\{\{node ([^}]+)\}\}", message)
    return f" in {node[1]}" if node else ""


def _trace(session: Any, step: _Step) -> Any:
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
