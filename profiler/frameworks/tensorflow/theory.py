"""What backpropagation through time keeps by a cell's equations, in closed form.

For float32, a batch of B, I inputs, U units and T steps. Per step and sample:

========  ==================================  ==========================================
cell      hidden state                        all activations
========  ==================================  ==========================================
basic     h: U                                [x, h]: I+U, pre-activation: U, h: U
lstm      c, h: 2U                            [x, h]: I+U, pre-activations: 4U, i, j, f, o: 4U,
                                              c, tanh(c), h: 3U
gru       h: U                                [x, h], [x, r*h]: 2(I+U), pre-activations: 3U,
                                              r, u, candidate: 3U, r*h, h: 2U
========  ==================================  ==========================================

The equations are those of ``tf.compat.v1.nn.rnn_cell``: BasicRNNCell; Hochreiter and
Schmidhuber, Long Short-Term Memory, 1997; Cho et al., Learning Phrase Representations using RNN
Encoder-Decoder, 2014. That the hidden states suffice, the rest being computed again, is
"hidden state memorization" in Gruslys et al., Memory-Efficient Backpropagation Through Time, 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from profiler.facts.explanation import Theory

FLOAT_BYTES = 4
# Per kind: units in the hidden state; units, and times [x, h], in all activations of a step.
_CELLS = {"basic": (1, 2, 1), "lstm": (2, 11, 1), "gru": (1, 8, 2)}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A recurrent cell of the graph: ``basic``, ``lstm`` or ``gru``, and its sizes.

    ``batch``: the rows that its kernel was multiplied with; ``runs``: how often in a step.
    """

    kind: str
    inputs: int
    units: int
    batch: int
    runs: int


def of(cells: Sequence[Cell] | None, *, steps: int) -> Theory | None:
    """Return the theory of a graph whose cells each run once per time step.

    None where the graph has no known cell, or one that did not run so.
    """
    if not cells or any(cell.runs != steps for cell in cells):
        return None
    batches = {cell.batch for cell in cells}
    least = everything = 0
    for cell in cells:
        samples = FLOAT_BYTES * cell.batch * steps
        hidden, in_units, joined = _CELLS[cell.kind]
        least += samples * hidden * cell.units
        everything += samples * (in_units * cell.units + joined * (cell.inputs + cell.units))
    return Theory(
        cells=[cell.kind for cell in cells],
        least_bytes=least,
        all_bytes=everything,
        batch=batches.pop() if len(batches) == 1 else None,
    )
