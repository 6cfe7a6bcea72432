"""Training methods that do more than a loss, backward and an update."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from profiler import TorchStep, TorchTraining, scenario


@scenario
def sparse_words(steps: int, *, batch: int = 32, words: int = 5000, units: int = 32) -> TorchStep:
    """Sparse gradients of a table, of as many rows as words occur; two optimizers."""
    table = nn.Embedding(words, units, sparse=True)
    lstm = nn.LSTM(units, units, batch_first=True)
    optimizers = [
        torch.optim.SparseAdam(table.parameters()),
        torch.optim.AdamW(lstm.parameters()),
    ]
    words_of = torch.randint(words, (batch, steps))

    def step():
        for one in optimizers:
            one.zero_grad()
        loss = lstm(table(words_of))[0].square().mean()
        loss.backward()
        for one in optimizers:
            one.step()
        return loss.item()

    return TorchStep(step)


class Adapted(nn.Module):
    """A layer that stays as it is, and a small one beside it that is trained."""

    def __init__(self, inputs, units, rank):
        super().__init__()
        self.base = nn.Linear(inputs, units).requires_grad_(requires_grad=False)
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, units, bias=False)

    def forward(self, x):
        """Return the sum of both."""
        return self.base(x) + self.up(self.down(x))


class AdaptedBlock(nn.Module):
    """A block of a transformer with fused attention."""

    def __init__(self, units, heads, rank):
        super().__init__()
        self.heads = heads
        self.norm = nn.RMSNorm(units)
        self.joint = Adapted(units, 3 * units, rank)
        self.mixed = Adapted(units, units, rank)
        self.wide = Adapted(units, 4 * units, rank)
        self.narrow = Adapted(4 * units, units, rank)

    def forward(self, x):
        """Return sequences as long as those given."""
        batch, steps, units = x.shape
        parts = self.joint(self.norm(x)).view(batch, steps, 3, self.heads, units // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        x = x + self.mixed(seen.transpose(1, 2).reshape(batch, steps, units))
        return x + self.narrow(functional.silu(self.wide(self.norm(x))))


@scenario
def adapters(steps: int, *, batch: int = 4, units: int = 64, rank: int = 4) -> TorchTraining:
    """Low-rank adapters beside layers that are not trained."""
    net = nn.Sequential(*(AdaptedBlock(units, 4, rank) for _ in range(3)))
    trained = [one for one in net.parameters() if one.requires_grad]
    x = torch.randn(batch, steps, units)
    return TorchTraining(net, x, lambda y: y.square().mean(), torch.optim.AdamW(trained))


@scenario
def freed_in_backward(
    steps: int, *, batch: int = 16, units: int = 64, layers: int = 6
) -> TorchStep:
    """Each gradient is used, and freed, as soon as backward has made it."""
    net = nn.Sequential(
        *(
            layer
            for _ in range(layers)
            for layer in (nn.Conv1d(units, units, 3, padding=1), nn.GELU())
        )
    )
    optimizers = {one: torch.optim.Adam([one]) for one in net.parameters()}

    def update(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in net.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    x = torch.randn(batch, units, steps)

    def step():
        loss = net(x).square().mean()
        loss.backward()
        return loss.item()

    return TorchStep(step)


@scenario
def adversarial(steps: int, *, batch: int = 16, units: int = 32) -> TorchStep:
    """A generator of sequences and a judge of them, with an update each."""
    maker, shape = nn.GRU(8, units, batch_first=True), nn.Linear(units, 4)
    reader, verdict = nn.GRU(4, units, batch_first=True), nn.Linear(units, 1)
    making = torch.optim.Adam([*maker.parameters(), *shape.parameters()])
    judging = torch.optim.Adam([*reader.parameters(), *verdict.parameters()])
    real = torch.randn(batch, steps, 4)
    yes, no = torch.ones(batch, 1), torch.zeros(batch, 1)

    def judged(x):
        return verdict(reader(x)[0][:, -1])

    def step():
        made = shape(maker(torch.randn(batch, steps, 8))[0])
        judging.zero_grad()
        wrong = functional.binary_cross_entropy_with_logits(judged(made.detach()), no)
        judge_loss = functional.binary_cross_entropy_with_logits(judged(real), yes) + wrong
        judge_loss.backward()
        judging.step()
        making.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(judged(made), yes)
        loss.backward()
        making.step()
        return loss.item() + judge_loss.item()

    return TorchStep(step)


@scenario
def private_gradients(steps: int, *, batch: int = 96, units: int = 32) -> TorchStep:
    """The gradient of each sample, clipped, and noise: functions of functions, no optimizer."""
    net = nn.Sequential(
        nn.Conv1d(8, units, 5, padding=2), nn.ReLU(), nn.Conv1d(units, 8, 5, padding=2)
    )
    parameters = dict(net.named_parameters())
    x, y = torch.randn(batch, 8, steps), torch.randn(batch, 8, steps)

    def loss_of(parameters, x, y):
        outputs = functional_call(net, parameters, (x.unsqueeze(0),))
        return functional.mse_loss(outputs.squeeze(0), y)

    def step():
        plain = {name: one.detach() for name, one in parameters.items()}
        found = vmap(grad(loss_of), in_dims=(None, 0, 0))(plain, x, y)
        norms = sum(one.flatten(1).square().sum(1) for one in found.values()).sqrt()
        scales = (1 / norms).clamp(max=1)
        with torch.no_grad():
            for name, one in parameters.items():
                mean = torch.einsum("b,b...->...", scales, found[name]) / batch
                one.sub_(0.01 * (mean + 0.1 * torch.randn_like(mean)))
        return norms.mean()

    return TorchStep(step)


@scenario
def calls_gathered(steps: int, *, batch: int = 32, units: int = 32, calls: int = 2) -> TorchStep:
    """Gradients of some calls for an update, which is written to the parameters by hand."""
    lstm = nn.LSTM(units, units)
    x = torch.randn(steps, batch, units)
    state = {"calls": 0}

    def step():
        state["calls"] += 1
        loss = lstm(x)[0].square().mean() / calls
        loss.backward()
        if state["calls"] % calls == 0:
            for parameter in lstm.parameters():
                parameter.data.add_(parameter.grad, alpha=-0.1)
            lstm.zero_grad()
        return loss.item()

    return TorchStep(step)


@scenario
def scaled_halves(steps: int, *, batch: int = 64, units: int = 32) -> TorchStep:
    """float16 with a gradient scaler, which leaves updates out until its scale is small enough."""
    net = nn.Sequential(nn.Linear(units, 128), nn.Tanh(), nn.Linear(128, units))
    optimizer = torch.optim.Adam(net.parameters())
    scaler = torch.amp.GradScaler("cpu")
    x = torch.randn(batch, steps, units)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = functional.mse_loss(net(x).cumsum(1), x)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_value_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return TorchStep(step)
