"""What was measured, as frozen and typed records with JSON both ways; sizes are in bytes."""

from profiler.facts.results import *  # noqa: F403
