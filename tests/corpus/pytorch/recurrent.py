"""Recurrent networks that are not just a layer."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from profiler import TorchTraining, scenario


class PackedTagger(nn.Module):
    """Sentences of different lengths, packed so that nothing is computed of the padding."""

    def __init__(self, words, tags, units):
        super().__init__()
        self.embedding = nn.Embedding(words, units, padding_idx=0)
        self.lstm = nn.LSTM(units, units, batch_first=True)
        self.out = nn.Linear(units, tags)

    def forward(self, words, lengths):
        """Return the logits of each word's tag."""
        packed = pack_padded_sequence(
            self.embedding(words), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=words.shape[1]
        )
        return self.out(outputs).transpose(1, 2)


@scenario
def packed_tagger(
    steps: int, *, batch: int = 8, words: int = 200, tags: int = 10, units: int = 48
) -> TorchTraining:
    """An LSTM over packed sentences of different lengths."""
    model = PackedTagger(words, tags, units)
    lengths = torch.linspace(steps // 2, steps, batch).long()
    sentences = torch.randint(1, words, (batch, steps))
    sentences = sentences.masked_fill(torch.arange(steps) >= lengths.unsqueeze(1), 0)
    return TorchTraining(
        model,
        (sentences, lengths),
        lambda out, tags: functional.cross_entropy(out, tags, ignore_index=-1),
        torch.optim.Adam(model.parameters()),
        targets=torch.where(sentences > 0, sentences % tags, -1),
    )


class NormedCell(torch.jit.ScriptModule):
    """An LSTM cell with layer normalization, by TorchScript."""

    def __init__(self, units: int):
        super().__init__()
        self.into = nn.Linear(units, 4 * units)
        self.again = nn.Linear(units, 4 * units, bias=False)
        self.norm = nn.LayerNorm(4 * units)
        self.norm_state = nn.LayerNorm(units)

    @torch.jit.script_method
    def forward(
        self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both states after a step."""
        i, f, o, g = self.norm(self.into(x) + self.again(h)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(self.norm_state(c)), c


class NormedLSTM(nn.Module):
    """The cell in a loop; only the last state is used."""

    def __init__(self, units):
        super().__init__()
        self.cell = NormedCell(units)

    def forward(self, x):
        """Return the last output."""
        h = c = x.new_zeros(x.shape[1:])
        for now in x:
            h, c = self.cell(now, h, c)
        return h


@scenario
def normed_lstm(steps: int, *, batch: int = 48, units: int = 48) -> TorchTraining:
    """A hand-written LSTM with layer normalization (torch.jit)."""
    model = NormedLSTM(units)
    return TorchTraining(model, torch.randn(steps, batch, units), lambda out: out.square().mean())


class Tanh(torch.autograd.Function):
    """A product and a tanh that keep only what comes out."""

    @staticmethod
    def forward(ctx: Any, h: Any, weight: Any) -> Any:
        """Compute the product."""
        out = torch.tanh(h @ weight)
        ctx.save_for_backward(h, weight, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        """Compute both gradients."""
        h, weight, out = ctx.saved_tensors
        inner = grad * (1 - out * out)
        return inner @ weight.t(), h.t() @ inner


@scenario
def own_function(steps: int, *, batch: int = 64, units: int = 64) -> TorchTraining:
    """A chain of an autograd.Function of the user's."""
    weight = nn.Parameter(torch.randn(units, units) / units**0.5)

    def chain(x):
        for _ in range(steps):
            x = x + Tanh.apply(x, weight)
            x = x / x.norm(dim=1, keepdim=True)
        return x

    return TorchTraining(
        chain,
        torch.randn(batch, units),
        lambda out: (out[:, 0] - 1).square().mean(),
        parameters=[weight],
    )


class Buffered(nn.Module):
    """States are written in place into one tensor for all steps."""

    def __init__(self, inputs, units):
        super().__init__()
        self.cell = nn.GRUCell(inputs, units)
        self.out = nn.Linear(units, inputs)

    def forward(self, x):
        """Return an output for every step."""
        states = x.new_zeros(x.shape[0] + 1, x.shape[1], self.cell.hidden_size)
        for step, now in enumerate(x):
            states[step + 1] = self.cell(now, states[step].clone())
        return self.out(states[1:])


@scenario
def written_in_place(
    steps: int, *, batch: int = 32, inputs: int = 16, units: int = 32
) -> TorchTraining:
    """Outputs go into a tensor that was made before: each write is a copy of its gradient."""
    model = Buffered(inputs, units)
    x = torch.randn(steps, batch, inputs)
    return TorchTraining(model, x, functional.mse_loss, targets=x)


class Clockwork(nn.Module):
    """Slow units move only at every third step."""

    def __init__(self, units):
        super().__init__()
        self.fast, self.slow = nn.RNNCell(2 * units, units), nn.LSTMCell(units, units)

    def forward(self, x):
        """Return the fast states."""
        fast = h = c = x.new_zeros(x.shape[1:])
        outputs = []
        for step, now in enumerate(x):
            if step % 3 == 0:
                h, c = self.slow(fast, (h, c))
            fast = self.fast(torch.cat([now, h], 1), fast)
            outputs.append(fast)
        return torch.stack(outputs)


@scenario
def clockwork(steps: int, *, batch: int = 32, units: int = 40) -> TorchTraining:
    """Two cells, one of which moves at every third step."""
    model = Clockwork(units)
    return TorchTraining(
        model,
        torch.randn(steps, batch, units),
        lambda out: out.square().mean(),
        torch.optim.Adagrad(model.parameters()),
    )


class Ring(nn.Module):
    """A memory of the last eight states, each step writes one slot and reads all."""

    def __init__(self, units, slots):
        super().__init__()
        self.cell = nn.GRUCell(2 * units, units)
        self.key = nn.Linear(units, units)
        self.slots = slots

    def forward(self, x):
        """Return the last state."""
        h = x.new_zeros(x.shape[1:])
        memory = [h] * self.slots
        for step, now in enumerate(x):
            held = torch.stack(memory, 1)
            weights = torch.einsum("bsu,bu->bs", held, self.key(h)).softmax(1)
            h = self.cell(torch.cat([now, (weights.unsqueeze(2) * held).sum(1)], 1), h)
            memory[step % self.slots] = h
        return h


@scenario
def ring_memory(steps: int, *, batch: int = 64, units: int = 32, slots: int = 8) -> TorchTraining:
    """Attention over a ring of the last eight states."""
    model = Ring(units, slots)
    return TorchTraining(model, torch.randn(steps, batch, units), lambda out: out.square().mean())
