"""stepwall: measure how a training graph grows with its time steps, and where memory ends.

A scenario module needs only ``scenario`` and the type that it returns: ``Training``, or one of
an installed framework's (``stepwall new --help`` names them). ``load_run`` gives stored results
as pandas frames.
"""

from __future__ import annotations

import importlib
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
    # The types of the frameworks' other step kinds: what names one brings its framework, not us.
    from profiler.frameworks import installed

    for framework in installed().values():
        for kind in framework.kinds:
            module, _, known = kind.returns.rpartition(".")
            if known == name and module != __name__:
                return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
