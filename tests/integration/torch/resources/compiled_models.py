"""Models that are compiled in part, or that no mode of PyTorch's may watch."""

import torch
from torch import nn
from torch._higher_order_ops import scan
from torch.utils._python_dispatch import _get_current_dispatch_mode

from profiler import TorchStep, TorchTraining, scenario


def small(outputs):
    return outputs.square().mean()


class Part(nn.Module):
    """One of two layers is compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.compile(nn.Linear(8, 8), backend="aot_eager")
        self.second = nn.Linear(8, 8)

    def forward(self, x):
        return self.second(self.first(x))


class Implicit(nn.Module):
    """Nothing here asks for it: scan compiles the function that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(8, 8)

    def forward(self, x):
        def step(state, now):
            state = self.cell(now, state)
            return state, state.clone()

        return scan(step, x.new_zeros(x.shape[1], 8), x)[1]


class Unwatchable(nn.Module):
    """It fails under a mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        if _get_current_dispatch_mode() is not None:
            raise RuntimeError("it will not be watched")
        return self.layer(x)


@scenario
def part(steps: int) -> TorchTraining:
    return TorchTraining(Part(), torch.randn(steps, 8), small)


@scenario
def own(steps: int) -> TorchStep:
    layer = nn.Linear(8, 8)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    x = torch.randn(steps, 8)

    @torch.compile(backend="aot_eager")
    def loss_of(x):
        return small(layer(x))

    def step():
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        optimizer.step()
        return loss.item()

    return TorchStep(step)


@scenario
def implicit(steps: int) -> TorchTraining:
    return TorchTraining(Implicit(), torch.randn(steps, 2, 8), small)


@scenario
def unwatchable(steps: int) -> TorchTraining:
    return TorchTraining(Unwatchable(), torch.randn(steps, 8), small)
