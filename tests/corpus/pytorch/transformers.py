"""Transformers, as PyTorch's own layers and as people write them."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from profiler import TorchTraining, scenario


class Tagger(nn.Module):
    """PyTorch's encoder over sentences that are padded to one length."""

    def __init__(self, words, tags, units, heads, layers):
        super().__init__()
        self.embedding = nn.Embedding(words, units, padding_idx=0)
        layer = nn.TransformerEncoderLayer(units, heads, 4 * units, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(units, tags)

    def forward(self, words):
        """Return the logits of each word's tag."""
        encoded = self.encoder(self.embedding(words), src_key_padding_mask=words == 0)
        return self.out(encoded).transpose(1, 2)


@scenario
def padded_tagger(steps: int, *, batch: int = 2, units: int = 32, heads: int = 4) -> TorchTraining:
    """nn.TransformerEncoder with a padding mask and dropout."""
    model = Tagger(100, 12, units, heads, layers=2)
    words = torch.randint(1, 100, (batch, steps))
    for row, length in enumerate(torch.linspace(steps // 2, steps, batch).long()):
        words[row, length:] = 0
    tags = torch.where(words > 0, words % 12, -100)
    return TorchTraining(
        model,
        words,
        functional.cross_entropy,
        torch.optim.AdamW(model.parameters(), lr=1e-3),
        targets=tags,
    )


class CausalBlock(nn.Module):
    """Attention to what came before, then a gated layer."""

    def __init__(self, units, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(units), nn.RMSNorm(units)
        self.joint = nn.Linear(units, 3 * units, bias=False)
        self.mixed = nn.Linear(units, units, bias=False)
        self.gate = nn.Linear(units, 2 * units, bias=False)
        self.value = nn.Linear(units, 2 * units, bias=False)
        self.down = nn.Linear(2 * units, units, bias=False)
        self.heads = heads

    def forward(self, x):
        """Return what each step becomes."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.joint(self.norm1(x)).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mixed(mixed.transpose(1, 2).flatten(2))
        y = self.norm2(x)
        return x + self.down(functional.silu(self.gate(y)) * self.value(y))


class LanguageModel(nn.Module):
    """A decoder whose embedding is its output layer, too."""

    def __init__(self, words, units, heads, layers, *, longest=4096, recompute=False):
        super().__init__()
        self.embedding = nn.Embedding(words, units)
        self.positions = nn.Embedding(longest, units)
        self.blocks = nn.ModuleList(CausalBlock(units, heads) for _ in range(layers))
        self.out = nn.Linear(units, words, bias=False)
        self.out.weight = self.embedding.weight
        self.recompute = recompute

    def forward(self, words):
        """Return the loss of each next word."""
        inputs, targets = words[:, :-1], words[:, 1:]
        x = self.embedding(inputs) + self.positions(torch.arange(inputs.shape[1]))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.recompute else block(x)
        return functional.cross_entropy(self.out(x).flatten(0, 1), targets.flatten())


@scenario
def tied_lm(steps: int, *, batch: int = 4, words: int = 2000, units: int = 48) -> TorchTraining:
    """A language model with tied weights and a large vocabulary: logits hold most."""
    model = LanguageModel(words, units, heads=4, layers=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1)
    return TorchTraining(model, torch.randint(words, (batch, steps + 1)), optimizer=optimizer)


@scenario
def recomputed_lm(steps: int, *, batch: int = 4, words: int = 64, units: int = 64) -> TorchTraining:
    """Each block of four is computed again in backward (torch.utils.checkpoint)."""
    model = LanguageModel(words, units, heads=4, layers=4, recompute=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return TorchTraining(model, torch.randint(words, (batch, steps + 1)), optimizer=optimizer)


class Experts(nn.Module):
    """Each step goes to one of several networks, by what a router says of it."""

    def __init__(self, units, experts):
        super().__init__()
        self.router = nn.Linear(units, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(units, 4 * units), nn.GELU(), nn.Linear(4 * units, units))
            for _ in range(experts)
        )

    def forward(self, x):
        """Return the outputs, and how evenly the experts are used."""
        flat = x.flatten(0, 1)
        shares = self.router(flat).softmax(-1)
        weight, chosen = shares.max(-1)
        out = torch.zeros_like(flat)
        for number, expert in enumerate(self.experts):
            at = (chosen == number).nonzero().squeeze(1)
            if len(at):
                out = out.index_add(0, at, expert(flat[at]) * weight[at].unsqueeze(1))
        return out.view_as(x), shares.mean(0).square().sum()


@scenario
def mixture_of_experts(
    steps: int, *, batch: int = 16, units: int = 32, experts: int = 4
) -> TorchTraining:
    """Sizes depend on the numbers that are fed: so many steps go to each expert."""
    model = Experts(units, experts)
    return TorchTraining(
        model,
        torch.randn(batch, steps, units),
        lambda out: out[0].square().mean() + 0.01 * out[1],
        torch.optim.Adam(model.parameters()),
    )


class Local(nn.Module):
    """Attention within blocks of a fixed length, and to the block before."""

    def __init__(self, units, block):
        super().__init__()
        self.joint = nn.Linear(units, 3 * units)
        self.block = block

    def forward(self, x):
        """Return what each step becomes."""
        query, key, value = (
            one.unflatten(1, (-1, self.block)) for one in self.joint(x).chunk(3, -1)
        )
        before = functional.pad(torch.cat([key, value], -1), (0, 0, 0, 0, 1, 0))[:, :-1]
        key_before, value_before = before.chunk(2, -1)
        keys = torch.cat([key_before, key], 2)
        values = torch.cat([value_before, value], 2)
        scores = query @ keys.transpose(-1, -2) / key.shape[-1] ** 0.5
        return (scores.softmax(-1) @ values).flatten(1, 2)


@scenario(multiple_of=16, at_least=16)
def local_attention(steps: int, *, batch: int = 12, units: int = 48) -> TorchTraining:
    """Blocks of 16 steps, and only such lengths: memory grows with T."""
    model = Local(units, 16)
    return TorchTraining(model, torch.randn(batch, steps, units), lambda out: out.square().mean())
