"""What is predicted of a real scenario is what happens when it is really run.

A scenario that raises at a length that is recorded: test_reuse.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Measurement, WallPredictions
from profiler.frameworks import PredictionRequest
from profiler.measure.client import Client
from profiler.units import MIB

BATCH, UNITS, FLOAT_BYTES = 256, 64, 4
LIMIT_BYTES = 64 * MIB
FAR = 8 * 128  # the quick run's longest, times eight


@pytest.fixture(scope="module")
def folder(resources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the chain's file."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "before.py").write_text((resources / "before.py").read_text())
    return folder


@pytest.fixture(scope="module")
def predicted(
    stepwall: Callable[..., subprocess.CompletedProcess[str]], folder: Path
) -> dict[str, Any]:
    """Return what ``predict`` says of the chain, from a quick run of its own."""
    done = stepwall(
        *("predict", "chain", "--scenarios", folder / "before.py"),
        *("--limit", f"{LIMIT_BYTES // MIB}MiB", "--steps", FAR, "--json", "predicted.json"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "predicted, not run: the longest measured length is 128 steps" in done.stdout
    document: dict[str, Any] = json.loads((folder / "predicted.json").read_text())
    return document


@pytest.fixture(scope="module")
def real(measure: Callable[..., Measurement], resources: Path) -> Measurement:
    """Return the chain at the length that was predicted."""
    return measure("chain", source=resources / "before.py", steps=FAR, batch=BATCH, units=UNITS)


def _value(predicted: dict[str, Any], metric: str) -> dict[str, Any]:
    (found,) = [value for value in predicted["values"] if value["metric"] == metric]
    return dict(found)


def test_nodes_are_predicted_exactly(predicted: dict[str, Any], real: Measurement) -> None:
    """Eight times the longest measured length."""
    assert real.graph is not None
    assert real.graph.built is not None

    assert _value(predicted, "nodes")["exact"] is True
    assert _value(predicted, "nodes")["value"] == real.graph.nodes


def test_device_memory_is_predicted(predicted: dict[str, Any], real: Measurement) -> None:
    """Within what the interval says, and within two hundredths."""
    assert real.device is not None
    peak = _value(predicted, "peak")

    assert peak["from_short_runs"] is True
    assert peak["low"] <= (real.device.peak_bytes or 0) <= peak["high"]
    assert peak["value"] == pytest.approx(real.device.peak_bytes, rel=0.02)


def test_the_wall_is_predicted_where_the_tensors_say(predicted: dict[str, Any]) -> None:
    """Backprop holds two tensors of batch times units per step; a few fit no more."""
    per_step = 2 * BATCH * UNITS * FLOAT_BYTES

    assert predicted["wall"]["steps"] == pytest.approx(LIMIT_BYTES / per_step, rel=0.02)
    assert predicted["measured_to"] == 128


def test_every_card_has_its_steps(predicted: dict[str, Any]) -> None:
    """In proportion to its memory, far beyond what was run."""
    steps = {card["limit_bytes"]: card["wall"]["steps"] for card in predicted["cards"]}
    least, most = min(steps), max(steps)

    assert len(steps) == 8
    assert steps[most] / steps[least] == pytest.approx(most / least, rel=0.01)


WIDE = {"batch": 32, "inputs": 64, "units": 1024, "cell": "basic"}


def _changes_from(client: Client, scenario: str, parameters: dict[str, Any]) -> int | None:
    point = point_of(client, scenario, **parameters)
    request = PredictionRequest(limits_bytes=[MIB], max_steps=1, changes=True)
    found = client.predict_walls(point, request)
    assert isinstance(found, WallPredictions)
    return min((caveat.from_steps or 0 for caveat in found.caveats), default=None)


def test_the_graph_optimizer_acts_from_where_it_is_expected_to(
    client: Client, measure: Callable[..., Measurement]
) -> None:
    """It takes a CPU for a device of 256 MiB, and acts from four fifths of that on.

    Backprop of so wide a cell waits for one gradient of its kernel per step: these say where.
    """
    found = _changes_from(client, "seq_to_vec_static", WIDE)
    kernel_bytes = (WIDE["inputs"] + WIDE["units"]) * WIDE["units"] * FLOAT_BYTES  # type: ignore[operator]
    assert found is not None
    before, after = (
        measure("seq_to_vec_static", steps=steps, **WIDE).notes for steps in (found - 4, found + 4)
    )

    assert found == pytest.approx(0.8 * 256 * MIB / kernel_bytes, rel=0.05)
    assert not any("in place" in note for note in before)
    assert any("in place" in note for note in after)


def test_a_loop_is_never_changed(client: Client) -> None:
    """It adds its gradients up as it goes: no sum waits."""
    assert _changes_from(client, "dynamic_rnn", {"batch": 1, "units": 16, "cell": "basic"}) is None
