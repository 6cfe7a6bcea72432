"""The log beside an SQLite file: whether more was committed to it than SQLite still reads.

SQLite takes the first frame that does not fit its checksum for the end of what was written, as
after a crash. Of what a crash cuts off, no second transaction was ever begun. The format:
https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import array
import struct
import sys
import time
from pathlib import Path

_HEAD, _FRAME_HEAD = 32, 24
_MAGIC = 0x377F0682
_PAGES = range(512, 65537)
_LITTLE, _BIG = _MAGIC, _MAGIC + 1
# In which a writer that is at work ends what it has begun.
_WAIT_S = 0.05


def log_is_damaged(path: Path) -> bool:
    """Whether whole transactions in the log of a database cannot be read any more."""
    log = path.with_name(f"{path.name}-wal")
    first = _content(log)
    if not _has_lost(first):
        return False
    time.sleep(_WAIT_S)
    # Else a writer is at work, and was in the middle of a frame.
    return _content(log) == first


def _content(log: Path) -> bytes:
    try:
        return log.read_bytes()
    except OSError:
        return b""


def _has_lost(log: bytes) -> bool:
    if len(log) <= _HEAD:
        return False
    magic, _, page, _, *salts, sum_1, sum_2 = struct.unpack(">8I", log[:_HEAD])
    size = _FRAME_HEAD + page
    if magic not in {_LITTLE, _BIG} or page not in _PAGES:
        return True
    order = "little" if magic == _LITTLE else "big"
    sums = _checksum(log[:24], (0, 0), order)
    if sums != (sum_1, sum_2):
        return True
    is_lost, commits = False, 0
    for at in range(_HEAD, len(log) - size + 1, size):
        _, commit, *frame_salts, sum_1, sum_2 = struct.unpack(">6I", log[at : at + _FRAME_HEAD])
        if not is_lost and frame_salts != salts:  # left from before the log was started over
            is_lost = True
        elif not is_lost:
            sums = _checksum(log[at : at + 8] + log[at + _FRAME_HEAD : at + size], sums, order)
            is_lost = sums != (sum_1, sum_2)
        commits += is_lost and frame_salts == salts and commit > 0
    return commits > 1


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    words = array.array("I", data)
    if order != sys.byteorder:
        words.byteswap()
    one, two = sums
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
