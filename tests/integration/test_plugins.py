"""A package that is built and installed brings scenarios by its entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Stepwall = Callable[..., subprocess.CompletedProcess[str]]

OK, BAD_INPUT = 0, 2
ROWS, FLOAT = 3, 4
PACKAGE = {
    "pyproject.toml": """
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"

        [project]
        name = "acme-networks"
        version = "1.0"

        [project.entry-points."stepwall.scenarios"]
        acme = "acme_networks.trained"
        acme_broken = "acme_networks.broken"

        [tool.setuptools]
        packages = ["acme_networks"]
    """,
    "acme_networks/__init__.py": "",
    "acme_networks/sizes.py": f"ROWS = {ROWS}\n",
    "acme_networks/broken.py": "\nimport no_such_module_here\n",
    "acme_networks/trained.py": '''
        import numpy as np
        import tensorflow as tf
        from profiler import Training, scenario

        from .sizes import ROWS

        tf1 = tf.compat.v1


        @scenario
        def acme_product(steps: int, *, units: int = 8) -> Training:
            """A product of one matrix."""
            x = tf1.placeholder(tf.float32, [ROWS, steps])
            y = tf.matmul(x, tf1.get_variable("w", [steps, units]))
            return Training(
                feeds={x: np.ones((ROWS, steps), np.float32)}, loss=tf.reduce_mean(tf.square(y))
            )
    ''',
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that pip has built and installed the package into."""
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("site")
    for name, text in PACKAGE.items():
        path = source / name
        path.parent.mkdir(exist_ok=True)
        lines = text.splitlines()
        path.write_text("".join(f"{line.removeprefix(' ' * 8)}\n" for line in lines))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    done = subprocess.run(
        [*pip, *offline, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


def _path(installed: Path) -> str:
    return os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])


def test_its_scenarios_are_listed(stepwall: Stepwall, installed: Path, tmp_path: Path) -> None:
    """Beside the shipped ones; a module that cannot be imported takes none of them down."""
    done = stepwall("list", "--json", "-", cwd=tmp_path, PYTHONPATH=_path(installed))

    assert done.returncode == BAD_INPUT
    found = {one["name"]: one for one in json.loads(done.stdout)["scenarios"]}
    assert {"acme_product", "static_rnn"} <= found.keys()
    assert found["acme_product"]["file"]["module"] == "acme_networks.trained"
    assert found["acme_product"]["source_files"].keys() == {
        "acme_networks",
        "acme_networks.sizes",
        "acme_networks.trained",
    }
    place = f"acme_networks.broken ({installed}/acme_networks/broken.py):2"
    reason = "ModuleNotFoundError: No module named 'no_such_module_here'"
    assert done.stderr == f"stepwall: left out {place}: {reason}\n"


def test_its_scenario_is_measured(stepwall: Stepwall, installed: Path, tmp_path: Path) -> None:
    """By its name alone, like a shipped one."""
    arguments = ["acme_product", "--steps", "16", "--set", "units=4", "--json", "-"]
    done = stepwall("profile", *arguments, cwd=tmp_path, PYTHONPATH=_path(installed))

    assert done.returncode == OK, done.stderr
    (point,) = json.loads(done.stdout)["measurements"]
    assert point["outcome"]["status"] == "ok"
    assert point["parameters"] == {"units": 4}
    assert point["device"]["fed_bytes"] == ROWS * 16 * FLOAT
