"""What the equations of the cells keep, counted activation by activation."""

from __future__ import annotations

import pytest

from profiler.facts.explanation import Theory
from profiler.frameworks.tensorflow import theory
from profiler.frameworks.tensorflow.theory import Cell

FLOAT = 4
BATCH, STEPS, INPUTS, UNITS = 3, 5, 7, 11
JOINED = INPUTS + UNITS


def _of(kind: str) -> Theory | None:
    cell = Cell(kind=kind, inputs=INPUTS, units=UNITS, batch=BATCH, runs=STEPS)
    return theory.of([cell], steps=STEPS)


def test_a_basic_cell_keeps_its_state_and_its_pre_activation() -> None:
    """Of a = [x, h] W + b, h = tanh(a)."""
    hidden = UNITS
    pre_activation = UNITS

    assert _of("basic") == Theory(
        cells=["basic"],
        least_bytes=FLOAT * BATCH * STEPS * hidden,
        batch=BATCH,
        all_bytes=FLOAT * BATCH * STEPS * (JOINED + pre_activation + hidden),
    )


def test_an_lstm_cell_keeps_four_gates_and_two_states() -> None:
    """Of c = f c + i j, h = o tanh(c), with a pre-activation for each of i, j, f, o."""
    gates = 4 * UNITS
    state = 2 * UNITS
    tanh = UNITS

    assert _of("lstm") == Theory(
        cells=["lstm"],
        least_bytes=FLOAT * BATCH * STEPS * state,
        batch=BATCH,
        all_bytes=FLOAT * BATCH * STEPS * (JOINED + gates + gates + state + tanh),
    )


def test_a_gru_cell_joins_its_inputs_twice() -> None:
    """Of r, u by [x, h], a candidate by [x, r h], h = u h + (1 - u) candidate."""
    activations = 3 * UNITS
    reset_state = UNITS
    hidden = UNITS

    assert _of("gru") == Theory(
        cells=["gru"],
        least_bytes=FLOAT * BATCH * STEPS * hidden,
        batch=BATCH,
        all_bytes=FLOAT
        * BATCH
        * STEPS
        * (2 * JOINED + activations + activations + reset_state + hidden),
    )


def test_the_cells_of_a_graph_add_up() -> None:
    """Each runs once per time step."""
    cells = [
        Cell(kind=kind, inputs=INPUTS, units=UNITS, batch=BATCH, runs=STEPS)
        for kind in ("basic", "lstm", "gru")
    ]
    found = theory.of(cells, steps=STEPS)

    alone = [theory.of([cell], steps=STEPS) for cell in cells]
    assert found is not None
    assert found.cells == [cell.kind for cell in cells]
    assert found.least_bytes == sum(one.least_bytes for one in alone if one)
    assert found.all_bytes == sum(one.all_bytes for one in alone if one)


@pytest.mark.parametrize("cells", [None, []])
def test_a_graph_without_known_cells_has_no_theory(cells: list[Cell] | None) -> None:
    """There is no equation to count."""
    assert theory.of(cells, steps=STEPS) is None


def test_a_cell_that_does_not_run_once_per_step_has_no_theory() -> None:
    """As where only every fourth step is looked at, or the axis is another one."""
    cell = Cell(kind="gru", inputs=1, units=1, batch=1, runs=STEPS // 4)

    assert theory.of([cell], steps=STEPS) is None
