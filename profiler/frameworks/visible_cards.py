"""Which CUDA cards a process sees: the fork server none, the child of a point its own.

A process that has touched CUDA cannot be forked, and a file that is only listed could take a
whole card. CUDA reads the variable when it is first touched, which is in a child.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping

from profiler.errors import PointError

# By these names CUDA and a child are told which cards there are.
VISIBLE_CARDS, OFFERED_CARDS = "CUDA_VISIBLE_DEVICES", "STEPWALL_OFFERED_CARDS"
EVERY_CARD, NO_CARD = "all", "-1"


def hidden() -> Mapping[str, str]:
    """Return the environment of a server that sees no card, and may tell its children of them."""
    return {VISIBLE_CARDS: NO_CARD, OFFERED_CARDS: os.environ.get(VISIBLE_CARDS, EVERY_CARD)}


def see_none() -> None:
    """Let this process see no card."""
    os.environ[VISIBLE_CARDS] = NO_CARD


def see_offered() -> None:
    """Let this process see every card that the user offers."""
    offered = _offered()
    if offered is None:
        os.environ.pop(VISIBLE_CARDS, None)
    else:
        os.environ[VISIBLE_CARDS] = offered


def see_only(index: int) -> None:
    """Let this process see one of the offered cards, by the name that the user gives it.

    Raises:
        PointError: if fewer are offered.
    """
    offered = _offered()
    if offered is None:
        os.environ[VISIBLE_CARDS] = str(index)
        return
    # CUDA sees the cards before the first that is none.
    names = [*itertools.takewhile(_is_card, map(str.strip, offered.split(",")))]
    if index >= len(names):
        raise PointError(f"gpu:{index}: {VISIBLE_CARDS}={offered} offers {len(names)} cards")
    os.environ[VISIBLE_CARDS] = names[index]


def _offered() -> str | None:
    """Return the cards that the user lets this process see, as CUDA takes them; None: every one."""
    given = os.environ.get(OFFERED_CARDS, os.environ.get(VISIBLE_CARDS, EVERY_CARD))
    return None if given == EVERY_CARD else given


def _is_card(name: str) -> bool:
    return bool(name) and not name.startswith("-")
