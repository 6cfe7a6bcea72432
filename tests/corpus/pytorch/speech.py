"""Sound and pictures over time."""

import itertools

import torch
from torch import nn
from torch.nn import functional

from profiler import TorchTraining, scenario


class Wave(nn.Module):
    """Gated causal convolutions, ever further apart, with skip connections."""

    def __init__(self, levels, channels, depth):
        super().__init__()
        self.first = nn.Conv1d(1, channels, 1)
        self.gated = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, 2, dilation=2**n) for n in range(depth)
        )
        self.mixed = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(depth))
        self.out = nn.Sequential(nn.ReLU(), nn.Conv1d(channels, levels, 1))

    def forward(self, wave):
        """Return the logits of each next sample."""
        x = self.first(wave)
        skips = 0.0
        for gated, mixed in zip(self.gated, self.mixed, strict=True):
            before = functional.pad(x, (gated.dilation[0], 0))
            value, gate = gated(before).chunk(2, 1)
            z = mixed(torch.tanh(value) * torch.sigmoid(gate))
            skips, x = skips + z, x + z
        return self.out(skips)


@scenario
def wavenet(steps: int, *, batch: int = 4, levels: int = 64, channels: int = 16) -> TorchTraining:
    """Dilated causal convolutions over samples."""
    model = Wave(levels, channels, depth=6)
    return TorchTraining(
        model,
        torch.rand(batch, 1, steps) * 2 - 1,
        functional.cross_entropy,
        torch.optim.Adam(model.parameters()),
        targets=torch.randint(levels, (batch, steps)),
    )


class Acoustic(nn.Module):
    """A convolution that halves the frames, an LSTM both ways, letters."""

    def __init__(self, bands, units, letters):
        super().__init__()
        self.conv = nn.Conv1d(bands, units, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(units)
        self.lstm = nn.LSTM(units, units, num_layers=2, bidirectional=True, dropout=0.2)
        self.out = nn.Linear(2 * units, letters)

    def forward(self, frames):
        """Return the log-probabilities of letters, ``[frames, batch, letters]``."""
        x = functional.relu(self.norm(self.conv(frames.permute(1, 2, 0))))
        return self.out(self.lstm(x.permute(2, 0, 1))[0]).log_softmax(-1)


@scenario(multiple_of=2, at_least=8)
def ctc_speech(
    steps: int, *, batch: int = 16, bands: int = 20, units: int = 32, letters: int = 30
) -> TorchTraining:
    """A deep LSTM both ways with the CTC loss; frames are halved."""
    model = Acoustic(bands, units, letters)
    frames = torch.full((batch,), steps // 2)
    spoken = torch.full((batch,), steps // 8)

    def loss(outputs, letters):
        return functional.ctc_loss(outputs, letters, frames, spoken)

    return TorchTraining(
        model,
        torch.randn(steps, batch, bands),
        loss,
        torch.optim.Adam(model.parameters()),
        targets=torch.randint(1, letters, (batch, steps // 8)),
    )


class ConvLSTM(nn.Module):
    """An LSTM whose products are convolutions of pictures."""

    def __init__(self, channels, units):
        super().__init__()
        self.gates = nn.Conv2d(channels + units, 4 * units, 3, padding=1)
        self.out = nn.Conv2d(units, channels, 1)
        self.units = units

    def forward(self, frames):
        """Return each next picture, ``[batch, steps, channels, height, width]``."""
        batch, _, _, height, width = frames.shape
        h = c = frames.new_zeros(batch, self.units, height, width)
        outputs = []
        for frame in frames.unbind(1):
            i, f, o, g = self.gates(torch.cat([frame, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(self.out(h))
        return torch.stack(outputs, 1)


@scenario
def next_frames(
    steps: int, *, batch: int = 2, size: int = 12, channels: int = 1, units: int = 8
) -> TorchTraining:
    """A ConvLSTM foretells the next picture of a film."""
    model = ConvLSTM(channels, units)
    film = torch.rand(batch, steps + 1, channels, size, size)
    return TorchTraining(
        model,
        film[:, :-1],
        functional.binary_cross_entropy_with_logits,
        torch.optim.Adam(model.parameters()),
        targets=film[:, 1:],
    )


class Spectral(nn.Module):
    """A long convolution by Fourier transforms, as in state space layers."""

    def __init__(self, units, states):
        super().__init__()
        self.decay = nn.Parameter(torch.rand(units, states))
        self.mix = nn.Parameter(torch.randn(units, states) / states)
        self.out = nn.Linear(units, units)

    def forward(self, x):
        """Return the filtered signal, ``[batch, units, steps]``."""
        steps = x.shape[-1]
        times = torch.arange(steps, dtype=x.dtype)
        kernel = (self.mix.unsqueeze(2) * (-self.decay.exp().unsqueeze(2) * times).exp()).sum(1)
        spectrum = torch.fft.rfft(x, n=2 * steps) * torch.fft.rfft(kernel, n=2 * steps)
        filtered = torch.fft.irfft(spectrum, n=2 * steps)[..., :steps]
        return self.out(functional.gelu(filtered).transpose(1, 2))


@scenario
def spectral_filter(
    steps: int, *, batch: int = 16, units: int = 24, states: int = 8
) -> TorchTraining:
    """A state space layer as one convolution (torch.fft), of complex numbers."""
    model = Spectral(units, states)
    return TorchTraining(model, torch.randn(batch, units, steps), lambda out: out.square().mean())


class Unet(nn.Module):
    """Half the samples at each level down, twice as many at each level up, with what was there."""

    def __init__(self, channels):
        super().__init__()
        widths = [1, channels, 2 * channels, 4 * channels]
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(narrow, wide, 4, 2, 1),
                nn.BatchNorm1d(wide),
                nn.LeakyReLU(0.2, inplace=True),
            )
            for narrow, wide in itertools.pairwise(widths)
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose1d(wide, narrow, 4, 2, 1),
                nn.BatchNorm1d(narrow),
                nn.ReLU(inplace=True),
            )
            for wide, narrow in [
                (4 * channels, 2 * channels),
                (4 * channels, channels),
                (2 * channels, 1),
            ]
        )

    def forward(self, x):
        """Return as many samples as were given."""
        kept = []
        for level in self.down:
            x = level(x)
            kept.append(x)
        x = kept.pop()
        for level in self.up:
            x = level(x)
            if kept:
                x = torch.cat([x, kept.pop()], 1)
        return x


@scenario(multiple_of=8)
def unet(steps: int, *, batch: int = 64, channels: int = 24) -> TorchTraining:
    """Convolutions with a stride, batch norm, and connections across."""
    net = Unet(channels)
    x = torch.randn(batch, 1, steps)
    optimizer = torch.optim.Adam(net.parameters())
    return TorchTraining(net, x, lambda y: y.square().mean(), optimizer)
