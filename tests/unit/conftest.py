"""Every test begins and ends with an empty scenario registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from profiler.registry import forget_all


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    forget_all()
    yield
    forget_all()
