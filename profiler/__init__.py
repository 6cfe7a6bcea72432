"""stepwall: measure how a training graph grows with its time steps, and where memory ends.

A scenario module needs only ``Training`` and ``scenario``; ``load_run`` gives stored
results as pandas frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from profiler.scenario import Training, scenario

if TYPE_CHECKING:
    from profiler.store.frames import load_run

__all__ = ["Training", "load_run", "scenario"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # pandas takes half a second to import, and a scenario module must not pay it.
    if name == "load_run":
        from profiler.store.frames import load_run

        return load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
