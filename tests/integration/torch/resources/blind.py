"""A PyTorch whose allocator does not answer, as another version's might not."""

import torch

from profiler import TorchTraining, scenario
from profiler.frameworks.torch import native

native.account_for_all = lambda: False


@scenario
def blind(steps: int) -> TorchTraining:
    """Train one product."""
    return TorchTraining(torch.nn.Linear(steps, 1), torch.ones(2, steps), lambda out: out.sum())
