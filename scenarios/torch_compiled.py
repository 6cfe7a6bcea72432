"""The recurrent network compiled as a whole: the loop unrolled by Dynamo, and kept by scan."""

from typing import Any

import torch
from torch._higher_order_ops import scan

from profiler import TorchTraining, scenario
from scenarios.torch_cells import Cell, Loop, State, towards_zero

# By this name, as Dynamo would end its graph at an annotation with brackets.
Stepped = tuple[State, Any]


class Scan(Loop):
    """The loop as one operation, whose body is captured once (the scan higher-order op)."""

    def run(self, x: Any, state: State | None = None) -> tuple[Any, State]:
        """Return the outputs of some steps, and the state after them."""

        def step(state: State, now: Any) -> Stepped:
            after = self.after(now, state)
            # What is carried on and what is collected may not be one tensor.
            return after, after[0].clone()

        state = tuple(one.clone() for one in state or self.zeros(x))  # an LSTM's two are one
        outputs: Any
        state, outputs = scan(step, state, x)
        return outputs, state


@scenario(tags=("torch", "unrolled", "compiled"), family="builds")
def torch_compiled_loop(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    backend: str = "aot_eager",
) -> TorchTraining:
    """The loop under torch.compile, which unrolls it; kernels only with backend=inductor."""
    model = torch.compile(Loop(cell, inputs=inputs, units=units), backend=backend)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=("torch", "loop", "compiled"), family="builds")
def torch_scan(
    steps: int,
    *,
    batch: int = 32,
    inputs: int = 64,
    units: int = 128,
    cell: Cell = "rnn",
    backend: str = "aot_eager",
) -> TorchTraining:
    """The loop as one scan operation under torch.compile; no kernels are made of it."""
    model = torch.compile(Scan(cell, inputs=inputs, units=units), backend=backend)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)
