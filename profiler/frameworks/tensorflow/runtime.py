"""TensorFlow in a child: its runtime is set up for a point, and started when it is needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import tensorflow as tf
from tensorflow.python.ops import gen_dataset_ops

from profiler.facts import Point, Schedule, Shortage
from profiler.frameworks import Description, PointError, visible_cards
from profiler.frameworks.recorder import Recorder
from profiler.frameworks.tensorflow import shortage
from profiler.frameworks.tensorflow.allocator import Allocator
from profiler.frameworks.tensorflow.step import keep_host_tensors_apart
from profiler.limits import host_memory, machine
from profiler.units import MIB

tf1 = tf.compat.v1

# Constants that the executor's own constant folding made, and how large they may get.
MOST_FOLDED_BYTES = 10 << 20
# The allocator's book-keeping takes 8 host bytes per 256 bytes of a region, used or not.
_UNLIMITED_REGION_BYTES = 1 << 30
# A card that has no more makes its allocator try again with nine tenths. That is seen, and the
# few bytes that the device itself takes first are not.
_GIVEN_SHARE = 0.95
_PACKAGES = ("tensorflow", "tf_keras", "keras", "numpy")


class TensorFlowRuntime:
    """See ``profiler.frameworks.Runtime``.

    Attributes:
        allocator: what the device's allocator says.
        config: of every session.
        graph: the graph that is measured, once there is one.
    """

    def __init__(self) -> None:
        """Make a runtime that has not been started."""
        self.allocator = Allocator()
        self.config = tf1.ConfigProto()
        self.graph: Any = None
        self._region_bytes: int | None = None
        self._on_card = False
        self._started = False
        self._is_serial = False

    @property
    def copies_feeds(self) -> bool:
        """Whether fed tensors are copied within the step, as a GPU gets them."""
        return self._region_bytes is not None and not self._on_card

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """While a graph is built: in the serial schedule, data is fetched in the caller's thread.

        The usual kernel fetches in a thread of its own and goes on there: nodes run in an order
        that depends on which thread is first.
        """
        if not self._is_serial:
            yield
            return
        in_turn = gen_dataset_ops.iterator_get_next_sync
        with mock.patch.object(gen_dataset_ops, "iterator_get_next", in_turn):
            yield

    def prepare(self, point: Point) -> None:
        """Set the runtime up, without starting it, for the point's device, limit, schedule."""
        kind, _, index = point.device.partition(":")
        if point.schedule is Schedule.SERIAL:
            self._serialize()
        if kind == "gpu":
            self._use_gpu(int(index or 0), point.limit_bytes)
            return
        visible_cards.see_none()
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
        self.allocator = Allocator(is_complete=False)

    def _serialize(self) -> None:
        self._is_serial = True
        # All are needed for peaks that repeat to the byte: by default the executor takes
        # ready nodes in an order that depends on addresses and on measured kernel times.
        os.environ["TF_DETERMINISTIC_ORDER"] = "1"
        self.config.inter_op_parallelism_threads = -1  # every node in the caller's thread
        # A kernel split over threads may free its scratch memory after the next one has begun.
        self.config.intra_op_parallelism_threads = 1

    def _use_gpu(self, index: int, limit: int | None) -> None:
        # One GPU only, so that both of TensorFlow's ways to ask for devices agree.
        visible_cards.see_only(index)
        # What the user set for other programs: regions that grow, another allocator.
        os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "false"
        os.environ.pop("TF_GPU_ALLOCATOR", None)
        gpus = tf.config.list_physical_devices("GPU")
        if len(gpus) != 1:
            raise PointError(f"gpu:{index}: TensorFlow sees {len(gpus)} cards, and not this one")
        if limit is not None:
            memory = tf.config.LogicalDeviceConfiguration(memory_limit=limit // MIB)
            tf.config.set_logical_device_configuration(gpus[0], [memory])
            virtual = self.config.gpu_options.experimental.virtual_devices.add()
            virtual.memory_limit_mb.append(limit // MIB)
        self._on_card = True
        self._region_bytes = limit
        self.allocator = Allocator("GPU:0")

    def start(self, recorder: Recorder) -> None:
        """Start the runtime, unless it has been.

        Only after the graph was built: with a running runtime the small constants of
        TensorFlow's shape inference would come from the measured allocator.
        """
        if self._started:
            return
        self._started = True
        if self._region_bytes is not None:
            self._reserve_one_region(self._region_bytes, recorder)
        self.allocator.start(recorder)

    def _reserve_one_region(self, size: int, recorder: Recorder) -> None:
        """Make the CPU's allocator take its memory as one region, as it does on a GPU.

        By default it grows by regions of doubling size, whose seams waste memory in an
        order that depends on addresses. A temporary variable reserves without touching a
        page; an op with a fed shape would not do, the shape's copy takes a region first.

        Raises:
            PointError: if a card has less than its limit.
        """
        kib = int((size // MIB << 10) * (_GIVEN_SHARE if self._on_card else 1))
        with tf.Graph().as_default(), tf.device(self.allocator.device):
            reserved = tf.raw_ops.TemporaryVariable(
                shape=[kib, 256], dtype=tf.float32, var_name="reserved"
            )
            free = tf.raw_ops.DestroyTemporaryVariable(ref=reserved, var_name="reserved").op
            try:
                with tf1.Session(config=self.config) as session:
                    session.run(free)
            except tf.errors.ResourceExhaustedError:
                if self._on_card:
                    raise PointError(
                        f"TensorFlow cannot take its limit of {size // MIB} MiB on the card: "
                        "the card has less, or another program holds some of it"
                    ) from None
                recorder.note("the machine would not reserve the allocator's memory as one region")

    def fold_at_most(self, size: int) -> None:
        """Fold no constant of more than ``size`` bytes."""
        options = self.config.graph_options.optimizer_options
        options.max_folded_constant_in_bytes = max(1, size)

    def cause(self, error: BaseException) -> BaseException:
        """Return the runtime's own error, which TensorFlow wraps into one of graph stacks.

        What a ``tf.function`` of the user's raised while it was traced begins with a stack, too.
        """
        traced = getattr(error, "ag_error_metadata", None)
        if traced is not None and not isinstance(error, tf.errors.OpError):
            return PointError(traced.cause_message)
        inner = error.__context__
        return (
            inner if type(inner) is type(error) and isinstance(error, tf.errors.OpError) else error
        )

    def out_of_memory(self, error: BaseException, log: Path) -> Shortage | None:
        """Return what the allocator could not give, or None for any other error."""
        return shortage.device_oom(error, log, self.graph)

    def describe(self) -> Description:
        """Return the versions, and the devices that TensorFlow sees."""
        visible_cards.see_offered()
        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = [str(item.get("device_name", "unknown")) for item in details]
        return Description(
            versions={name: version(name) for name in _PACKAGES},
            devices=["cpu", *(f"gpu:{index} {name}" for index, name in enumerate(names))],
        )
