"""A selective state space in PyTorch: what each step keeps of the state depends on its input."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from profiler import TorchTraining, scenario


class SelectiveScan(nn.Module):
    """The recurrence of a Mamba layer, step by step."""

    def __init__(self, *, units: int, states: int) -> None:
        """Make the layer's weights."""
        super().__init__()
        self.rates = nn.Parameter(torch.arange(1.0, states + 1).log().repeat(units, 1))
        self.pace = nn.Linear(units, units)
        self.into, self.out_of = nn.Linear(units, states), nn.Linear(units, states)

    def forward(self, x: Any) -> Any:
        """Return what is read from the states, ``[steps, batch, units]``."""
        rates = -self.rates.exp()
        pace = functional.softplus(self.pace(x))
        into, out_of = self.into(x), self.out_of(x)
        state = x.new_zeros(x.shape[1], *rates.shape)
        outputs: list[Any] = []
        for step in range(len(x)):
            kept = (pace[step].unsqueeze(-1) * rates).exp()
            driven = (pace[step] * x[step]).unsqueeze(-1) * into[step].unsqueeze(1)
            state = kept * state + driven
            outputs.append((state * out_of[step].unsqueeze(1)).sum(-1))
        return torch.stack(outputs)


@scenario(tags=("torch", "loop"))
def torch_selective_scan(
    steps: int, *, batch: int = 8, units: int = 64, states: int = 16
) -> TorchTraining:
    """A selective scan (Mamba) that Python runs step by step."""
    layer = SelectiveScan(units=units, states=states)
    return TorchTraining(
        layer, torch.randn(steps, batch, units), lambda outputs: outputs.square().mean()
    )
