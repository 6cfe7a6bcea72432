"""What a figure for a paper is printed on: its size, its letters, its style, and its files."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import blended_transform_factory

from profiler.errors import UsageError
from profiler.plain_text import one_line
from reports.plots import look
from reports.plots.letters import missing_letters_allowed, written_out
from reports.tables.spreadsheet import harmless

__all__ = ["FORMATS", "Drawing", "Row", "Sheet", "Strip", "inches"]

FORMATS = ("pdf", "svg", "png")
_NAMED = {"single": 3.5, "text": 5.5, "double": 7.16}
_UNITS = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / 72}
_LEAST_INCHES, _MOST_INCHES = 1.0, 40.0
_POINTS = 72
# Width of a letter, and distance of two lines, over the size of the font; as measured.
_LETTER, _LINE = 0.58, 1.42
_EDGE_INCHES, _LEAST_SCALE = 0.15, 0.45
_DPI = 300
_HANDLE_LETTERS = 6
# Names of scenarios are neither LaTeX nor formulas, whatever a style says.
_PLAIN: dict[Any, Any] = {"text.usetex": False, "text.parse_math": False}

Row = dict[str, object]
"""One number of a figure, for its CSV file."""

COLUMNS = ("panel", "label", "quantity", "kind", "x", "x_unit", "value", "low", "high", "unit")


def inches(text: str, option: str) -> float:
    """Return a length: ``3.5in``, ``89mm``, ``8.9cm``, ``252pt``, or the name of a column.

    Raises:
        UsageError: for anything else, or a length that no figure has.
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", text.strip().lower())
    value = _NAMED.get(text)
    if value is None and found is not None and (found[2] or "in") in _UNITS:
        value = float(found[1]) * _UNITS[found[2] or "in"]
    if value is None or not _LEAST_INCHES <= value <= _MOST_INCHES:
        raise UsageError(
            f"{option} {text!r}: give {_LEAST_INCHES:g} to {_MOST_INCHES:g} inches, such as 3.5in, "
            f"89mm, 8.9cm or 252pt, or {', '.join(_NAMED)}"
        )
    return value


