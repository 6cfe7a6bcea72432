"""Numbers too small for full precision cost TensorFlow no time; nor do they in our thread."""

from __future__ import annotations

import ctypes
import platform

import pytest

from profiler.frameworks.tensorflow.subnormals import taken_as_zero

_LIBRARIES = {"x86_64": "libm.so.6", "aarch64": "libm.so.6"}


@pytest.mark.skipif(platform.machine() not in _LIBRARIES, reason="not known how to on this machine")
def test_only_while_it_is_open_are_they_zero() -> None:
    """``nextafterf(0, 1)`` is made of bits; a half of a normal number is computed."""
    half = ctypes.CDLL(_LIBRARIES[platform.machine()]).fmaf
    half.argtypes, half.restype = [ctypes.c_float] * 3, ctypes.c_float
    smallest_normal = 2.0**-126
    before = half(smallest_normal, 0.5, 0.0)
    with taken_as_zero():
        within = half(smallest_normal, 0.5, 0.0)
    after = half(smallest_normal, 0.5, 0.0)

    assert (before, within, after) == (2.0**-127, 0.0, 2.0**-127)
