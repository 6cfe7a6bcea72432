"""Whole training steps, as they stand in people's training scripts."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from profiler import TorchStep, scenario


class Regressor(nn.Module):
    """An LSTM and a linear layer."""

    def __init__(self, inputs, units):
        super().__init__()
        self.lstm = nn.LSTM(inputs, units, batch_first=True)
        self.out = nn.Linear(units, 1)

    def forward(self, x):
        """Return a number for each sequence."""
        return self.out(self.lstm(x)[0][:, -1]).squeeze(1)


@scenario
def clipped_and_scheduled(steps: int, *, batch: int = 32, units: int = 48) -> TorchStep:
    """Clipping by norm, Adam, and a learning rate that changes."""
    model = Regressor(16, units)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    x, y = torch.randn(batch, steps, 16), torch.randn(batch)

    def step():
        optimizer.zero_grad()
        loss = functional.smooth_l1_loss(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        return loss.item()

    return TorchStep(step)


@scenario
def autocast_bf16(steps: int, *, batch: int = 64, units: int = 64) -> TorchStep:
    """Mixed precision: products in bfloat16, weights and sums in float32."""
    cell = nn.RNNCell(units, units)
    head = nn.Sequential(nn.Linear(units, 2 * units), nn.GELU(), nn.Linear(2 * units, units))
    parameters = [*cell.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    x = torch.randn(steps, batch, units)

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = torch.zeros(batch, units)
            outputs = []
            for now in x:
                h = cell(now, h)
                outputs.append(head(h))
            loss = torch.stack(outputs).float().square().mean()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return TorchStep(step)


@scenario
def accumulated_loader(steps: int, *, batch: int = 32, units: int = 32) -> TorchStep:
    """Three batches of a DataLoader for one update: gradients accumulate."""
    model = Regressor(8, units)
    optimizer = torch.optim.AdamW(model.parameters())
    data = TensorDataset(torch.randn(3 * batch, steps, 8), torch.randn(3 * batch))
    loader = DataLoader(data, batch_size=batch, shuffle=True)

    def step():
        total = 0.0
        for x, y in loader:
            loss = functional.mse_loss(model(x), y) / len(loader)
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad()
        return total

    return TorchStep(step)


@scenario
def gradient_penalty(steps: int, *, batch: int = 48, units: int = 32) -> TorchStep:
    """A critic whose gradient's norm is a part of its loss: backward through backward."""
    embed, cell, out = nn.Linear(4, units), nn.GRUCell(units, units), nn.Linear(units, 1)
    model = nn.ModuleList([embed, cell, out])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.0, 0.9))
    real = torch.randn(steps, batch, 4)

    def critic(x):
        h = x.new_zeros(batch, units)
        for now in x:
            h = cell(torch.tanh(embed(now)), h)
        return out(h).mean()

    def step():
        fake = torch.randn(steps, batch, 4)
        mixed = (0.5 * real + 0.5 * fake).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(mixed), mixed, create_graph=True)
        penalty = (gradient.pow(2).sum((0, 2)).sqrt() - 1).square().mean()
        loss = critic(fake) - critic(real) + 10 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return TorchStep(step)


@scenario
def neural_ode(steps: int, *, batch: int = 48, units: int = 24, inner: int = 3) -> TorchStep:
    """Each step integrates an equation by inner steps of Runge and Kutta."""
    field = nn.Sequential(nn.Linear(units, 2 * units), nn.Softplus(), nn.Linear(2 * units, units))
    optimizer = torch.optim.Adam(field.parameters())
    start, goal = torch.randn(batch, units), torch.randn(steps, batch, units)

    def integrated(y, span):
        for _ in range(inner):
            width = span / inner
            k1 = field(y)
            k2 = field(y + width / 2 * k1)
            k3 = field(y + width / 2 * k2)
            k4 = field(y + width * k3)
            y = y + width / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y

    def step():
        y, loss = start, 0.0
        for wanted in goal:
            y = integrated(y, 0.05)
            loss = loss + functional.mse_loss(y, wanted)
        loss = loss / steps
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return TorchStep(step)


@scenario
def policy_gradient(steps: int, *, batch: int = 256, units: int = 32) -> TorchStep:
    """An episode is played, then its returns weigh the log-probabilities (REINFORCE)."""
    policy = nn.Sequential(nn.Linear(6, units), nn.ReLU(), nn.Linear(units, 3))
    value = nn.Sequential(nn.Linear(6, units), nn.ReLU(), nn.Linear(units, 1))
    optimizer = torch.optim.Adam([*policy.parameters(), *value.parameters()])

    def step():
        state = torch.zeros(batch, 6)
        chosen, rewards, values = [], [], []
        for _ in range(steps):
            choice = torch.distributions.Categorical(logits=policy(state))
            action = choice.sample()
            chosen.append(choice.log_prob(action))
            values.append(value(state).squeeze(1))
            with torch.no_grad():
                state = 0.9 * state + functional.one_hot(action, 6).float()
                rewards.append(-state.square().sum(1))
        returns, total = [], torch.zeros(batch)
        for reward in reversed(rewards):
            total = reward + 0.95 * total
            returns.insert(0, total)
        returns, values = torch.stack(returns), torch.stack(values)
        advantage = (returns - values).detach()
        loss = -(torch.stack(chosen) * advantage).mean() + functional.mse_loss(values, returns)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return TorchStep(step)


@scenario
def forgotten_history(steps: int, *, batch: int = 32, units: int = 32) -> TorchStep:
    """A leak: the states of every step of training are kept for a plot."""
    model = nn.GRU(4, units)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(steps, batch, 4)
    history = []

    def step():
        outputs, _ = model(x)
        loss = outputs.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(outputs.detach())
        return loss.detach()

    return TorchStep(step)


@scenario
def carried_state(steps: int, *, batch: int = 8, words: int = 300, units: int = 40) -> TorchStep:
    """A language model whose state is carried from one batch to the next, weights averaged."""
    embedding, lstm = nn.Embedding(words, units, sparse=True), nn.LSTM(units, units)
    out = nn.Linear(units, words)
    dense = torch.optim.Adam([*lstm.parameters(), *out.parameters()])
    sparse = torch.optim.SparseAdam(embedding.parameters())
    averaged = torch.optim.swa_utils.AveragedModel(lstm)
    text = torch.randint(words, (steps + 1, batch))
    carried = {}

    def step():
        outputs, state = lstm(embedding(text[:-1]), carried.get("state"))
        carried["state"] = tuple(one.detach() for one in state)
        loss = functional.cross_entropy(out(outputs).flatten(0, 1), text[1:].flatten())
        loss.backward()
        for optimizer in (dense, sparse):
            optimizer.step()
            optimizer.zero_grad()
        averaged.update_parameters(lstm)
        return loss.detach()

    return TorchStep(step)
