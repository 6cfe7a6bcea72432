"""Numbers too small for full precision cost TensorFlow no time; nor do they in our thread."""

from __future__ import annotations

import ctypes
import platform

import pytest

from profiler.frameworks.tensorflow.subnormals import taken_as_zero


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only known of x86-64")
def test_only_while_it_is_open_are_they_zero() -> None:
    """Half of the smallest normal number is subnormal."""
    multiply_add = ctypes.CDLL("libm.so.6").fmaf
    multiply_add.argtypes, multiply_add.restype = [ctypes.c_float] * 3, ctypes.c_float
    smallest_normal = 2.0**-126

    before = multiply_add(smallest_normal, 0.5, 0.0)
    with taken_as_zero():
        within = multiply_add(smallest_normal, 0.5, 0.0)
    after = multiply_add(smallest_normal, 0.5, 0.0)

    assert (before, within, after) == (2.0**-127, 0.0, 2.0**-127)
