"""What a scenario returns: a module with its loss and optimizer, or a whole training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TorchTraining:
    """A module that is trained on one batch, as the usual loop does it.

    Attributes:
        module: a ``torch.nn.Module``, compiled or not, or a plain function of the inputs.
        inputs: one batch: a tensor, a sequence of positional arguments or a mapping of keyword
            arguments, in any nesting. Each step gets a copy of every tensor.
        loss: called with what the module returns, and with the targets if there are any; it
            returns a scalar. None where the module returns the loss itself.
        optimizer: a ``torch.optim`` optimizer of the parameters; None for plain gradient descent.
        targets: what the loss is called with besides the outputs: a tensor, or several. Each step
            gets copies of them, too.
        parameters: of a plain function, the tensors that are trained; a module has its own.
    """

    module: Any
    inputs: Any
    loss: Callable[..., Any] | None = None
    optimizer: Any = None
    targets: Any = None
    parameters: Sequence[Any] = ()


@dataclass(frozen=True)
class TorchStep:
    """A training step of the user's own, as it stands: forward, backward and the update.

    Attributes:
        step: called without arguments, once for each step; it returns the loss.
    """

    step: Callable[[], Any]
