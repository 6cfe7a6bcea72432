"""A network of the toy framework whose points take their time, so that they can be disturbed."""

import time
from pathlib import Path

from stepwall_toy import Recurrence

from profiler import scenario


@scenario
def slow_loop(
    steps: int, *, units: int = 8, seconds: float = 0.2, until: str | None = None
) -> Recurrence:
    """Sleeps while it is built: so long, or until a file is there."""
    while until is not None and not Path(until).exists():
        time.sleep(0.02)
    time.sleep(seconds)
    return Recurrence(steps=steps, batch=4, units=units, accumulate=True)
