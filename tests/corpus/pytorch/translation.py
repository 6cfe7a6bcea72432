"""Sequence to sequence: what is read again at every step of the output."""

import torch
from torch import nn
from torch.nn import functional

from profiler import TorchStep, TorchTraining, scenario


class Translator(nn.Module):
    """A GRU reads, a GRU cell writes and looks back at all that was read."""

    def __init__(self, words, units):
        super().__init__()
        self.source = nn.Embedding(words, units)
        self.target = nn.Embedding(words, units)
        self.encoder = nn.GRU(units, units, batch_first=True)
        self.decoder = nn.GRUCell(2 * units, units)
        self.query = nn.Linear(units, units, bias=False)
        self.out = nn.Linear(2 * units, words)

    def forward(self, source, target):
        """Return the logits of each next word, from the true word before it."""
        memory, last = self.encoder(self.source(source))
        state = last[0]
        context = torch.zeros_like(state)
        logits = []
        for now in self.target(target).unbind(1):
            state = self.decoder(torch.cat([now, context], 1), state)
            scores = torch.bmm(memory, self.query(state).unsqueeze(2))
            context = (scores.softmax(1) * memory).sum(1)
            logits.append(self.out(torch.cat([state, context], 1)))
        return torch.stack(logits, 2)


@scenario
def attentive_translator(
    steps: int, *, batch: int = 24, words: int = 50, units: int = 32
) -> TorchTraining:
    """Encoder and decoder with attention, and teacher forcing: memory grows with T²."""
    model = Translator(words, units)
    source, target = torch.randint(words, (2, batch, steps))
    return TorchTraining(
        model,
        (source, target),
        functional.cross_entropy,
        torch.optim.Adam(model.parameters(), lr=1e-3),
        targets=target,
    )


@scenario
def pointer_network(steps: int, *, batch: int = 8, units: int = 32) -> TorchStep:
    """Each output points at an input; what was taken is masked out in place."""
    encoder = nn.LSTM(2, units, batch_first=True)
    cell = nn.LSTMCell(2, units)
    keys, queries = nn.Linear(units, units), nn.Linear(units, units)
    score = nn.Linear(units, 1, bias=False)
    model = nn.ModuleList([encoder, cell, keys, queries, score])
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-4)
    cities = torch.rand(batch, steps, 2)
    order = torch.argsort(cities[..., 0], dim=1)
    rows = torch.arange(batch)

    def step():
        optimizer.zero_grad()
        memory, (h, c) = encoder(cities)
        h, c, now = h[0], c[0], torch.zeros(batch, 2)
        known = keys(memory)
        taken = torch.zeros(batch, steps, dtype=torch.bool)
        loss = 0.0
        for wanted in order.unbind(1):
            h, c = cell(now, (h, c))
            logits = score(torch.tanh(known + queries(h).unsqueeze(1))).squeeze(2)
            logits = logits.masked_fill(taken.clone(), float("-inf"))
            loss = loss + functional.cross_entropy(logits, wanted)
            taken[rows, wanted] = True
            now = cities[rows, wanted]
        loss = loss / steps
        loss.backward()
        optimizer.step()
        return loss.detach()

    return TorchStep(step)
