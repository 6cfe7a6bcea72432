"""Every test begins and ends with an empty scenario registry; no example has a deadline.

A property is tried with 50 examples, of which all but the dearest take a millisecond each.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from counted import counting
from hypothesis import settings

from profiler.scenario import forget_all

# A busy machine may take long over any example; that is no fault of the code.
settings.register_profile("stepwall", deadline=None, max_examples=50)
settings.load_profile("stepwall")

coverage = counting(by_default=True)


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    forget_all()
    yield
    forget_all()
