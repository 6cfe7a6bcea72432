"""PyTorch's engine, where PyTorch is installed: its environment is one of its own."""

from __future__ import annotations

import pytest

from profiler.frameworks import lacking
from profiler.frameworks.torch import FRAMEWORK


@pytest.fixture(scope="session", autouse=True)
def _torch_is_there() -> None:
    needs = lacking(FRAMEWORK)
    if needs is not None:
        pytest.skip(f"it {needs}")
