"""Shapes of sequence learning in PyTorch, each as a loop over a cell and by PyTorch's layer."""

from typing import Any

import torch
from torch import nn

from profiler import TorchTraining, scenario
from scenarios.torch_cells import Cell, Layer, Loop, towards_zero

SEED = ("torch", "seed")
SEED_LOOP = (*SEED, "loop")


class LastOutput(nn.Module):
    """Only what comes out last counts."""

    def __init__(self, network: nn.Module) -> None:
        """Take the network."""
        super().__init__()
        self.network = network

    def forward(self, x: Any) -> Any:
        """Return the last output, ``[batch, units]``."""
        _, state = self.network.run(x)
        return state[0]


class FirstInput(nn.Module):
    """An input at the first step only; zeros at the others."""

    def __init__(self, network: nn.Module, steps: int) -> None:
        """Take the network and how many steps it runs."""
        super().__init__()
        self.network, self._steps = network, steps

    def forward(self, x: Any) -> Any:
        """Return the outputs of all steps."""
        silence = x.new_zeros(self._steps - 1, *x.shape)
        return self.network(torch.cat([x.unsqueeze(0), silence]))


class EncoderDecoder(nn.Module):
    """One network reads, then another one writes from the state that it ends in."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        """Take both networks."""
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Any) -> Any:
        """Return the decoder's outputs, as many as there are inputs."""
        _, state = self.encoder.run(x)
        return self.decoder.run(torch.zeros_like(x), state)[0]


@scenario(tags=SEED_LOOP, family="seq_to_vec")
def torch_seq_to_vec_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """Only the last output counts (a classifier), one cell that Python calls for each step."""
    model = LastOutput(Loop(cell, inputs=inputs, units=units))
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=SEED, family="seq_to_vec")
def torch_seq_to_vec_layer(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """Only the last output counts (a classifier), by PyTorch's own layer."""
    model = LastOutput(Layer(cell, inputs=inputs, units=units))
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=SEED_LOOP, family="vec_to_seq")
def torch_vec_to_seq_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """An input at the first step only (a captioner), one cell that Python calls for each step."""
    model = FirstInput(Loop(cell, inputs=inputs, units=units), steps)
    return TorchTraining(model, torch.randn(batch, inputs), towards_zero)


@scenario(tags=SEED, family="vec_to_seq")
def torch_vec_to_seq_layer(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """An input at the first step only (a captioner), by PyTorch's own layer."""
    model = FirstInput(Layer(cell, inputs=inputs, units=units), steps)
    return TorchTraining(model, torch.randn(batch, inputs), towards_zero)


@scenario(tags=SEED_LOOP, family="delayed_seq_to_seq")
def torch_delayed_seq_to_seq_loop(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """An encoder, then a decoder (a translator), each a cell that Python calls step by step."""
    encoder, decoder = (Loop(cell, inputs=inputs, units=units) for _ in range(2))
    model = EncoderDecoder(encoder, decoder)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)


@scenario(tags=SEED, family="delayed_seq_to_seq")
def torch_delayed_seq_to_seq_layer(
    steps: int, *, batch: int = 32, inputs: int = 64, units: int = 128, cell: Cell = "rnn"
) -> TorchTraining:
    """An encoder, then a decoder (a translator), each by PyTorch's own layer."""
    encoder, decoder = (Layer(cell, inputs=inputs, units=units) for _ in range(2))
    model = EncoderDecoder(encoder, decoder)
    return TorchTraining(model, torch.randn(steps, batch, inputs), towards_zero)
