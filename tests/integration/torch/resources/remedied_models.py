"""What the advice is measured with: the loop with a loss in one operation."""

import torch
from torch.nn import functional

from profiler import TorchTraining, scenario
from scenarios.torch_cells import Loop


@scenario
def fused_loss(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: str = "rnn"
) -> TorchTraining:
    model = Loop(cell, inputs=inputs, units=units)

    def loss(outputs):
        return functional.mse_loss(outputs, outputs.new_zeros(()).expand_as(outputs))

    return TorchTraining(model, torch.randn(steps, batch, inputs), loss)
