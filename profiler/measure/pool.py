"""Work on several items at once, which an interrupt stops at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run_all(work: Callable[[T, threading.Event], R], items: Sequence[T], jobs: int) -> list[R]:
    """Run ``work`` on every item, ``jobs`` at a time, and return what it returned, in their order.

    Whatever ends it early, an interrupt or an error of one item, sets the event that ``work`` gets
    and does not wait for what is under way: its children end with their launcher.
    """
    stopped = threading.Event()
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = [pool.submit(work, item, stopped) for item in items]
        return [future.result() for future in futures]
    except BaseException:
        stopped.set()
        raise
    finally:
        pool.shutdown(wait=not stopped.is_set(), cancel_futures=True)
