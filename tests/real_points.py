"""Points of real scenarios, as the command line makes them, with typed parameters."""

from __future__ import annotations

from typing import Any

from profiler.facts import Point, replace
from profiler.measure.client import Client
from profiler.planning.points import Conditions, point, select

CONDITIONS = {"device", "limit_bytes", "host_limit_bytes", "schedule"}


def point_of(client: Client, scenario: str, *, steps: int = 0, **settings: Any) -> Point:
    """Return a point of one of the client's scenarios.

    Args:
        client: lists the scenarios.
        scenario: its name.
        steps: its length; 0 where that does not matter.
        settings: conditions of the point, and else the scenario's parameters.
    """
    conditions = {name: settings.pop(name) for name in CONDITIONS & settings.keys()}
    (listing,) = select([scenario], client.catalog().scenarios)
    made = point(listing, Conditions(**conditions), steps=steps)
    assert settings.keys() <= made.parameters.keys()
    return replace(made, parameters={**made.parameters, **settings})