def _cell(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return harmless(value) if isinstance(value, str) else value


def _wrapped(line: str, room: int) -> list[str]:
    """Return a line in parts, broken after spaces and underscores, else anywhere."""
    indent = " " * (len(line) - len(line.lstrip()))
    parts, current = [], indent
    for word in re.findall(r"[^_ ]*[_ ]*", line.strip()):
        if current.strip() and len(current) + len(word.rstrip()) > room:
            parts.append(current.rstrip())
            current = f"{indent}  "
        current += word
        while len(current.rstrip()) > room:
            parts.append(current[:room])
            current = f"{indent}  {current[room:]}"
    return [*parts, current.rstrip()]


@contextlib.contextmanager
def _heard(said: list[str]) -> Iterator[None]:
    """Take down what matplotlib only logs: settings that it does not know."""
    logger = logging.getLogger("matplotlib")
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _halves(label: str) -> tuple[str, str]:
    """Return a label in two lines, broken at the underscore or space nearest to its middle."""
    middle = len(label) / 2
    places = [at + 1 for at, letter in enumerate(label) if letter in "_ "] or [round(middle)]
    at = min(places, key=lambda one: abs(one - middle))
    return label[:at], label[at:]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure, and the numbers behind it."""

    figure: Figure
    numbers: Sequence[Row]

    @property
    def rows(self) -> list[Row]:
        """The numbers as JSON and CSV hold them: none that is not finite, no cell a formula."""
        return [{name: _cell(value) for name, value in row.items()} for row in self.numbers]

    @property
    def table(self) -> str:
        """The numbers as CSV: tidy, one number in each row, with its unit."""
        target = io.StringIO()
        more = dict.fromkeys(name for row in self.rows for name in row)
        names = [*COLUMNS, *(name for name in more if name not in COLUMNS)]
        writer = csv.DictWriter(target, names, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        return target.getvalue()


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A part of a figure: panels side by side, or the legends below them.

    Args:
        inches: its height, of panels without what stands around them.
        lines: of text around the panels; none for legends.
    """

    inches: float
    lines: float = 0


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The size of a figure and of its letters.

    Args:
        width: in inches.
        height: in inches; None for as much as its panels take.
        font: size of its letters, in points.
        style: a style file, or the name of a style of matplotlib; None for our look.
        logarithmic: which axes are, as ``x`` or ``xy``; None to choose by the numbers.
    """

    width: float = _NAMED["single"]
    height: float | None = None
    font: float = 8.0
    style: str | None = None
    logarithmic: str | None = None

    @contextlib.contextmanager
    def look(self) -> Iterator[None]:
        """Draw in the look of this sheet.

        Raises:
            UsageError: for a style that cannot be read.
        """
        own: dict[Any, Any] = {
            "font.size": self.font,
            **{f"{name}.labelsize": self.font for name in ("axes", "xtick", "ytick")},
            "axes.titlesize": self.font + 0.5,
            "legend.fontsize": self.font - 0.5,
            "pdf.fonttype": 42,
            "ps.fonttype": 42,
            "lines.markersize": 4,
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
        }
        with (
            missing_letters_allowed(),
            mpl.rc_context(look.LOOK),
            mpl.rc_context({**own, **self._styled, **_PLAIN}),
        ):
            yield

    @property
    def _styled(self) -> dict[Any, Any]:
        """The settings that the style changes.

        Raises:
            UsageError: for a style that cannot be read, or with settings that do not exist.
        """
        if self.style is None:
            return {}
        said: list[str] = []
        try:
            if "://" in self.style:
                raise ValueError("not a file on this machine")  # noqa: TRY301 (told as the others)
            if os.path.exists(self.style) and not os.path.isfile(self.style):  # noqa: PTH110, PTH113 (any text)
                raise ValueError("not a file")  # noqa: TRY301 (told as the others)
            with mpl.rc_context(), _heard(said):
                before = dict(mpl.rcParams)
                style.use(self.style)
                changed = {k: v for k, v in mpl.rcParams.items() if before.get(k) != v}
        except (OSError, ValueError) as error:
            said.append(str(error) or type(error).__name__)
        if said:
            reason = one_line(said[0].splitlines()[0].partition(" (library")[0]).rstrip(".")
            raise UsageError(
                f"--style {self.style!r}: {reason}: give a matplotlib style file, or a name of "
                "matplotlib.style.available"
            )
        return changed

    @property
    def colours(self) -> list[str]:
        """The colours of the style, if it brings some."""
        return self._styled["axes.prop_cycle"].by_key().get("color", []) if self._brings() else []

    def _brings(self) -> bool:
        return "axes.prop_cycle" in self._styled

    def style_of(self, index: int) -> dict[str, Any]:
        """Return the look of the series with this index, in the colours of the style if any."""
        shown = {**look.style_of(index), "linewidth": 1.2, "markersize": 4.0}
        colours = self.colours
        if colours:
            colour = colours[index % len(colours)]
            shown |= {"color": colour}
            shown |= {"markerfacecolor": colour if index % 2 == 0 else "white"}
        return shown

    @property
    def is_wide(self) -> bool:
        """Whether panels stand side by side."""
        return self.width >= _NAMED["text"] - 1

    @property
    def margin(self) -> float:
        """The width of what stands to the left of a vertical axis: ``979.0 KiB``."""
        return 8 * _LETTER * self.font / _POINTS

    def ticks(self, width: float) -> int:
        """Return how many ticks a horizontal axis of that width has room for."""
        return max(3, min(9, int(width * _POINTS / (5.5 * _LETTER * self.font))))

    def high_ticks(self, height: float) -> int:
        """Return how many ticks a vertical axis of that height has room for."""
        return max(3, min(9, int(height * _POINTS / (2 * _LINE * self.font))))

    def letters(self, width: float) -> int:
        """Return how many letters of a legend fit into that width, beside its marks."""
        size = max(self.font - 0.5, 1)
        return max(12, int(width * _POINTS / (_LETTER * size)) - _HANDLE_LETTERS)

    def wrapped(self, text: str, width: float, *, marked: bool = True) -> str:
        """Return a text in lines of that width; ``marked``: beside the marks of a legend."""
        room = self.letters(width) + (0 if marked else _HANDLE_LETTERS)
        return "\n".join(part for line in text.split("\n") for part in _wrapped(line, room))

    def row_inches(self, names: Iterable[str]) -> float:
        """Return the height of a row of bars beside these names."""
        lines = max((name.count("\n") + 1 for name in names), default=1)
        return (lines * 1.2 + 0.45) * self.font / _POINTS

    def short(self, label: str, below: str = "") -> str:
        """Return a name beside an axis, in two lines at most; a longer one keeps its ends.

        ``below``: the second line, where it is taken.
        """
        room = max(12, int(0.36 * self.width * _POINTS / (_LETTER * self.font)))
        if below:
            tail = room // 2
            cut = f"{label[: room - tail - 1]}…{label[-tail:]}" if len(label) > room else label
            return f"{cut}\n{below}"
        if len(label) <= room:
            return label
        first, last = _halves(label)
        if max(len(first), len(last)) <= room:
            return f"{first}\n{last}"
        return f"{label[: room - 1]}…\n{label[-room:]}"

    def legend_inches(self, entries: Sequence[Line2D | Patch], columns: int = 1) -> float:
        """Return the height that a legend of these entries takes."""
        lines = [str(one.get_label()).count("\n") + 1 for one in entries]
        rows = [max(lines[at : at + columns]) for at in range(0, len(lines), columns)]
        size = max(self.font - 0.5, 1)
        return (sum(rows) * 1.2 * size + len(rows) * 0.25 * size + 6) / _POINTS if rows else 0.05

    def figure(self, strips: Sequence[Strip], columns: int) -> tuple[Figure, Any]:
        """Return a figure of these strips, one below the other, and its axes.

        Raises:
            UsageError: if the height that was asked for leaves the panels no room.
        """
        around = sum(strip.lines * self.font * _LINE / _POINTS for strip in strips) + _EDGE_INCHES
        legends = sum(strip.inches for strip in strips if not strip.lines)
        panels = sum(strip.inches for strip in strips if strip.lines)
        height = self.height or panels + legends + around
        scale = (height - legends - around) / panels
        if scale < _LEAST_SCALE:
            raise UsageError(
                f"a figure of {self.width:.3g} by {height:.3g} inches is too small for what it "
                f"shows: give it --height {legends + around + panels:.1f}in, smaller letters, or "
                "less to show (--scenario, --family, --metric)"
            )
        ratios = [strip.inches * (scale if strip.lines else 1) for strip in strips]
        figure = Figure(figsize=(self.width, height), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, hspace=0.01, wspace=0.03)  # type: ignore[union-attr, call-arg]
        return figure, figure.subplots(len(ratios), columns, squeeze=False, height_ratios=ratios)

    def legend(
        self,
        axes: Axes,
        entries: Sequence[Line2D | Patch],
        *,
        columns: int = 1,
        across: bool = False,
    ) -> None:
        """Make of these axes the place of a legend, ``across`` the whole figure."""
        axes.set_axis_off()
        anchor = axes.transAxes
        if across and axes.figure is not None:
            # The whole width, from the left edge on.
            anchor = blended_transform_factory(axes.figure.transFigure, axes.transAxes)
        shown = axes.legend(
            handles=list(entries),
            loc="upper left",
            bbox_to_anchor=(0.02 if across else 0.0, 1.0),
            bbox_transform=anchor,
            ncols=columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=2.2,
            labelspacing=0.3,
            columnspacing=1.2,
        )
        shown.set_in_layout(False)

    def saved(self, figure: Figure, kind: str) -> bytes:
        """Return a figure as the bytes of a file, the same every time.

        Raises:
            UsageError: if the figure is too small for what it shows.
        """
        target = io.BytesIO()
        stamps: dict[str, Any] = {
            "svg": {"Date": None},
            "pdf": {"CreationDate": None, "Creator": "stepwall", "Producer": None},
        }
        with self.look(), warnings.catch_warnings():
            warnings.filterwarnings("error", message="constrained_layout not applied")
            try:
                whole = written_out(figure)
                whole.savefig(target, format=kind, dpi=_DPI, metadata=stamps.get(kind, {}))
            except UserWarning:
                width, height = figure.get_size_inches()
                raise UsageError(
                    f"a figure of {width:.2g} by {height:.2g} inches is too small for what it "
                    "shows: give it more --width or --height, or choose with --scenario or --metric"
                ) from None
        return target.getvalue()
