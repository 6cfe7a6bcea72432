"""Recurrent networks in PyTorch: a cell that Python calls step by step, a layer, and less kept."""

from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from profiler import TorchStep, TorchTraining, scenario

Cell = Literal["rnn", "lstm", "gru"]
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
        zeros = x.new_zeros(x.shape[1], self.cell.hidden_size)
        state = (zeros, zeros) if isinstance(self.cell, nn.LSTMCell) else (zeros,)
        if self._segment is None:
            return self.run(x, *state)[-1]
        outputs: list[Any] = []
        for part in x.split(self._segment):
            *state, some = checkpoint(self.run, part, *state, use_reentrant=False)
            outputs.append(some)
        return torch.cat(outputs)

    def run(self, x: Any, *state: Any) -> tuple[Any, ...]:
        """Return the state after some steps, and their outputs."""
        outputs: list[Any] = []
        for step in range(len(x)):
            after = self.cell(x[step], state if len(state) > 1 else state[0])
            state = after if isinstance(after, tuple) else (after,)
            outputs.append(state[0])
        return *state, torch.stack(outputs)


class Layer(nn.Module):
    """PyTorch's own layer over all steps."""

    def __init__(self, cell: Cell, *, inputs: int, units: int) -> None:
        """Make the layer's weights."""
        super().__init__()
        self.layer = _LAYERS[cell](inputs, units)

    def forward(self, x: Any) -> Any:
        """Return the outputs of all steps."""
        return self.layer(x)[0]


def towards_zero(outputs: Any) -> Any:
    """Return the mean square."""
    return outputs.square().mean()


@scenario(tags=("torch", "loop"))
def torch_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """One cell that Python calls for each step (nn.RNNCell, LSTMCell, GRUCell)."""
    model = Loop(cell, inputs=inputs, units=units)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch",))
def torch_layer(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """The same by PyTorch's own layer (nn.RNN, nn.LSTM, nn.GRU)."""
    model = Layer(cell, inputs=inputs, units=units)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch", "loop", "recomputed"))
def torch_checkpointed(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    segment: int = 8,
) -> TorchTraining:
    """The loop in segments, whose insides backward computes again (torch.utils.checkpoint)."""
    model = Loop(cell, inputs=inputs, units=units, segment=segment)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch", "loop"))
def torch_truncated(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    window: int = 8,
) -> TorchStep:
    """Backward after every window of steps, through that alone (truncated BPTT)."""
    model = Loop(cell, inputs=inputs, units=units)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    x = torch.randn(steps, batch, inputs)

    def step() -> Any:
        zeros = x.new_zeros(batch, units)
        state = (zeros, zeros) if cell == "lstm" else (zeros,)
        total = 0.0
        for part in x.split(window):
            *after, outputs = model.run(part, *state)
            loss = outputs.square().sum() / (steps * batch * units)
            loss.backward()
            total += loss.item()
            state = tuple(one.detach() for one in after)
        optimizer.step()
        optimizer.zero_grad()
        return total

    return TorchStep(step)
