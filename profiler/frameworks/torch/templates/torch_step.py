"""A training step of PyTorch as it stands: forward, backward and the update, called as it is."""

import torch
from torch import nn

from profiler import TorchStep, scenario


@scenario
def my_model(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> TorchStep:
    """One recurrent cell in a loop, with clipped gradients: put your own step here."""
    cell = nn.RNNCell(inputs, units)
    optimizer = torch.optim.SGD(cell.parameters(), lr=1e-3)
    x = torch.randn(steps, batch, inputs)

    def train_step() -> torch.Tensor:
        state, loss = torch.zeros(batch, units), torch.zeros(())
        for now in x:
            state = cell(now, state)
            loss = loss + state.square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
        optimizer.step()
        return loss

    return TorchStep(train_step)
