"""A PyTorch module, one batch, its loss and its optimizer, trained as the usual loop does it."""

import torch
from torch import nn

from profiler import TorchTraining, scenario


class Model(nn.Module):
    """One LSTM layer over all steps, and what is read from it: put your own module here."""

    def __init__(self, inputs: int, units: int) -> None:
        """Make the weights."""
        super().__init__()
        self.layer = nn.LSTM(inputs, units)
        self.read = nn.Linear(units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is read after the last step, ``[batch, 1]``."""
        outputs, _ = self.layer(x)
        return self.read(outputs[-1])


@scenario
def my_model(steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128) -> TorchTraining:
    """One LSTM layer with Adam: put your own model here."""
    model = Model(inputs, units)
    return TorchTraining(
        model,
        torch.randn(steps, batch, inputs),
        nn.functional.mse_loss,
        torch.optim.Adam(model.parameters()),
        targets=torch.randn(batch, 1),
    )
