"""Numbers belong to the source, the parameters and the lengths that they were measured with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_points import point_of

from profiler.facts import Measurement, Status
from profiler.measure.client import Client

Done = subprocess.CompletedProcess[str]
ClientOf = Callable[..., Client]

OK, BAD_INPUT, FAILED_POINT = 0, 2, 4
QUIET = ("--steps", "2,4,8", "-q")

TOY = '''\
from stepwall_toy import Recurrence

from profiler import scenario


@scenario
def mine(steps: int, *, batch: int = 4, wide: bool = False) -> Recurrence:
    """Imports its size where it needs it."""
    from sizes import UNITS

    units = (2 if wide else 1) * UNITS
    return Recurrence(steps=steps, batch=batch, units=units, accumulate=True)
'''
REAL = '''\
import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1


@scenario
def {name}(steps: int) -> Training:
    """One cell in a while loop, of a size that a helper says."""
    import late_helper

    x = tf1.placeholder(tf.float32, [2, steps, 8])
    cell = tf1.nn.rnn_cell.BasicRNNCell(late_helper.UNITS)
    outputs, _ = tf1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    feeds = {{x: np.zeros((2, steps, 8), np.float32)}}
    return Training(feeds=feeds, loss=tf.reduce_mean(tf.square(outputs)))
'''
BLOCKS = '''\
import numpy as np
import tensorflow as tf

from profiler import Training, scenario

tf1 = tf.compat.v1
BLOCK, WIDTH = 20, 64


def in_blocks(steps: int) -> Training:
    """Multiply by one matrix, block by block."""
    assert steps % BLOCK == 0
    kernel = tf1.get_variable("kernel", [WIDTH, WIDTH])
    inputs = tf1.placeholder(tf.float32, [BLOCK, WIDTH])
    x = inputs
    for _ in range(steps // BLOCK):
        x = tf.tanh(tf.matmul(x, kernel))
    feeds = {inputs: np.ones((BLOCK, WIDTH), np.float32)}
    return Training(feeds=feeds, loss=tf.reduce_mean(x))


@scenario(multiple_of=BLOCK, at_least=2 * BLOCK)
def declared(steps: int) -> Training:
    """Say which lengths may be run."""
    return in_blocks(steps)


@scenario
def asserted(steps: int) -> Training:
    """Only assert it."""
    return in_blocks(steps)


@scenario
def mistaken(length: str) -> Training:
    """Has a wrong signature."""
    return in_blocks(length)
'''


class Toy:
    """A user's folder with a scenario and a helper that it imports late; a second framework."""

    def __init__(self, stepwall: Callable[..., Done], folder: Path, path: str) -> None:
        """Write the scenario and its helper."""
        self._stepwall, self._folder, self._path = stepwall, folder, path
        (folder / "mine.py").write_text(TOY)
        self.edit(16)

    def edit(self, units: int) -> None:
        """Write the helper."""
        (self._folder / "sizes.py").write_text(f"UNITS = {units}\n")

    def run(self, *arguments: str) -> Done:
        """Run the command with the scenario."""
        options = ("--scenarios", "mine.py")
        return self._stepwall(*arguments, *options, cwd=self._folder, PYTHONPATH=self._path)


@pytest.fixture
def toy(stepwall: Callable[..., Done], tmp_path: Path, toy_path: str) -> Toy:
    """Return a folder with a scenario of the toy framework."""
    return Toy(stepwall, tmp_path, toy_path)


class TestStoredPoints:
    """A stored run answers for today's scenario only."""

    def test_after_an_edit_of_a_late_helper_nothing_is_mixed(self, toy: Toy) -> None:
        """Of equal length and within a second; every command says so in one line."""
        assert toy.run("profile", "mine", *QUIET, "--name", "old").returncode == OK
        same = toy.run("predict", "mine", "--steps", "6", "--run", "old")
        toy.edit(32)
        resumed = toy.run("profile", "mine", *QUIET, "--name", "old", "--resume")
        predicted = toy.run("predict", "mine", "--steps", "6", "--run", "old")
        anew = toy.run("predict", "mine", "--steps", "6", "--json", "-")
        other = "run 'old' measured mine from another source"

        assert same.returncode == OK, same.stderr
        assert (resumed.returncode, predicted.returncode) == (BAD_INPUT, BAD_INPUT)
        assert "from another version of its source: start a new run" in resumed.stderr
        assert predicted.stderr.splitlines() == [
            f"stepwall: {other}: measure again with stepwall profile mine --scenarios mine.py"
        ]
        assert f"stepwall: {other}: a quick run is measured now" in anew.stderr
        peaks = {one["metric"]: one["value"] for one in json.loads(anew.stdout)["values"]}
        # A peak of 3 W + (T + 1) S; see test_second_framework.py.
        assert peaks["peak"] == pytest.approx(3 * 32 * 32 * 8 + 7 * 4 * 32 * 8, rel=1e-9)

    def test_another_value_of_a_parameter_is_not_the_default(self, toy: Toy) -> None:
        """Though the user set none."""
        assert toy.run("profile", "mine", *QUIET, "--set", "wide=true").returncode == OK
        named = toy.run("predict", "mine", "--steps", "6", "--run", "latest")
        meant = toy.run("predict", "mine", "--steps", "6", "--set", "wide=yes", "--run", "latest")

        assert named.returncode == BAD_INPUT
        assert "measured mine with wide=true (now wide=false): measure again" in named.stderr
        assert meant.returncode == OK, meant.stderr


