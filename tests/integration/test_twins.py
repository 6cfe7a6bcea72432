"""The arrays that PyTorch's twins are compared with are what TensorFlow computes now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
RESOURCES = Path(__file__).parent / "torch" / "resources"

PROGRAM = """
import sys
import numpy as np
from make_twins import all_of_them

found = {f"{case}/{scenario}/{name}": value
         for case, scenario, arrays in all_of_them() for name, value in arrays.items()}
np.savez(sys.argv[1], **found)
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Return all arrays as they are computed now, by case, scenario and name."""
    path = tmp_path_factory.mktemp("twins") / "now.npz"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(RESOURCES)])},
        check=True,
        capture_output=True,
        timeout=180,
    )
    with np.load(path) as file:
        return dict(file)


def test_each_scenario_of_a_case_computes_what_is_committed(
    computed: dict[str, np.ndarray],
) -> None:
    """The unrolled graph and the loop alike: from equal weights, equal gradients."""
    with np.load(RESOURCES / "twins.npz") as file:
        committed = dict(file)
    pairs = {
        key: committed[f"{case}/{name}"]
        for key in computed
        for case, _, name in [key.split("/", 2)]
    }

    assert {(key.split("/")[0], key.split("/", 2)[2]) for key in computed} == {
        tuple(key.split("/", 1)) for key in committed
    }
    for key, value in pairs.items():
        np.testing.assert_allclose(computed[key], value, rtol=1e-4, atol=1e-6, err_msg=key)
