"""Recurrent networks in PyTorch: a cell that Python calls step by step, and a layer."""

from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

Cell = Literal["rnn", "lstm", "gru"]
State = tuple[Any, ...]

_CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
_LAYERS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Loop(nn.Module):
    """A cell that is called once for each step, in segments that backward may run again."""

    def __init__(self, cell: Cell, *, inputs: int, units: int, segment: int | None = None) -> None:
        """Make the cell's weights."""
        super().__init__()
        self.cell = _CELLS[cell](inputs, units)
        self._segment = segment

    def forward(self, x: Any) -> Any:
        """Return the outputs of all steps, ``[steps, batch, units]``."""
        if self._segment is None:
            return self.run(x)[0]
        state = self.zeros(x)
        outputs: list[Any] = []
        for part in x.split(self._segment):
            some, state = checkpoint(self.run, part, state, use_reentrant=False)
            outputs.append(some)
        return torch.cat(outputs)

    def run(self, x: Any, state: State | None = None) -> tuple[Any, State]:
        """Return the outputs of some steps, and the state after them."""
        state = state or self.zeros(x)
        outputs: list[Any] = []
        for step in range(len(x)):
            state = self.after(x[step], state)
            outputs.append(state[0])
        return torch.stack(outputs), state

    def after(self, now: Any, state: State) -> State:
        """Return the state after one more input, its output first."""
        after = self.cell(now, state if isinstance(self.cell, nn.LSTMCell) else state[0])
        return after if isinstance(after, tuple) else (after,)

    def zeros(self, x: Any) -> State:
        """Return the state before the first step."""
        zeros = x.new_zeros(x.shape[1], self.cell.hidden_size)
        return (zeros, zeros) if isinstance(self.cell, nn.LSTMCell) else (zeros,)


class Layer(nn.Module):
    """PyTorch's own layer over all steps."""

    def __init__(self, cell: Cell, *, inputs: int, units: int) -> None:
        """Make the layer's weights."""
        super().__init__()
        self.layer = _LAYERS[cell](inputs, units)

    def forward(self, x: Any) -> Any:
        """Return the outputs of all steps, ``[steps, batch, units]``."""
        return self.layer(x)[0]

    def run(self, x: Any, state: State | None = None) -> tuple[Any, State]:
        """Return the outputs of some steps, and the state after them."""
        is_lstm = isinstance(self.layer, nn.LSTM)
        outputs, after = self.layer(x, state if is_lstm or state is None else state[0])
        return outputs, after if is_lstm else (after,)


def towards_zero(outputs: Any) -> Any:
    """Return the mean square."""
    return outputs.square().mean()
