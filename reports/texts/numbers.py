"""Numbers as people read them: bytes in binary units, seconds, counts and lists of words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from profiler.facts import Shortage, Status
from profiler.lengths import STEPS, counted, one_of

__all__ = [
    "DASH",
    "UNIT_TEXTS",
    "axes_text",
    "axes_title",
    "bytes_text",
    "count_text",
    "list_text",
    "name_text",
    "one_text",
    "outcome_text",
    "phase_text",
    "rate_text",
    "seconds_text",
    "share_text",
    "shortage_text",
    "size_text",
    "steps_text",
    "times_text",
]

DASH = "–"  # noqa: RUF001 - the en dash stands for a value that is not there
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_LONG_S = 120.0
_NAME_PARTS = 3
_OUTCOMES = {
    Status.OOM_DEVICE: "ran out of device memory",
    Status.OOM_HOST: "ran out of host memory",
    Status.TIMEOUT: "timed out",
}


def bytes_text(value: float | None) -> str:
    """Return ``63.9 MiB``; exact bytes below 1 KiB; a dash for None."""
    if value is None:
        return DASH
    if round(abs(value)) < 1024:  # noqa: PLR2004 - one KiB
        return f"{value:.0f} B"
    size, power = _scaled(value)
    return f"{size:,.1f} {_UNITS[power]}"


def size_text(value: float) -> str:
    """Return a chosen size such as a limit: ``64 MiB`` where that is all of it."""
    size, power = _scaled(value)
    whole = abs(value) >= 1024 and size == int(size)  # noqa: PLR2004 - one KiB
    return f"{size:,.0f} {_UNITS[power]}" if whole else bytes_text(value)


def steps_text(steps: int, axis: str = STEPS) -> str:
    """Return ``1 step`` or ``1,024 steps``, or the same of another axis."""
    return counted(count_text(steps), axis)


def axes_text(axes: Iterable[str]) -> str:
    """Return what is swept: ``units``, or ``units, batch or steps``."""
    *head, last = dict.fromkeys(axes)
    return f"{', '.join(head)} or {last}" if head else last


def axes_title(axes: Iterable[str]) -> str:
    """Return what stands at an axis of a plot: ``time steps``, ``units``."""
    return axes_text("time steps" if axis == STEPS else axis for axis in axes)


def one_text(axes: Iterable[str]) -> str:
    """Return what growth is counted by: ``step``, ``unit``, ``step or unit``."""
    return axes_text(map(one_of, axes))


def seconds_text(value: float | None) -> str:
    """Return ``1.25 s``, ``3.4 ms``, ``12 µs`` or ``2 min 5 s``; a dash for None."""
    if value is None:
        return DASH
    if value >= _LONG_S:
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes:,} min {seconds} s"
    if value >= 0.9995:  # noqa: PLR2004 - what would read as 1000 ms
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"  # noqa: PLR2004
    if value >= 0.0009995:  # noqa: PLR2004 - what would read as 1000 µs
        return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value * 1e3:.0f} ms"  # noqa: PLR2004
    return f"{value * 1e6:.0f} µs" if value else "0 s"


def count_text(value: float | None) -> str:
    """Return ``12,345``; a dash for None."""
    return DASH if value is None else f"{value:,.0f}"


def rate_text(value: float) -> str:
    """Return a rate per step: whole numbers exactly, others with two decimals at most."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


UNIT_TEXTS: Mapping[str, Callable[[float], str]] = {
    "nodes": rate_text,
    "bytes": bytes_text,
    "seconds": seconds_text,
    "steps": count_text,
}
"""How a number reads in the unit of its metric."""


def times_text(value: float) -> str:
    """Return a ratio, as in 1.2 times."""
    return f"{value:,.1f} \N{MULTIPLICATION SIGN}"


def share_text(value: float | None) -> str:
    """Return a change as ``-14 %``, ``+0.3 %`` or ``0 %``; a dash for None."""
    if value is None:
        return DASH
    percent = 100 * value
    return f"{percent:+.0f} %" if abs(percent) >= 1 else f"{percent:+.1f} %" if percent else "0 %"


def list_text(words: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def name_text(op: str, longest: int = 60) -> str:
    """Return the name of an operation or a scope; a longer one keeps its two ends only."""
    parts = op.split("/")
    if len(op) <= longest or len(parts) <= _NAME_PARTS:
        return op or "(none)"
    return "/".join([parts[0], "…", *parts[-2:]])


def outcome_text(status: Status) -> str:
    """Return how a point ended, in words."""
    return _OUTCOMES.get(status, status.value)


def phase_text(phase: str) -> str:
    """Return the name of a phase in words: ``first step`` for ``first_step``."""
    return phase.replace("_", " ")


def shortage_text(shortage: Shortage) -> str:
    """Return ``rnn/…/MatMul (MatMul) asked for [32,128] float32, 16.0 KiB``.

    What the framework did not say is left out; long names are cut in the middle.
    """
    who = [_short_name(shortage.op)] if shortage.op else []
    if shortage.op_type:
        who.append(f"({shortage.op_type})" if who else shortage.op_type)
    what = []
    if shortage.shape is not None:
        what.append(f"[{','.join(map(str, shortage.shape))}] {shortage.dtype or ''}".strip())
    if shortage.requested_bytes is not None:
        what.append(bytes_text(shortage.requested_bytes))
    return f"{' '.join(who) or 'an operation'} asked for {', '.join(what) or 'memory'}"


def _short_name(name: str) -> str:
    parts = name.split("/")
    return name if len(parts) <= _NAME_PARTS else f"{parts[0]}/…/{parts[-1]}"


def _scaled(value: float) -> tuple[float, int]:
    """Return bytes in the largest unit that does not read as 1,024 of a smaller one."""
    size, power = value / 1024, 0
    while round(abs(size), 1) >= 1024 and power + 1 < len(_UNITS):  # noqa: PLR2004 - next unit
        size, power = size / 1024, power + 1
    return size, power
