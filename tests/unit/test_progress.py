"""Progress tells what is measured, how many of how many, and the time to go."""

from __future__ import annotations

import io

import pytest
import report_samples as samples
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from profiler.cli.progress import Reporter
from profiler.facts import Point, replace


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def points(count: int = 4) -> list[Point]:
    """Return so many lengths of one series."""
    one = samples.measured().point
    return [replace(one, steps=8 * 2**at) for at in range(count)]


def test_without_a_terminal_a_line_comes_at_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Once a minute at most; with the time to go once two lengths are known."""
    clock = Clock()
    report = Reporter(None, verbose=False, lines=True, clock=clock)
    given = points()
    report.stage("2 scenarios", points=given)
    for at, point in enumerate(given[:2]):
        report.doing(f"static_rnn, {point.steps} steps", point)
        clock.now += 20 * (at + 1)
        report.done("", point=point)
    report.doing("static_rnn, 32 steps", given[2])

    # 8 and 16 steps took 20 and 40 s: 32 and 64 take 80 and 160.
    assert capsys.readouterr().err.splitlines() == [
        "stepwall: static_rnn, 16 steps, 2 of 4 done, about 4 min left"
    ]


def test_a_short_run_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does a quiet one, however long it takes."""
    clock = Clock()
    short = Reporter(None, verbose=False, lines=True, clock=clock)
    quiet = Reporter(None, verbose=False, clock=clock)
    for report in (short, quiet):
        report.stage("", points=points())
        report.doing("static_rnn, 8 steps", points()[0])
        clock.now += 5
        report.done("", point=points()[0])
    clock.now += 100
    quiet.doing("static_rnn, 16 steps", points()[1])

    assert capsys.readouterr().err == ""


def test_parts_that_are_no_points_are_told_by_their_mean() -> None:
    """Three walls in a minute: one more takes 20 seconds; before the first nothing is known."""
    clock = Clock()
    report = Reporter(None, verbose=False, clock=clock)
    report.stage("searching walls", 4)
    before = report.left
    clock.now = 60
    report.done("", 3)

    assert before == ""
    assert report.left == "about 20 s left"


def test_a_stage_whose_parts_are_not_known_has_no_time_to_go() -> None:
    """Such as a search for one wall."""
    clock = Clock()
    report = Reporter(None, verbose=False, clock=clock)
    report.stage("predicting")
    clock.now = 60
    report.done("")

    assert report.left == ""


def test_a_name_is_no_markup_on_the_bar() -> None:
    """And no escape sequence."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=console,
    )
    report = Reporter(progress, verbose=False)
    report.stage("", points=points())
    report.doing("[red]x[/red] \x1b]8;;http://bad\x07")
    report.done("")
    console.print(progress.get_renderable())
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()

    assert r"[red]x[/red] \x1b]8;;http://bad\x07" in shown
    assert "1/4" in shown
    assert "\x1b]8" not in shown
