"""Another axis than steps, parameters of every kind, and grids, through real children."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

OK, BAD_INPUT = 0, 2
INPUTS, BATCHES, FLOAT = 32, (64, 128), 4


@pytest.fixture
def axes(stepwall: Stepwall, resources: Path, tmp_path: Path) -> Stepwall:
    """Return the command with the scenarios of ``axes.py``, in a folder of the test's own."""

    def axes(*arguments: object) -> subprocess.CompletedProcess[str]:
        return stepwall(*arguments, "--scenarios", resources / "axes.py", cwd=tmp_path)

    return axes


def test_units_are_swept_with_parameters_of_every_kind(axes: Stepwall, tmp_path: Path) -> None:
    """The scenario gets what was set, and everything stored, printed and drawn calls it units."""
    settings = ("layers=8,4", "activation=RELU", "clip=none")
    pairs = [word for one in settings for word in ("--set", one)]
    done = axes("profile", "wide", "--steps", "8,16", *pairs, "--name", "one", "--json", "run.json")
    run = json.loads((tmp_path / "run.json").read_text())
    html = (tmp_path / "results" / "one" / "report.html").read_text()
    points = run["measurements"]

    assert done.returncode == OK, done.stderr
    assert " units" in done.stdout
    assert [(one["axis"], one["steps"]) for one in points] == [("units", 8), ("units", 16)]
    assert points[0]["parameters"] == {
        "batch": 8,
        "layers": [8, 4],
        "activation": "RELU",
        "clip": None,
    }
    # The first layer, and those of the tuple.
    assert [one["graph"]["by_op"]["Relu"] for one in points] == [1 + 2, 1 + 2]
    assert "<dt>units</dt>" in html
    assert "time steps" not in html


def test_a_grid_is_a_series_for_each_value(axes: Stepwall, tmp_path: Path) -> None:
    """Named by it, in the table and in the report."""
    done = axes("profile", "stack", "--steps", "2,4", "--set", "batch=8,16", "--json", "run.json")
    run = json.loads((tmp_path / "run.json").read_text())
    found = [(one["parameters"]["batch"], one["steps"]) for one in run["measurements"]]

    assert done.returncode == OK, done.stderr
    assert found == [(8, 2), (8, 4), (16, 2), (16, 4)]
    for batch in (8, 16):
        assert f"stack batch={batch}" in done.stdout
        csv = (tmp_path / "results" / "latest" / "measurements.csv").read_text()
        assert f"stack batch={batch}" in csv


def test_a_frontier_is_a_wall_for_each_value(axes: Stepwall, tmp_path: Path) -> None:
    """A larger batch leaves no more room; both ends of each wall were really run."""
    batches = ",".join(map(str, BATCHES))
    done = axes(
        *("wall", "stack", "--limit", "1MiB", "--set", f"batch={batches}"),
        *("--name", "front", "--json", "walls.json"),
    )
    document = json.loads((tmp_path / "walls.json").read_text())
    walls = document["walls"]

    assert done.returncode == OK, done.stderr
    assert (document["schema"], document["run"]) == (1, "front")
    assert [wall["parameters"]["batch"] for wall in walls] == [*BATCHES]
    assert {(wall["axis"], wall["status"]) for wall in walls} == {("layers", "exact")}
    for wall in walls:
        ends = _ends(wall)
        assert ends[wall["last_ok"]] == "ok"
        assert ends[wall["last_ok"] + 1] == "oom_device"
        assert f"{wall['last_ok']} layers" in done.stdout
    assert walls[0]["last_ok"] >= walls[1]["last_ok"]
    # At most the tensors that backprop must keep, one of a batch's rows for each layer.
    for batch, wall in zip(BATCHES, walls, strict=True):
        assert wall["last_ok"] * batch * INPUTS * FLOAT <= 1 << 20
    page = (tmp_path / "results" / "front" / "report.html").read_text()
    assert '"name":"frontier"' in page
    assert f'"values":["{BATCHES[0]}","{BATCHES[1]}"]' in page


def test_the_largest_batch_at_a_length(axes: Stepwall, tmp_path: Path) -> None:
    """A step is the same one, whichever of its numbers is swept; its wall counts batches."""
    at = ("--axis", "batch", "--set", "layers=4")
    long = axes("profile", "stack", "--steps", "4", "--set", "batch=16", "--json", "long.json")
    wide = axes("profile", "stack", "--steps", "16,32", *at, "--json", "wide.json")
    wall = axes("wall", "stack", *at, "--limit", "1MiB", "--json", "wall.json")
    (one,) = json.loads((tmp_path / "long.json").read_text())["measurements"]
    same, _ = json.loads((tmp_path / "wide.json").read_text())["measurements"]
    found = json.loads((tmp_path / "wall.json").read_text())

    assert [done.returncode for done in (long, wide, wall)] == [OK] * 3, wall.stderr
    assert (same["axis"], same["steps"], same["parameters"]) == ("batch", 16, {"layers": 4})
    assert same["device"]["peak_bytes"] == one["device"]["peak_bytes"]
    assert same["graph"]["by_op"] == one["graph"]["by_op"]
    assert found["status"] == "exact"
    assert (found["axis"], found["parameters"]) == ("batch", {"layers": 4})
    assert f"survives    batch {found['last_ok']:,}" in wall.stdout
    assert found["last_ok"] * 4 * INPUTS * FLOAT <= 1 << 20
    assert "--set layers=4 --axis batch" in wall.stdout.splitlines()[-1]


def _ends(wall: dict[str, Any]) -> dict[int, str]:
    return {probe["steps"]: probe["outcome"] for probe in wall["probes"] if not probe["cut_short"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("versus", "wide", "stack"),
            (
                "versus: only scenarios over one axis can be compared, not wide over units, "
                "stack over layers"
            ),
        ),
        (
            ("explain", "stack", "--steps", "4", "--set", "batch=8,16"),
            "--set batch=8,16: only one value is allowed here; profile and wall take several",
        ),
        (
            ("profile", "wide", "--steps", "4", "--set", "layers=8x4"),
            "parameter 'layers': '8x4' is not of type tuple[int, ...]: write it as 128,128",
        ),
        (
            ("profile", "wide", "--steps", "4", "--set", "activation=relu"),
            "parameter 'activation': 'relu' is not allowed (allowed: RELU, TANH)",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    axes: Stepwall, arguments: tuple[str, ...], message: str
) -> None:
    """With what is allowed, before anything is measured."""
    done = axes(*arguments)

    assert done.returncode == BAD_INPUT
    assert done.stderr.splitlines() == [f"stepwall: {message}"]
