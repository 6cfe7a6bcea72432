"""Numbers too small for full precision: TensorFlow's own threads take them as 0, and so must ours.

The serial schedule runs kernels in the caller's thread. Where gradients vanish over many steps,
computing with subnormal numbers made such a step seven times slower.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator

# In glibc's ``fenv_t`` of x86-64 (``bits/fenv.h``): its bytes, where MXCSR lies, and the bits by
# which results flush to zero and operands count as zero.
_BYTES, _AT, _TO_ZERO = 32, 28, 0x8040


@contextlib.contextmanager
def taken_as_zero() -> Iterator[None]:
    """While it is open, this thread takes subnormal numbers as 0; on x86-64 with glibc alone."""
    is_known = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"
    if not is_known:
        yield
        return
    library = ctypes.CDLL("libm.so.6")
    before = (ctypes.c_uint8 * _BYTES)()
    library.fegetenv(before)
    within = type(before).from_buffer_copy(before)
    control = ctypes.c_uint32.from_buffer(within, _AT)
    control.value |= _TO_ZERO
    library.fesetenv(within)
    try:
        yield
    finally:
        library.fesetenv(before)
