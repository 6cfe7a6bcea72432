"""The library's recurrent cells in a training step, as they were seen to run."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from profiler.explain.roles import Part
from profiler.frameworks.tensorflow import values
from profiler.frameworks.tensorflow.flow import JOINT, Flow
from profiler.frameworks.tensorflow.step import TrainingStep
from profiler.frameworks.tensorflow.theory import Cell

# The kernels of the library's cells, and how many times their units these have columns.
_KERNELS = {
    "basic_rnn_cell/kernel": ("basic", 1),
    "lstm_cell/kernel": ("lstm", 4),
    "basic_lstm_cell/kernel": ("lstm", 4),
    "gru_cell/candidate/kernel": ("gru", 1),
}
# Beside a kernel and its bias nothing else: no projection, no peepholes.
_KNOWN = {"kernel", "bias", "candidate/kernel", "candidate/bias", "gates/kernel", "gates/bias"}
_PRODUCTS = {"MatMul", "_FusedMatMul"}


def found(step: TrainingStep, flow: Flow) -> list[Cell] | None:
    """Return each of the library's cells; None where one is unlike the equations."""
    cells = list(_cells(step, flow))
    return None if None in cells else [cell for cell in cells if cell is not None]


def _cells(step: TrainingStep, flow: Flow) -> Iterator[Cell | None]:
    names = [variable.op.name for variable in step.variables]
    for variable in step.variables:
        name = variable.op.name
        for ending, (kind, gates) in _KERNELS.items():
            if not f"/{name}".endswith(f"/{ending}"):
                continue
            scope = name[: len(name) - len(ending)] + ending.partition("/")[0] + "/"
            inside = {one[len(scope) :] for one in names if one.startswith(scope)}
            rows, columns = variable.shape.as_list()
            runs, batches = _products(step, flow, name, columns)
            plain = inside <= _KNOWN and variable.dtype.base_dtype == tf.float32
            if not plain or len(batches) != 1:
                yield None
                continue
            units = columns // gates
            yield Cell(kind=kind, inputs=rows - units, units=units, batch=batches.pop(), runs=runs)


def _products(step: TrainingStep, flow: Flow, variable: str, columns: int) -> tuple[int, set[int]]:
    """Return how often the forward part multiplies with a variable, and how many rows."""
    runs, batches = 0, set()
    consumers = flow.consumers()
    waiting, seen = [variable], {variable}
    while waiting:
        for reader, position, _ in consumers.get(waiting.pop(), ()):
            if reader in seen:
                continue
            seen.add(reader)
            node = flow.nodes[reader]
            if node.type in values.PASSES or node.type in {"Merge", JOINT}:
                waiting.append(reader)
            elif node.type in _PRODUCTS and position == 1 and step.part(reader) is Part.FORWARD:
                runs += flow.runs.get(reader, 0)
                batches.add((flow.count((reader, 0)) or 0) // columns)
    return runs, batches
