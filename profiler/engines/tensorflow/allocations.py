"""Recording what a training step asks the device's allocator for.

TensorFlow's profiler holds an event for each allocation and release of a BFC allocator, with
its address, the bytes asked for, and the op, the shape and the data type it was for.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from profiler.forecast.trace import Trace

_ALLOCATION = "MemoryAllocation"
_RELEASE = "MemoryDeallocation"
# The allocators that a device's tensors come from, as their events name them.
_ALLOCATORS = {"CPU:0": "bfc_cpu_allocator_for_gpu", "GPU:0": "GPU_0_bfc"}


class Recording:
    """The allocations made while it was open."""

    def __init__(self, device: str) -> None:
        """Record the allocator of ``device``, ``CPU:0`` or ``GPU:0``."""
        self._allocator = _ALLOCATORS[device]
        self._events: list[tuple[int, str, dict[str, Any]]] = []

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[None]:
        """Record until the end of the block; ``folder`` is for the profiler's files."""
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=2, python_tracer_level=0, device_tracer_level=0
        )
        tf.profiler.experimental.start(str(folder), options)
        try:
            yield
        finally:
            tf.profiler.experimental.stop()
        for path in folder.rglob("*.xplane.pb"):
            self._read(path.read_bytes())
        shutil.rmtree(folder, ignore_errors=True)
        self._events.sort(key=lambda event: event[0])

    def trace(self) -> Trace:
        """Return what was recorded; releases of what was there before are left out."""
        labels: list[str] = []
        events: list[tuple[int, int]] = []
        held: dict[int, int] = {}
        for _, name, facts in self._events:
            if name == _ALLOCATION:
                held[facts["addr"]] = len(labels)
                events.append((len(labels), facts["requested_bytes"]))
                rank = facts.get("shape", "").count(",")
                kind = facts.get("region_type", "")
                labels.append(f"{facts.get('tf_op', '')} {kind} {'x' * rank}")
            elif facts["addr"] in held:
                events.append((held.pop(facts["addr"]), 0))
        return Trace(labels=labels, events=events)

    def addresses(self) -> list[int]:
        """Return the address of each allocation, in the order of the trace's labels."""
        return [facts["addr"] for _, name, facts in self._events if name == _ALLOCATION]

    def _read(self, space: bytes) -> None:
        for plane in xplane_pb2.XSpace.FromString(space).planes:
            names = {key: item.name for key, item in plane.event_metadata.items()}
            fields = {key: item.name for key, item in plane.stat_metadata.items()}
            for line in plane.lines:
                for event in line.events:
                    name = names[event.metadata_id]
                    if name not in {_ALLOCATION, _RELEASE}:
                        continue
                    facts = {fields[stat.metadata_id]: _value(stat, fields) for stat in event.stats}
                    if facts["allocator_name"] == self._allocator:
                        at = line.timestamp_ns * 1000 + event.offset_ps
                        self._events.append((at, name, facts))


def _value(stat: Any, names: dict[int, str]) -> Any:
    kind = stat.WhichOneof("value")
    return names[stat.ref_value] if kind == "ref_value" else getattr(stat, kind)
