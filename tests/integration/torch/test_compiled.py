"""Steps that ``torch.compile`` compiles: the nodes of their graphs, bodies apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Explanation, GraphSize, Measurement, Status
from profiler.measure.client import Client

RESOURCES = Path(__file__).parent / "resources"

Measure = Callable[..., Measurement]


@pytest.fixture(scope="module")
def client(client_of: Callable[..., Client]) -> Client:
    """Return a client of the shipped scenarios and of the compiled models beside this file."""
    return client_of(RESOURCES / "compiled_models.py")


@pytest.fixture(scope="module")
def graph(client: Client) -> Callable[..., GraphSize]:
    """Return ``graph(scenario, steps=...)``: how big its graphs are."""

    def graph(scenario: str, *, steps: int, **settings: Any) -> GraphSize:
        measured = client.measure(point_of(client, scenario, steps=steps, **settings))
        assert measured.outcome.status is Status.OK, measured.outcome
        assert measured.graph is not None
        return measured.graph

    return graph


def stages(graph: GraphSize) -> dict[str, int]:
    """Return the nodes of each stage."""
    return {stage.name: stage.nodes for stage in graph.stages}


def test_dynamo_unrolls_a_loop(graph: Callable[..., GraphSize]) -> None:
    """Three lengths at equal distances lie on one line, forward, backward and as captured."""
    graphs = [graph("torch_compiled_loop", steps=steps) for steps in (2, 4, 6)]
    counts = [
        {**(one.built.parts if one.built else {}), "captured": stages(one)["captured"]}
        for one in graphs
    ]

    assert counts[0].keys() == {"forward", "backward", "captured"}
    for name in counts[0]:
        first, second, third = (one[name] for one in counts)
        assert first < second < third
        assert third - second == second - first


def test_a_scan_is_as_large_at_any_length(graph: Callable[..., GraphSize]) -> None:
    """Its body is counted once, beside the graphs of forward and backward."""
    short, long = (graph("torch_scan", steps=steps) for steps in (3, 24))

    assert stages(short) == stages(long)
    assert list(stages(short)) == ["traced", "library", "captured"]
    assert [stage.name for stage in short.beside] == ["library"]
    assert short.built is not None
    assert short.nodes == sum(short.built.parts.values()) + stages(short)["library"]
    assert stages(short)["library"] > 0
    assert short.built.by_op["scan"] == 2  # forward, and backward


def test_wrong_gradients_of_a_scan_are_told(client: Client, *, has_right_scan: bool) -> None:
    """Those of a version of PyTorch whose gradients are right are not."""
    measured = client.measure(point_of(client, "torch_scan", steps=3))

    is_told = any("scan's gradients" in note for note in measured.notes)
    assert is_told is not has_right_scan


def test_without_traced_graphs_the_captured_ones_are_counted(
    graph: Callable[..., GraphSize],
) -> None:
    """A backend that runs what Dynamo captured makes none of forward and backward."""
    found = graph("torch_scan", steps=3, backend="eager")

    assert list(stages(found)) == ["captured", "library"]
    assert found.nodes == sum(stages(found).values())


def test_one_more_step_of_a_compiled_loop_is_told_in_nodes(client: Client) -> None:
    """By ``explain``, as of any other step."""
    point = point_of(client, "torch_compiled_loop", steps=8, units=8, inputs=8, batch=2)
    found = client.explain(point, alone=True)

    assert isinstance(found, Explanation), found
    assert found.unexplained_bytes == 0
    assert sum(found.graph.forward.values()) > 8
    assert sum(found.graph.backward.values()) > 8


@pytest.mark.parametrize("scenario", ["part", "own", "implicit"])
def test_what_is_compiled_within_is_not_passed_over(client: Client, scenario: str) -> None:
    """A part of a module or of a step, or what an operation is given: it says what is counted."""
    measured = client.measure(point_of(client, scenario, steps=3))

    assert measured.outcome.status is Status.OK, measured.outcome
    assert measured.graph is not None
    assert "built" not in stages(measured.graph)
    assert stages(measured.graph)["captured"] > 0
    assert any("instead of dispatched operations" in note for note in measured.notes)


def test_a_step_that_fails_while_it_is_watched_is_not_counted(client: Client) -> None:
    """All else is measured, and it says why."""
    measured = client.measure(point_of(client, "unwatchable", steps=3))

    assert measured.outcome.status is Status.OK, measured.outcome
    assert measured.graph is None or measured.graph.nodes is None
    assert "it will not be watched" in measured.missing["graph.nodes"]
    assert measured.device is not None
    assert measured.device.peak_bytes
    assert measured.device.forward_peak_bytes
