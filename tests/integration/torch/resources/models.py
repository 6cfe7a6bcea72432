"""Models as users of PyTorch write them."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from profiler import TorchStep, TorchTraining, scenario


class Net(nn.Module):
    """A recurrent cell in a loop."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.cell = nn.RNNCell(inputs, units)

    def forward(self, x):
        state = None
        outputs = []
        for now in x:
            state = self.cell(now, state)
            outputs.append(state)
        return torch.stack(outputs)


def fit(net, optimizer, x):
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@scenario
def adam(steps: int, *, batch: int = 4, inputs: int = 8, units: int = 64) -> TorchTraining:
    net = Net(inputs, units)
    return TorchTraining(
        net,
        torch.randn(steps, batch, inputs),
        nn.functional.mse_loss,
        torch.optim.Adam(net.parameters()),
        targets=torch.randn(steps, batch, units),
    )


@scenario
def own(steps: int, *, batch: int = 4, inputs: int = 8, units: int = 64) -> TorchStep:
    net = Net(inputs, units)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    x = torch.randn(steps, batch, inputs)

    def step():
        loss = net(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return loss

    return TorchStep(step)


@scenario
def hoarder(steps: int, *, keeps: bool = True, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    optimizer = torch.optim.Adam(net.parameters())
    x = torch.randn(steps, batch, 8)
    history = []

    def step():
        outputs = net(x)
        loss = outputs.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(outputs if keeps else loss.item())
        return loss

    return TorchStep(step)


@scenario
def loaded(steps: int, *, workers: int = 1, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    data = TensorDataset(torch.randn(8 * batch, steps, 8))
    loader = DataLoader(
        data, batch_size=batch, num_workers=workers, prefetch_factor=workers or None
    )
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    return TorchStep(lambda: fit(net, optimizer, next(batches)[0].transpose(0, 1)))


@scenario
def threaded(steps: int, *, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    threads = ThreadPoolExecutor(1)

    def step():
        return fit(net, optimizer, threads.submit(torch.zeros, steps, batch, 8).result())

    return TorchStep(step)


@scenario
def by_hand(steps: int, *, batch: int = 4, units: int = 64) -> TorchStep:
    weight = torch.randn(units, units, requires_grad=True)
    x = torch.randn(batch, units)

    def step():
        state = x
        for _ in range(steps):
            state = torch.tanh(state @ weight)
        loss = state.square().mean()
        (gradient,) = torch.autograd.grad(loss, [weight])
        with torch.no_grad():
            weight.sub_(0.01 * gradient)
        return loss

    return TorchStep(step)


@scenario
def by_data(steps: int, *, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    x = torch.randn(steps, batch, 8)

    def step():
        net.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        for one in net.parameters():
            one.data.add_(one.grad, alpha=-0.01)
        return loss.item()

    return TorchStep(step)


@scenario
def lazy(steps: int, *, batch: int = 4, units: int = 64) -> TorchTraining:
    net = nn.Sequential(nn.LazyLinear(units), nn.Tanh(), nn.LazyLinear(1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    return TorchTraining(net, torch.randn(steps, batch, 8), lambda one: one.mean(), optimizer)


@scenario
def gathered(steps: int, *, calls: int = 4, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    optimizer = torch.optim.Adam(net.parameters())
    x = torch.randn(steps, batch, 8)
    done = itertools.count(1)

    def step():
        loss = net(x).square().mean()
        loss.backward()
        if next(done) % calls == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    return TorchStep(step)


@scenario
def scaled(steps: int, *, scale: float = 2.0**100, batch: int = 4, units: int = 64) -> TorchStep:
    net = Net(8, units)
    optimizer = torch.optim.SGD(net.parameters())
    x = torch.randn(steps, batch, 8)
    # Scaled by 2 ** 100 the gradients are more than float32 holds; by 2 ** 50 they are not.
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, backoff_factor=2.0**-50)

    def step():
        optimizer.zero_grad()
        loss = 2.0**40 * net(x).square().mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return TorchStep(step)


@scenario
def lbfgs(steps: int, *, batch: int = 4, units: int = 64, inner: int = 3) -> TorchTraining:
    net = Net(8, units)
    return TorchTraining(
        net,
        torch.randn(steps, batch, 8),
        lambda outputs: outputs.square().mean(),
        torch.optim.LBFGS(net.parameters(), max_iter=inner, tolerance_change=0, tolerance_grad=0),
    )


@scenario
def residual(steps: int, *, batch: int = 4, units: int = 16, layers: int = 3) -> TorchTraining:
    """Each layer adds to inputs that require a gradient themselves."""
    weight = torch.randn(units, units, requires_grad=True)

    def run(x):
        for _ in range(layers):
            x = x + torch.tanh(x @ weight)
        return x.square().mean()

    x = torch.randn(steps, batch, units, requires_grad=True)
    return TorchTraining(run, x, parameters=[weight])


@scenario
def function(steps: int, *, batch: int = 4, units: int = 64) -> TorchTraining:
    weight = torch.randn(units, units, requires_grad=True)

    def loss(x):
        state = x
        for _ in range(steps):
            state = torch.tanh(state @ weight)
        return state.square().mean()

    return TorchTraining(loss, torch.randn(batch, units), parameters=[weight])


@scenario
def compiled(steps: int, *, batch: int = 4, units: int = 16) -> TorchTraining:
    net = torch.compile(Net(8, units), backend="aot_eager")
    return TorchTraining(net, torch.randn(steps, batch, 8), lambda outputs: outputs.square().mean())


@scenario
def no_training(steps: int) -> TorchTraining:
    return steps


@scenario
def no_update(steps: int) -> TorchStep:
    weight = torch.randn(3, 3, requires_grad=True)
    return TorchStep(lambda: (weight @ weight).sum())  # noqa: PLW0108 (anew each time)


@scenario
def no_scalar(steps: int) -> TorchTraining:
    return TorchTraining(nn.Linear(3, 3), torch.randn(2, 3))


@scenario
def no_parameter(steps: int) -> TorchTraining:
    return TorchTraining(lambda x: x.sum(), torch.randn(2, 3))


@scenario
def no_dependence(steps: int) -> TorchTraining:
    return TorchTraining(nn.Linear(3, 3), torch.randn(2, 3), lambda _: torch.ones(()))


@scenario
def no_number(steps: int) -> TorchTraining:
    return TorchTraining(
        nn.Linear(3, 3), torch.randn(2, 3), lambda outputs: outputs.square().sum() / 0
    )
