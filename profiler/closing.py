"""What is closed at the end of a ``with`` statement."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """A context manager that is closed at the end of its block, however that ends."""

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give back what it holds."""
        raise NotImplementedError