class TestIsolation:
    """What one file does changes no other scenario's numbers."""

    def test_alone_and_together_are_equal_to_the_byte(
        self, client_of: ClientOf, tmp_path: Path
    ) -> None:
        """Beside a file that changes the control flow, and one with a helper of the same name."""
        units = {"odd": 16, "two": 24, "one": 16}
        for name, number in units.items():
            folder = tmp_path / name
            folder.mkdir()
            (folder / "late_helper.py").write_text(f"UNITS = {number}\n")
            text = REAL.format(name=name)
            (folder / "model.py").write_text(text)
        with (tmp_path / "odd" / "model.py").open("a") as file:
            file.write("\n\ntf1.disable_control_flow_v2()\n")
        files = [tmp_path / name / "model.py" for name in units]
        together, alone = client_of(*files), client_of(files[-1])
        found = {name: together.measure(point_of(together, name, steps=8)) for name in units}
        one = alone.measure(point_of(alone, "one", steps=8))

        assert one.outcome.status is Status.OK
        assert _numbers(found["one"]) == _numbers(one)
        assert found["one"].point == one.point
        assert _numbers(found["two"]) != _numbers(one)
        assert found["odd"].graph != one.graph


def _numbers(measurement: Measurement) -> tuple[Any, Any]:
    return measurement.graph, measurement.device


class TestLengths:
    """A length that the author rules out is never run."""

    @pytest.fixture
    def run(self, stepwall: Callable[..., Done], tmp_path: Path) -> Callable[..., Done]:
        """Return what runs the command with scenarios that are built in blocks."""
        (tmp_path / "blocks.py").write_text(BLOCKS)

        def run(*arguments: str) -> Done:
            return stepwall(*arguments, "--scenarios", "blocks.py", cwd=tmp_path)

        return run

    def test_a_wall_lies_between_two_that_are_allowed(self, run: Callable[..., Done]) -> None:
        """Both of which were run; a mistake beside it is named and disturbs nothing."""
        done = run("wall", "declared", "--limit", "1MiB", "--json", "-")
        wall = json.loads(done.stdout)

        assert done.returncode == OK, done.stderr
        assert "scenario 'mistaken': its first argument must be what is swept" in done.stderr
        assert (wall["status"], wall["multiple_of"]) == ("exact", 20)
        assert wall["last_ok"] % 20 == 0
        assert wall["first_oom"] == wall["last_ok"] + 20
        assert wall["predicted"] is not None
        assert all(probe["steps"] % 20 == 0 for probe in wall["probes"])

    def test_a_list_is_refused_and_a_range_thinned(self, run: Callable[..., Done]) -> None:
        """With what is allowed, in a line."""
        listed = run("profile", "declared", "--steps", "40,50")
        ranged = run("profile", "declared", "--steps", "20:60:10", "--json", "-")
        allowed = "its author allows only multiples of 20 from 40 on"

        assert listed.returncode == BAD_INPUT
        assert f"declared at 50 steps: {allowed} (nearest: 40 and 60)" in listed.stderr
        assert f"declared: 3 of 5 lengths left out: {allowed}" in ranged.stderr
        steps = [one["steps"] for one in json.loads(ranged.stdout)["measurements"]]
        assert steps == [40, 60]

    def test_the_error_of_a_helper_length_is_shown(self, run: Callable[..., Done]) -> None:
        """With the length, the author's words and the line; the rest stands."""
        profiled = run("profile", "asserted", "--steps", "40:180:20", "-q", "--name", "mine")
        done = run("predict", "asserted", "--steps", "200", "--run", "mine", "--json", "out.json")

        assert profiled.returncode == OK, profiled.stderr
        assert done.returncode == FAILED_POINT
        assert "at 8 steps: AssertionError: steps % BLOCK == 0 (blocks.py:12)" in done.stderr
        assert "PointError" not in done.stderr
        assert "bug" not in done.stderr
        (nodes,) = [line for line in done.stdout.splitlines() if line.strip().startswith("nodes")]
        assert nodes.split()[:2] == ["nodes", "87"]
