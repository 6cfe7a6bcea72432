"""Coverage is counted where it is needed: it makes Python, children included, 2.5 times slower."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from unittest import mock

import coverage
import pytest

_IN_CHILDREN = "COVERAGE_PROCESS_CONFIG"  # by this, coverage counts in a process that is started


def is_counting() -> bool:
    """Whether processes that start now count."""
    return bool(os.environ.get(_IN_CHILDREN))


def counting(*, by_default: bool) -> Callable[[pytest.FixtureRequest], Iterator[None]]:
    """Return a fixture: what a module runs is counted if its ``COUNTED``, or else this, says so."""

    @pytest.fixture(scope="module", autouse=True)
    def counting(request: pytest.FixtureRequest) -> Iterator[None]:
        counter = coverage.Coverage.current()
        if counter is None or getattr(request.module, "COUNTED", by_default):
            yield
            return
        counter.stop()
        with mock.patch.dict(os.environ, {_IN_CHILDREN: ""}):
            yield
        counter.start()

    return counting
