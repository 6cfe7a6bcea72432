"""Nothing in a user's folder takes the place of what stepwall or the framework imports."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.facts import Measurement, Status

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

SHADOWS = ("scenarios/__init__.py", "profiler.py", "tensorflow.py", "json.py", "numpy.py")
SCENARIO = '''
import json

import numpy as np
import tensorflow as tf

from profiler import Training, scenario
{early}

tf1 = tf.compat.v1


@scenario
def {name}(steps: int) -> Training:
    """Mean of squares of a product, as wide as a helper says."""
    {late}
    x = tf1.placeholder(tf.float32, [2, steps])
    w = tf1.get_variable("w", [steps, WIDTH])
    feeds = {{x: np.ones((2, steps), np.float32)}}
    return Training(feeds=feeds, loss=tf.reduce_mean(tf.square(x @ w)))
'''
FLOAT = 4


def shadow(folder: Path) -> None:
    """Put files into a folder that raise where something of their name is imported."""
    for name in SHADOWS:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"raise ImportError('{name} of the user was imported')\n")


def write(folder: Path, name: str, *, early: str = "", late: str = "pass") -> Path:
    """Write a scenario file, which imports its width early, with the file, or late."""
    path = folder / f"{name}.py"
    path.write_text(SCENARIO.format(name=name, early=early, late=late))
    return path


def width(point: Measurement) -> int:
    """Return the width that the scenario had: of its weights, the largest tensor."""
    assert point.outcome.status is Status.OK, point.outcome
    assert point.device is not None
    assert point.device.largest_allocation_bytes is not None
    return point.device.largest_allocation_bytes // (FLOAT * point.point.steps)


@pytest.fixture
def shadowed(tmp_path: Path) -> Path:
    """Return a folder in which everything is shadowed."""
    shadow(tmp_path)
    return tmp_path


def test_in_the_working_folder_they_are_not_seen(stepwall: Stepwall, shadowed: Path) -> None:
    """Listing and measuring work as anywhere else, also of a scenario file that lies there."""
    write(shadowed, "mine", early="WIDTH = 10")
    options = ["--scenarios", "mine.py", "--steps", "2,4", "--json", "-"]
    done = stepwall("profile", "static_rnn", "mine", *options, cwd=shadowed)
    points = json.loads(done.stdout)["measurements"]

    assert (done.returncode, done.stderr) == (0, "")
    assert [(point["scenario"], point["outcome"]["status"]) for point in points] == [
        *[("static_rnn", "ok")] * 2,
        *[("mine", "ok")] * 2,
    ]


def test_beside_a_scenario_file_they_are_not_seen(
    measure: Callable[..., Measurement], shadowed: Path
) -> None:
    """Neither when the file is imported nor when the framework imports something late."""
    source = write(shadowed, "mine", early="WIDTH = 1024")

    assert width(measure("mine", steps=4, source=source)) == 1024


@pytest.mark.parametrize(
    "imports",
    [{"early": "from helper import WIDTH"}, {"late": "from helper import WIDTH"}],
    ids=["with the file", "within the function"],
)
def test_a_helper_beside_a_file_is_imported(
    measure: Callable[..., Measurement], shadowed: Path, imports: dict[str, str]
) -> None:
    """Also late, when the scenario is called."""
    (shadowed / "helper.py").write_text("WIDTH = 2048\n")
    source = write(shadowed, "mine", **imports)

    assert width(measure("mine", steps=4, source=source)) == 2048


def test_helpers_of_one_name_are_kept_apart(stepwall: Stepwall, tmp_path: Path) -> None:
    """Two files, each with its own helper beside it, in one run."""
    sources = []
    for name, size in (("narrow", 1024), ("wide", 3072)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"WIDTH = {size}\n")
        sources.append(write(tmp_path / name, name, late="from helper import WIDTH"))
    given = [part for source in sources for part in ("--scenarios", source)]
    options = [*given, "--steps", "4", "--json", "-"]
    done = stepwall("profile", "narrow", "wide", *options, cwd=tmp_path)
    points = json.loads(done.stdout)["measurements"]

    assert done.returncode == 0, done.stderr
    largest = [point["device"]["largest_allocation_bytes"] for point in points]
    assert largest == [4 * 1024 * FLOAT, 4 * 3072 * FLOAT]
