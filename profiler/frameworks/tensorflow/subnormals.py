"""Numbers too small for full precision: TensorFlow's own threads take them as 0, and so must ours.

The serial schedule runs kernels in the caller's thread. Where gradients vanish over many steps,
computing with subnormal numbers made such a step nine times slower than training is.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

# Where the control word lies in glibc's ``fenv_t`` (``bits/fenv.h``), and its bits: flush to zero
# and, on x86, denormals are zero.
_CONTROL = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}
_FENV_BYTES = 64  # 32 are the largest


@contextlib.contextmanager
def taken_as_zero() -> Iterator[None]:
    """While it is open, this thread takes subnormal numbers as 0; as it was, on other machines."""
    place = _CONTROL.get(platform.machine())
    try:
        library = ctypes.CDLL("libm.so.6")
        get, put = library.fegetenv, library.fesetenv
    except (OSError, AttributeError):
        place = None
    if place is None:
        yield
        return
    at, bits = place
    before = (ctypes.c_uint8 * _FENV_BYTES)()
    get(before)
    within = type(before).from_buffer_copy(before)
    control = int.from_bytes(bytes(before[at : at + 4]), "little") | bits
    within[at : at + 4] = list(control.to_bytes(4, "little"))
    put(within)
    try:
        yield
    finally:
        put(before)
