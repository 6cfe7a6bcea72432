"""Recurrent networks in PyTorch: a cell that Python calls step by step, a layer, and less kept."""

from typing import Any

import torch
from torch import nn

from profiler import TorchStep, TorchTraining, scenario
from scenarios.torch_cells import Cell, Layer, Loop, towards_zero


@scenario(tags=("torch", "seed", "loop"), family="builds")
def torch_handmade(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128
) -> TorchTraining:
    """Cells written out by hand: Y[t] = tanh(X[t] Wx + Y[t-1] Wy + b), one tensor per step."""
    wx, wy = torch.empty(inputs, units), torch.empty(units, units)
    weights = [nn.init.xavier_uniform_(one).requires_grad_() for one in (wx, wy)]
    weights.append(torch.zeros(units, requires_grad=True))

    def outputs(*xs: Any) -> Any:
        wx, wy, b = weights
        y = xs[0].new_zeros(batch, units)
        ys = []
        for x in xs:
            y = torch.tanh(x @ wx + y @ wy + b)
            ys.append(y)
        return torch.stack(ys)

    data = torch.randn(steps, batch, inputs)
    return TorchTraining(outputs, list(data), towards_zero, parameters=weights)


@scenario(tags=("torch", "loop"), family="builds")
def torch_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """One cell that Python calls for each step (nn.RNNCell, LSTMCell, GRUCell)."""
    model = Loop(cell, inputs=inputs, units=units)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch",), family="builds")
def torch_layer(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """The same by PyTorch's own layer (nn.RNN, nn.LSTM, nn.GRU)."""
    model = Layer(cell, inputs=inputs, units=units)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch", "loop", "recomputed"), family="builds")
def torch_checkpointed(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    segment: int = 8,
) -> TorchTraining:
    """The loop in segments, which backward recomputes (torch.utils.checkpoint)."""
    model = Loop(cell, inputs=inputs, units=units, segment=segment)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch", "loop"), family="builds")
def torch_truncated(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    window: int = 8,
) -> TorchStep:
    """Backward after every window of steps, through that window only (truncated BPTT)."""
    model = Loop(cell, inputs=inputs, units=units)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    x = torch.randn(steps, batch, inputs)

    def step() -> Any:
        state, total = None, 0.0
        for part in x.split(window):
            outputs, after = model.run(part, state)
            loss = outputs.square().sum() / (steps * batch * units)
            loss.backward()
            total += loss.item()
            state = tuple(one.detach() for one in after)
        optimizer.step()
        optimizer.zero_grad()
        return total

    return TorchStep(step)
