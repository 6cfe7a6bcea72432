"""Out of memory on the device: what TensorFlow says of it, and ending the child when it does."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from profiler.facts import Outcome, Shortage, Status, out_of_device_memory, replace
from profiler.frameworks.recorder import UNWRITTEN, Recorder
from profiler.frameworks.tensorflow import library, messages, phases
from profiler.frameworks.tensorflow.step import record_bytes

INSPECTED = (
    "device.forward_peak_bytes",
    "device.largest_allocation_bytes",
    "graph.executed_nodes",
)
_RUNNING = {
    *(phases.INITIALIZE.name, phases.COMPILE.name),
    *(phases.FIRST_STEP.name, phases.STEADY.name),
}


def device_oom(error: BaseException, log: Path, graph: Any) -> Shortage | None:
    """Return what the allocator could not give, or None for any other error.

    Args:
        error: the runtime's own error.
        log: this process's captured output.
        graph: the graph that ran, or None if there was none yet.
    """
    return _read(str(error), log, graph) if _is_oom(error) else None


@contextlib.contextmanager
def excused(recorder: Recorder) -> Iterator[None]:
    """Let a run that only inspects go without memory, and say what is missing for it."""
    try:
        yield
    except tf.errors.OpError as error:
        if not _is_oom(error):
            raise
        _miss_inspection(recorder)


def give_up(graph: Any, recorder: Recorder, said: str) -> None:
    """End the process with the outcome that the runtime has just logged.

    The failed step itself returns only after every other node that is ready has tried and
    failed too, at 10 s each: minutes, for an unrolled graph.
    """
    record_bytes(graph, recorder)
    if recorder.phase_name == phases.INSPECT.name:
        _miss_inspection(recorder)
        ended = Outcome(status=Status.OK)
    else:
        shortage = _read(said, recorder.log_path, graph)
        ended = out_of_device_memory(shortage, recorder.phase_name)
    _leave(recorder, ended)


def cut_short(recorder: Recorder) -> None:
    """End the process, if it runs a step, as one that waits for memory it will not get."""
    if recorder.phase_name in _RUNNING:
        reason = "waits for memory that nothing else frees; cut short"
        _leave(
            recorder,
            Outcome(
                status=Status.OOM_DEVICE,
                phase=recorder.phase_name,
                reason=reason,
                cut_short=True,
            ),
        )


def _leave(recorder: Recorder, ended: Outcome) -> None:
    try:
        recorder.finish(ended)
    except OSError:
        os._exit(UNWRITTEN)
    os._exit(0)


def _is_oom(error: BaseException) -> bool:
    if isinstance(error, tf.errors.InvalidArgumentError):
        return messages.NO_CONSTANT in str(error)
    return isinstance(error, tf.errors.ResourceExhaustedError)


def _miss_inspection(recorder: Recorder) -> None:
    for field in INSPECTED:
        recorder.missing(field, "the extra run that measures it ran out of memory")


def _read(message: str, log: Path, graph: Any) -> Shortage:
    refused: list[messages.Refusal] = []
    with contextlib.suppress(OSError), log.open(encoding="utf-8", errors="replace") as lines:
        refused = messages.refusals(lines)
    found = messages.shortage(message, refused)
    if found.op is None or found.op_type is not None or graph is None:
        return found
    return replace(found, op_type=_op_type(found.op, graph))


def _op_type(op: str, graph: Any) -> str | None:
    with contextlib.suppress(KeyError, ValueError):
        return str(graph.get_operation_by_name(op).type)
    built: dict[str, set[str]] = defaultdict(set)
    for function in library.functions(graph):
        for node in function.node_def:
            built[node.name].add(node.op)
    return messages.type_of(op, built)
