"""A recurrent network of the toy framework whose memory drops at one length."""

from stepwall_toy import Recurrence

from profiler import scenario


@scenario
def toy_gathered(
    steps: int, *, batch: int = 32, units: int = 32, modelled: bool = False
) -> Recurrence:
    """Keeps all states in one array."""
    return Recurrence(steps=steps, batch=batch, units=units, gathered=True, modelled=modelled)
