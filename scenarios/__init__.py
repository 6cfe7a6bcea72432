"""The scenarios that ship with stepwall, one module per family."""

from scenarios import builds, shapes

__all__ = ["builds", "shapes"]
