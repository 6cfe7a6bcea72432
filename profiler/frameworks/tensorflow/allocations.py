"""Recording what a training step asks the device's allocator for.

TensorFlow's profiler holds an event for each allocation and release of a BFC allocator, with
its address, the bytes asked for, and the op, the shape and the data type it was for.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from profiler.explain.ledger import Events
from profiler.forecast.trace import Trace

_ALLOCATION = "MemoryAllocation"
_RELEASE = "MemoryDeallocation"
# The allocators that a device's tensors come from, as their events name them.
_ALLOCATORS = {"CPU:0": "bfc_cpu_allocator_for_gpu", "GPU:0": "GPU_0_bfc"}
_FACTS = {
    *("allocator_name", "addr", "tf_op", "requested_bytes", "allocation_bytes"),
    *("id", "region_type", "shape", "data_type"),
}
# What a kernel asks for beside its outputs.
_SCRATCH = "temp"
_FLOATS = (tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128)


class _Event(NamedTuple):
    """An allocation or a release."""

    at: int
    is_allocation: bool
    address: int
    op: str
    requested: int
    chunk: int
    run: int
    region: str
    shape: str
    dtype: int


class Recording:
    """The allocations made while it was open."""

    def __init__(self, device: str) -> None:
        """Record the allocator of ``device``, ``CPU:0`` or ``GPU:0``."""
        self._allocator = _ALLOCATORS[device]
        self._events: list[_Event] = []

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
        self._events.sort(key=lambda event: event.at)

    def trace(self, *, more_runs: int = 0) -> Trace:
        """Return what was recorded; releases of what was there before are left out.

        Args:
            more_runs: how many times more than recorded the last step is run.
        """
        labels: list[str] = []
        events: list[tuple[int, int]] = []
        held: dict[int, int] = {}
        for event in self._events:
            if event.is_allocation:
                held[event.address] = len(labels)
                events.append((len(labels), event.requested))
                labels.append(f"{event.op} {event.region} {'x' * event.shape.count(',')}")
            elif event.address in held:
                events.append((held.pop(event.address), 0))
        runs = [event.run for event in self._events if event.is_allocation]
        began = {run: at for at, run in reversed([*enumerate(runs)]) if run > 0}
        last_run = len(runs) - max(began.values(), default=len(runs))
        return Trace(labels, events, last_run, more_runs)

    def addresses(self) -> list[int]:
        """Return the address of each allocation, in the order of the trace's labels."""
        return [event.address for event in self._events if event.is_allocation]

    def events(self) -> tuple[list[str], Events]:
        """Return the names of the ops that allocated, and what was recorded, as columns."""
        names: dict[str, int] = {}
        op = [names.setdefault(event.op, len(names)) for event in self._events]
        floats = {kind.as_datatype_enum for kind in _FLOATS}

        def column(name: str) -> Any:
            return np.array([getattr(event, name) for event in self._events], np.int64)

        return list(names), Events(
            is_allocation=column("is_allocation").astype(bool),
            address=column("address"),
            op=np.array(op, np.int64),
            requested=column("requested"),
            chunk=column("chunk"),
            run=column("run"),
            is_float=np.array([event.dtype in floats for event in self._events], bool),
            is_scratch=np.array([event.region == _SCRATCH for event in self._events], bool),
        )

    def _read(self, space: bytes) -> None:
        for plane in xplane_pb2.XSpace.FromString(space).planes:
            kinds = {key: item.name for key, item in plane.event_metadata.items()}
            kinds = {key: name for key, name in kinds.items() if name in {_ALLOCATION, _RELEASE}}
            names = {key: item.name for key, item in plane.stat_metadata.items()}
            # There may be a million events: of each only the facts that are used are read.
            wanted = {key: name for key, name in names.items() if name in _FACTS}
            for line in plane.lines:
                start = line.timestamp_ns * 1000
                for event in line.events:
                    if (kind := kinds.get(event.metadata_id)) is None:
                        continue
                    facts = {
                        wanted[stat.metadata_id]: _value(stat, names)
                        for stat in event.stats
                        if stat.metadata_id in wanted
                    }
                    if facts["allocator_name"] == self._allocator:
                        at = start + event.offset_ps
                        self._events.append(_event(at, facts, is_allocation=kind == _ALLOCATION))


def _event(at: int, facts: dict[str, Any], *, is_allocation: bool) -> _Event:
    return _Event(
        at=at,
        is_allocation=is_allocation,
        address=facts["addr"],
        op=facts.get("tf_op", ""),
        requested=facts["requested_bytes"],
        chunk=facts["allocation_bytes"],
        run=facts.get("id", 0),
        region=facts.get("region_type", ""),
        shape=facts.get("shape", ""),
        dtype=facts.get("data_type", 0),
    )


def _value(stat: Any, names: dict[int, str]) -> Any:
    kind = stat.WhichOneof("value")
    return names[stat.ref_value] if kind == "ref_value" else getattr(stat, kind)
