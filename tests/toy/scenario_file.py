"""Two recurrent networks of the toy framework, as its users would write them."""

from stepwall_toy import Recurrence

from profiler import scenario


@scenario(tags=("compared",))
def toy_unrolled(steps: int, *, batch: int = 4, units: int = 8) -> Recurrence:
    """Keeps the weight gradient of every step until the end."""
    return Recurrence(steps=steps, batch=batch, units=units)


@scenario(tags=("compared",))
def toy_loop(steps: int, *, batch: int = 4, units: int = 8) -> Recurrence:
    """Adds the weight gradients up as it goes."""
    return Recurrence(steps=steps, batch=batch, units=units, accumulate=True)


@scenario
def toy_broken(steps: int) -> Recurrence:
    """Cannot be built beyond nine steps."""
    if steps > 9:
        raise ValueError(f"{steps} steps are too many for me")
    return Recurrence(steps=steps, batch=1, units=1)
