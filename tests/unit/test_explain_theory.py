"""What the equations of the cells keep, counted activation by activation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.facts.explanation import Theory
from profiler.frameworks.tensorflow import theory
from profiler.frameworks.tensorflow.theory import Cell

FLOAT = 4
BATCH, STEPS, INPUTS, UNITS = 3, 5, 7, 11
JOINED = INPUTS + UNITS


def _of(kind: str) -> Theory | None:
    cell = Cell(kind=kind, inputs=INPUTS, units=UNITS)
    return theory.of([cell], batch=BATCH, steps=STEPS)


def test_a_basic_cell_keeps_its_state_and_its_pre_activation() -> None:
    """Of a = [x, h] W + b, h = tanh(a)."""
    hidden = UNITS
    pre_activation = UNITS

    assert _of("basic") == Theory(
        cells=["basic"],
        least_bytes=FLOAT * BATCH * STEPS * hidden,
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
        all_bytes=FLOAT
        * BATCH
        * STEPS
        * (2 * JOINED + activations + activations + reset_state + hidden),
    )


cells = st.builds(
    Cell,
    kind=st.sampled_from(["basic", "lstm", "gru"]),
    inputs=st.integers(1, 99),
    units=st.integers(1, 99),
)


@given(st.lists(cells, min_size=1), st.integers(1, 99), st.integers(1, 99))
def test_the_cells_of_a_graph_add_up(several: list[Cell], batch: int, steps: int) -> None:
    """Each runs once per time step."""
    found = theory.of(several, batch=batch, steps=steps)

    alone = [theory.of([cell], batch=batch, steps=steps) for cell in several]
    assert found is not None
    assert found.cells == [cell.kind for cell in several]
    assert found.least_bytes == sum(one.least_bytes for one in alone if one)
    assert found.all_bytes == sum(one.all_bytes for one in alone if one)


@given(cells, st.integers(1, 99), st.integers(1, 99))
def test_the_theory_grows_with_batch_and_steps_alike(cell: Cell, batch: int, steps: int) -> None:
    """And the hidden states are a part of all activations."""
    one = theory.of([cell], batch=1, steps=1)
    found = theory.of([cell], batch=batch, steps=steps)

    assert one is not None
    assert found is not None
    assert found.least_bytes == batch * steps * one.least_bytes
    assert found.all_bytes == batch * steps * one.all_bytes
    assert found.least_bytes < found.all_bytes


def test_a_graph_without_known_cells_has_no_theory() -> None:
    """There is no equation to count."""
    assert theory.of([], batch=BATCH, steps=STEPS) is None


@pytest.mark.parametrize("batch", [None, True, 8.0, "8"])
def test_without_a_batch_there_is_no_theory(batch: Any) -> None:
    """A parameter of that name may be anything; only a whole number is a batch."""
    assert theory.of([Cell(kind="gru", inputs=1, units=1)], batch=batch, steps=STEPS) is None
