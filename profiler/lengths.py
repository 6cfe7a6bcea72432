"""The swept axis: its name in words, and the lengths on it that a scenario's author allows."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

# What an axis is called where nothing else is said.
STEPS = "steps"


def counted(number: object, axis: str = STEPS) -> str:
    """Return ``640 units`` or ``1 step``; where the axis is no plural, ``batch 640``."""
    if not is_plural(axis):
        return f"{axis} {number}"
    return f"{number} {axis[:-1] if str(number) == '1' else axis}"


def one_of(axis: str) -> str:
    """Return what growth is counted by: ``step``, ``unit``, ``unit of batch``."""
    return axis[:-1] if is_plural(axis) else f"unit of {axis}"


def is_plural(axis: str) -> bool:
    """Whether an axis is named by a plural, as ``units``; ``loss``, ``radius`` and such are not."""
    return axis.endswith("s") and not axis.endswith(("ss", "us", "is"))


class Lengths(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The multiples of ``multiple_of`` from ``at_least`` on; by default every length from 1 on.

    They are also counted: the first one is number 1, the next number 2, and so on. ``axis`` is
    the name of what is counted.
    """

    axis: str = STEPS
    multiple_of: int = 1
    at_least: int = 1

    def over(self, axis: str) -> Lengths:
        """Return these, or where another axis is swept: every number on that one."""
        return self if axis == self.axis else Lengths(axis=axis)

    @property
    def first(self) -> int:
        """The smallest length."""
        return -(-max(1, self.at_least) // self.multiple_of) * self.multiple_of

    def allow(self, steps: int) -> bool:
        """Whether a point of so many steps may be run."""
        return steps >= self.first and steps % self.multiple_of == 0

    def at_most(self, steps: float) -> int:
        """Return the largest length up to there; 0 if there is none."""
        return self.nth(max(0, self.number(steps))) if steps >= self.first else 0

    def from_(self, steps: float) -> int:
        """Return the smallest length from there on."""
        below = self.at_most(steps)
        return below if below and below >= steps else self.next(below)

    def next(self, steps: int) -> int:
        """Return the length after an allowed one; after 0 the first."""
        return steps + self.multiple_of if steps else self.first

    def nearest(self, steps: float) -> int:
        """Return the length nearest to there: of two the smaller one."""
        below, above = self.at_most(steps), self.from_(steps)
        return below if below and steps - below <= above - steps else above

    def spread(self, steps: Iterable[float]) -> list[int]:
        """Return as many different lengths, ascending, as near to these as can be.

        Where the first one is allowed only later, all of them move by as much.
        """
        wanted = sorted(steps)
        moved = max(0, self.first - wanted[0]) if wanted else 0
        found: list[int] = []
        for one in wanted:
            found.append(max(self.nearest(one + moved), self.next(found[-1]) if found else 0))
        return found

    def nth(self, number: int) -> int:
        """Return the length of that number; 0 is none."""
        return self.first + (number - 1) * self.multiple_of if number else 0

    def number(self, steps: float) -> int:
        """Return the number of the largest length up to there; 0 or less if there is none."""
        return int((steps - self.first) // self.multiple_of) + 1

    def text(self, number: object) -> str:
        """Return a number on the axis in words, as ``counted`` does."""
        return counted(number, self.axis)

    def __str__(self) -> str:
        """Return ``multiples of 20 from 40 on``, or what of it holds."""
        if self.multiple_of == 1:
            return f"{self.text(self.first)} or more"
        more = f" from {self.first} on" if self.first > self.multiple_of else ""
        return f"multiples of {self.multiple_of}{more}"


# What an author allows who says nothing.
ANY = Lengths()
