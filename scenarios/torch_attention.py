"""A Transformer block in PyTorch: all scores at once, or a kernel that never holds them."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from profiler import TorchTraining, scenario


class Block(nn.Module):
    """Attention over all pairs of steps, then two dense layers."""

    def __init__(self, *, units: int, heads: int, fused: bool) -> None:
        """Make the block's weights."""
        super().__init__()
        self.first, self.second = (nn.LayerNorm(units, eps=1e-6) for _ in range(2))
        self.joint, self.mixed = nn.Linear(units, 3 * units), nn.Linear(units, units)
        self.wide, self.narrow = nn.Linear(units, 4 * units), nn.Linear(4 * units, units)
        self._heads, self._fused = heads, fused

    def forward(self, x: Any) -> Any:
        """Return what each step becomes, ``[batch, steps, units]``."""
        batch, steps, units = x.shape
        joint = self.joint(self.first(x)).view(batch, steps, 3, self._heads, units // self._heads)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        if self._fused:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            scores = query @ key.transpose(-1, -2) * (units // self._heads) ** -0.5
            mixed = scores.softmax(-1) @ value
        x = x + self.mixed(mixed.transpose(1, 2).reshape(batch, steps, units))
        return x + self.narrow(functional.gelu(self.wide(self.second(x))))


def towards_zero(outputs: Any) -> Any:
    """Return the mean square."""
    return outputs.square().mean()


@scenario(tags=("torch", "attention"), family="attention")
def torch_attention(
    steps: int, *, batch: int = 4, units: int = 64, heads: int = 4
) -> TorchTraining:
    """Attention whose scores of all pairs of steps are kept: memory grows with T²."""
    block = Block(units=units, heads=heads, fused=False)
    return TorchTraining(block, torch.randn(batch, steps, units), towards_zero)


@scenario(tags=("torch", "attention"), family="attention")
def torch_flash_attention(
    steps: int, *, batch: int = 4, units: int = 64, heads: int = 4
) -> TorchTraining:
    """The same by scaled_dot_product_attention, which holds a block of the scores at a time."""
    block = Block(units=units, heads=heads, fused=True)
    return TorchTraining(block, torch.randn(batch, steps, units), towards_zero)
