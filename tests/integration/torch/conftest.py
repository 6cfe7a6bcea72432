"""PyTorch's engine, where PyTorch is installed: its environment is one of its own."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from packaging.version import Version

from profiler.frameworks import lacking
from profiler.frameworks.torch import FRAMEWORK


@pytest.fixture(scope="session", autouse=True)
def _torch_is_there() -> None:
    needs = lacking(FRAMEWORK)
    if needs is not None:
        pytest.skip(f"it {needs}")


@pytest.fixture(scope="session")
def has_right_scan() -> bool:
    """Return whether gradients of what a scan's body takes from outside are right."""
    return Version(version("torch")) >= Version("2.13")
